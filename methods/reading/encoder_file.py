"""A text encoder from one file of tensors: a bare state dict, however wrapped, or the text half of a CompVis checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from bench.files.recognised import architecture
from methods.parts import damaged, refuse_shard, unusable
from methods.reading.native import plain, unwrapped
from methods.reading.settings import refuse_other_settings
from methods.reading.single_file import is_compvis, read_file, read_part

_INNER = "text_model."
"""What older versions of the library put before every name, and newer ones before none of a plain encoder's."""
_NO_PARAMETER = "position_ids"


def encoder_of_file(file: Path, before: Any, part: str, configs: Path, what: str) -> Any:
    """Return the text encoder whose tensors are in ``file``: all of them, or it is refused.

    Args:
        file: safetensors, or what ``torch.save`` wrote.
        before: the base's own, whose configuration it gets.
        part: its name in the pipeline.
        configs: the base's folder of configurations.
        what: it is, for messages.

    Raises:
        BenchError: a tensor is missing or has no place, or they are no text encoder's.
    """
    refuse_shard(what, file)
    published = read_file(what, file, ("state_dict", part))
    tensors = published.tensors
    if is_compvis(tensors):
        return read_part(file, tensors, part, type(before).__name__, configs, before.dtype, what)
    refuse_other_settings(what, published, before)
    found = unwrapped(plain(tensors), (f"{part}.", "transformer.", _INNER))
    own = {name: value for name, value in before.state_dict().items() if not name.endswith(_NO_PARAMETER)}
    inner = _INNER if any(name.startswith(_INNER) for name in own) else ""
    # A whole CLIP has a picture's half too, which no text goes through.
    pictures = ("vision_model.", "visual_projection.", "logit_")
    found = {name.removeprefix(_INNER): value for name, value in found.items() if not name.startswith(pictures)}
    found = {name if name in own else f"{inner}{name}": value for name, value in found.items() if not name.endswith(_NO_PARAMETER)}
    found = {name: value for name, value in found.items() if name in own or name != "text_projection.weight"}
    if not set(found) & set(own):
        theirs = architecture(found)
        raise unusable(what, file, f"these are {theirs} tensors, no text encoder's" if theirs else f"it has no tensor named {next(iter(own))}")
    if lacking := sorted(set(own) - set(found)):
        raise damaged(what, file, f"its weights lack {lacking[0]}")
    if further := sorted(set(found) - set(own)):
        raise unusable(what, file, f"{len(further)} of its tensors have no place in the base's, first {further[0]}: it is of another model")
    for name, value in found.items():
        if value.shape != own[name].shape:
            raise unusable(what, file, f"{name} has shape {tuple(value.shape)}, the base's {tuple(own[name].shape)}: it is of another model")
    model = copy.deepcopy(before)
    model.load_state_dict(found, strict=False)
    return model
