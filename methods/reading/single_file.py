"""Checkpoints in one file, in the layout of CompVis (LDM, sgm): which parts they hold, and each as diffusers has it, whole or refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, first_line
from bench.files.published import Published, read_weights
from bench.files.recognised import COMPVIS, convert_first, marked, quantised
from bench.files.selection import MODEL_INDEX
from methods.denoisers import FAMILIES, KINDS
from methods.parts import damaged, quiet, refuse_lacking, refuse_pointers, refuse_shard, refuse_whole_numbers, unusable

if TYPE_CHECKING:
    import torch

NETWORK = COMPVIS[0]
"""How a network's tensors begin."""
_TEXTS = {"text_encoder": ("cond_stage_model.", "conditioner.embedders.0."), "text_encoder_2": ("conditioner.embedders.1.",)}
_AUTOENCODER = "first_stage_model."
_LIBRARIES = ("diffusers", "transformers")


def is_compvis(names: Iterable[str]) -> bool:
    """Return whether tensors are named as CompVis does."""
    return any(name.startswith(COMPVIS) for name in names)


def prefixes(part: str) -> tuple[str, ...]:
    """Return how the tensors of a pipeline's part begin."""
    if part in {family.part for family in FAMILIES}:
        return (NETWORK,)
    return _TEXTS.get(part, (_AUTOENCODER,))


def holds(names: Iterable[str], part: str) -> bool:
    """Return whether there are tensors of a pipeline's part."""
    return any(name.startswith(prefixes(part)) for name in names)


def read_file(what: str, file: Path, inside: tuple[str, ...] = ("state_dict",)) -> Published:
    """Return the tensors of a file and their settings.

    Raises:
        BenchError: it is damaged, or of a form that is not read.
    """
    refuse_pointers(what, file)
    try:
        published = read_weights(file, inside)
    except Exception as error:
        why = first_line(error)
        if "holds more than tensors" in why:
            raise unusable(what, file, f"{why}: save its tensors as safetensors, or fetch it again if it was cut short") from error
        if "keeps tensors under" in why:
            raise unusable(what, file, why) from error
        if "no mapping of names" in why:
            raise unusable(what, file, f"{why}; expected {{name: tensor}}: save its tensors as safetensors") from error
        raise damaged(what, file, why) from error
    if form := quantised(published.tensors):
        raise unusable(what, file, convert_first(form))
    refuse_whole_numbers(what, published)
    return published


def names_and_header(file: Path) -> tuple[set[str], dict[str, str]]:
    """Return the names of a file's tensors and its header; of safetensors no tensor is read for it. Empty where the file cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as opened:
                return set(opened.keys()), opened.metadata() or {}
        published = read_file("the weights", file)
    except (SafetensorError, BenchError):
        return set(), {}
    return set(published.tensors), dict(published.settings.header)


def read_marks(file: Path) -> dict[str, Any]:
    """Return how a checkpoint says that it is to be sampled, as a scheduler's options (:func:`bench.files.recognised.marked`)."""
    return marked(*names_and_header(file))


def model_parts(configs: Path) -> dict[str, tuple[str, str]]:
    """Return the library and class of each part of the pipeline in a folder, by its index; what is switched off is left out.

    Raises:
        BenchError: the index is damaged.
    """
    try:
        index = json.loads((configs / MODEL_INDEX).read_text(encoding="utf-8"))
        return {name: (str(value[0]), str(value[1])) for name, value in index.items() if isinstance(value, list) and len(value) == 2 and value[1]}
    except (OSError, ValueError, AttributeError) as error:
        raise damaged("the base model", configs, f"no file named {MODEL_INDEX} that says its class") from error


def refuse_without_part(what: str, folder: Path) -> None:
    """Refuse a pipeline of a known class whose index leaves out a part: one that lies there all the same is neither hashed nor fetched with it.

    Raises:
        BenchError: one that its class needs is not named, or switched off, or of its author's own code.
    """
    name = str(json.loads((folder / MODEL_INDEX).read_text(encoding="utf-8"))["_class_name"])
    kind, named = KINDS[name], model_parts(folder)
    tokenizers = [part.replace("text_encoder", "tokenizer") for part in kind.encoders]
    for part in (*kind.encoders, *tokenizers, "vae", *kind.networks, "scheduler"):
        if part not in named:
            raise unusable(
                what, folder, f"its {MODEL_INDEX} names no {part}, without which a {name} makes no picture: write its library and class into it"
            )
        if (library := named[part][0]) not in _LIBRARIES:
            own = f"its {part} is a {named[part][1]} of {library}, and code that comes with weights is never run"
            raise unusable(what, folder, f"{own}: expected a class of {' or '.join(_LIBRARIES)}")


def read_part(file: Path, tensors: Mapping[str, torch.Tensor], part: str, kind: str, configs: Path, dtype: Any, what: str) -> Any:
    """Return one part of a checkpoint, converted as diffusers does.

    Args:
        file: where the tensors are from, for messages.
        tensors: by the names of CompVis.
        part: its name in the pipeline.
        kind: its class.
        configs: a pipeline's folder with its configuration under ``part``.
        dtype: of torch.
        what: the weights are, for messages.

    Raises:
        BenchError: a tensor is missing, or they are of another model.
    """
    import diffusers
    import transformers
    from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm

    quiet()
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes(part))}
    if not own:
        raise unusable(what, file, f"it holds no {part} (no tensor begins with {' or '.join(prefixes(part))})")
    try:
        if hasattr(diffusers, kind):
            # The library takes entries out of what it is given.
            model = getattr(diffusers, kind).from_single_file(own, config=str(configs), subfolder=part, torch_dtype=dtype, local_files_only=True)
        else:
            # Given two encoders, the library would take the first that is as wide as this one.
            model = create_diffusers_clip_model_from_ldm(
                getattr(transformers, kind), own, subfolder=part, config=str(configs), torch_dtype=dtype, local_files_only=True
            )
    except KeyError as error:
        raise damaged(what, file, f"its {part} lacks {error.args[0]}") from error
    except Exception as error:
        # What the library says of a tensor that is missing names none.
        lacking = _lacking(own, part, kind, configs) if "meta tensor" in str(error) else ""
        if lacking:
            raise damaged(what, file, f"its {part} lacks {lacking}") from error
        raise unusable(what, file, f"its {part} does not fit the configuration in {configs}: {first_line(error)}") from error
    refuse_lacking(what, file, model)
    return model


def _lacking(tensors: Mapping[str, torch.Tensor], part: str, kind: str, configs: Path) -> str:
    """Return the first tensor, by diffusers' names, that is not among those of a checkpoint; empty where that cannot be told."""
    import diffusers
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    network = getattr(diffusers, kind)
    config = network.load_config(configs, subfolder=part)
    try:
        found = SINGLE_FILE_LOADABLE_CLASSES[kind]["checkpoint_mapping_fn"](config=config, checkpoint=dict(tensors))
    except (KeyError, TypeError):
        return "tensors"
    return next((name for name in network.from_config(config).state_dict() if name not in found), "")


def read_whole(file: Path, configs: Path, dtype: Any, what: str = "the base model") -> Any:
    """Return the pipeline of a checkpoint in one file: every model from the file, configurations, tokenizers and scheduler from ``configs``.

    Raises:
        BenchError: a part or a tensor is missing, or they are of another model.
    """
    import diffusers

    name = str(json.loads((configs / MODEL_INDEX).read_text(encoding="utf-8")).get("_class_name"))
    kind = KINDS.get(name)
    if kind is None:
        raise BenchError(f"Cannot use the configurations in {configs}: they are of a {name}; expected one of: {', '.join(KINDS)}.")
    refuse_without_part("the configurations", configs)
    refuse_shard(what, file)
    tensors = read_file(what, file).tensors
    if not is_compvis(tensors):
        raise unusable(what, file, f"it is no checkpoint of a whole pipeline in one file: no tensor begins with {' or '.join(COMPVIS)}")
    wanted = {part: each for part, each in model_parts(configs).items() if part in kind.encoders or part in (*(f.part for f in FAMILIES), "vae")}
    models = {part: read_part(file, tensors, part, each, configs, dtype, what) for part, (_, each) in wanted.items()}
    try:
        return getattr(diffusers, name).from_pretrained(configs, local_files_only=True, dtype=dtype, **models, **kind.options)
    except Exception as error:
        raise damaged("the configurations", configs, first_line(error)) from error
