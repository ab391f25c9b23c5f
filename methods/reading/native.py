"""A network's tensors as the base's family names them, whatever wrapped, converted or quantised them on the way; or whose they are instead."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.files.recognised import architecture, convert_first, quantised
from methods.adapters.refusals import WIDTHS, base_name
from methods.parts import unusable
from methods.reading.single_file import NETWORK, is_compvis, read_part

if TYPE_CHECKING:
    import torch

    from methods.denoisers.family import DenoiserFamily

WRAPPERS = ("module.", "_orig_mod.", "model.")
"""What DataParallel, ``torch.compile`` and trainers put before every name."""
_LDM = ("input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out.")
_TEXT_PROJECTION = "attn2.to_k.weight"


def unwrapped(tensors: Mapping[str, torch.Tensor], further: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
    """Return tensors without the prefixes that all of them bear, in any order and however often.

    Args:
        tensors: by name.
        further: prefixes beside :data:`WRAPPERS`, such as a part's name.
    """
    # torch.compile of single blocks puts its own in the middle of a name.
    found = {name.replace("_orig_mod.", ""): tensor for name, tensor in tensors.items()}
    while found and not all(name.startswith(NETWORK) for name in found):
        prefix = next((each for each in (*further, *WRAPPERS) if all(name.startswith(each) for name in found)), None)
        if prefix is None:
            break
        found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors in a type that torch computes with: an 8-bit float becomes the same number in float32."""
    return {name: tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor for name, tensor in tensors.items()}


def network_tensors(family: DenoiserFamily, path: Path, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors of the network, all or some, by the family's names.

    Args:
        family: of the base model.
        path: where they are from, for messages.
        tensors: as they lie there.

    Raises:
        BenchError: they are quantised, or of another architecture, or a checkpoint of CompVis lacks some.
    """
    what = f"the {family.label}"
    if form := quantised(tensors):
        raise unusable(what, path, convert_first(form))
    found = unwrapped(plain(tensors), (f"{family.part}.",))
    own = {name: tuple(value.shape) for name, value in family.network.state_dict().items()}
    if found and all(name.startswith(_LDM) for name in found):  # saved without the prefix by which the library knows them
        found = {f"{NETWORK}{name}": tensor for name, tensor in found.items()}
    inside = {name.removeprefix(NETWORK): tensor for name, tensor in found.items() if name.startswith(NETWORK)}
    names = inside or found
    theirs = architecture(names)
    if theirs and not set(names) & set(own):
        raise unusable(what, path, f"these are {theirs} tensors; this track's base is {base_name(family)}")
    _refuse_width(family, path, names)
    if not is_compvis(found):
        return found
    if not inside:
        raise unusable(what, path, f"it holds no {family.label} (no tensor begins with {NETWORK})")
    if set(inside) <= set(own):
        return inside
    _refuse_channels(family, path, inside)
    with tempfile.TemporaryDirectory() as folder:
        family.network.save_config(Path(folder) / family.part)
        converted = read_part(path, found, family.part, type(family.network).__name__, Path(folder), family.network.dtype, what)
    if len(inside) != len(converted.state_dict()):
        raise unusable(
            what, path, f"it holds {len(inside)} tensors where the base's {family.label} has {len(converted.state_dict())}: it is of another model"
        )
    state: dict[str, torch.Tensor] = converted.state_dict()
    return state


def _refuse_width(family: DenoiserFamily, path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Say which model tensors were made for, where the width of the text tells."""
    theirs = next((tensor.shape[-1] for name, tensor in tensors.items() if name.endswith(_TEXT_PROJECTION) and tensor.dim()), None)
    ours = next((weight.shape[-1] for weight in family.projections().values()), None)
    if theirs is not None and ours is not None and theirs != ours:
        said, base = (f"{width}{f' ({WIDTHS[width]})' if width in WIDTHS else ''}" for width in (theirs, ours))
        raise BenchError(
            f"The weights in {path} are of another model than the track's base: they take text {said} wide, the base {base}. "
            "Give weights trained on this base."
        )


def _refuse_channels(family: DenoiserFamily, path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Say what a network of other input channels is for, before it is found not to fit."""
    first = tensors.get("input_blocks.0.0.weight")
    ours = family.network.config.in_channels
    if first is not None and first.dim() != 4:
        raise unusable(f"the {family.label}", path, f"its first tensor has shape {tuple(first.shape)}, no convolution's: it is of another model")
    if first is not None and first.shape[1] != ours:
        kinds = {9: "an inpainting network", 8: "a network that edits pictures (instruct-pix2pix)"}
        raise unusable(
            f"the {family.label}", path, f"it takes {first.shape[1]} channels, the base {ours}: it is {kinds.get(first.shape[1], 'of another model')}"
        )
