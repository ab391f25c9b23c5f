"""Lays other weights over a base model: a LoRA, a whole network, or some of its tensors; whole or refused, never half."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BenchError, first_line
from bench.files.atomic import write_atomic
from bench.files.published import Published
from bench.files.selection import weights_of
from methods.denoisers import FAMILIES, family_of
from methods.native import network_tensors
from methods.parts import damaged, read_config
from methods.single_file import read_file

if TYPE_CHECKING:
    import torch

    from methods.denoisers.family import DenoiserFamily, Pipeline

LORA = "pytorch_lora_weights.safetensors"
PARTIAL = "unet_partial.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Read by ``torch.load(weights_only=True)``, which takes tensors and nothing that could run."""


class Found(NamedTuple):
    """What lies at a location: ``kind`` is ``network`` (a folder of diffusers) or ``tensors`` (one file: a LoRA, or tensors of the network)."""

    kind: str
    path: Path


def find(path: Path) -> Found:
    """Return which weights ``path`` holds: a file of tensors, a folder with one such file, or a network's folder, itself or inside a pipeline's.

    Raises:
        BenchError: none of these.
    """
    if path.is_file():
        return Found("tensors", path)
    for file in (path / LORA, path / PARTIAL):
        if file.is_file():
            return Found("tensors", file)
    for folder in (*(path / family.part for family in FAMILIES), path):
        if (folder / "config.json").is_file():
            return Found("network", folder)
        if folder != path and (files := weights_of(each.name for each in folder.glob("*")).files):
            raise BenchError(f"{folder} has {files[0]} and no config.json beside it: a part is missing. Give the whole folder, or the file itself.")
    if (path / "transformer" / "config.json").is_file():
        said = read_config(path / "transformer").get("_class_name", "transformer")
        raise BenchError(f"{path} is a pipeline around a {said}; the bases of tracks are {' or '.join(f'{family.label}s' for family in FAMILIES)}.")
    files = sorted(file for file in path.glob("*") if file.suffix in (".safetensors", *PICKLES))
    if len(files) == 1:
        return Found("tensors", files[0])
    several = f" It has {len(files)} files of tensors: name one of them." if files else ""
    networks = " or ".join(f"a {family.label}'s config.json" for family in FAMILIES)
    raise BenchError(f"{path} holds no weights that can be laid over the base model; expected {LORA}, {PARTIAL} or {networks}.{several}")


def lay_over(pipeline: Pipeline, path: Path, scale: float = 1.0) -> None:
    """Lay the weights at ``path`` over ``pipeline``, in place.

    Args:
        pipeline: the base model.
        path: see :func:`find`.
        scale: of a LoRA's change.

    Raises:
        BenchError: there are none, they are damaged, or of another model.
    """
    family = family_of(pipeline)
    kind, path = find(path)
    if kind == "network":
        family.replace_network(_read_network(family, path))
        return
    published = read_file("the weights", path, ("state_dict", family.part))
    if any("lora" in name for name in published.tensors):
        _lay_lora(family, published, scale)
    else:
        _lay_tensors(family, path, network_tensors(family, path, published.tensors))


def save_partial(folder: Path, tensors: Mapping[str, torch.Tensor], *, half: bool = True) -> Path:
    """Write some of a network's tensors, by their names in diffusers, and return the file.

    It is what ``load_state_dict(load_file(path), strict=False)`` of the network takes: the form in which ESD and UCE publish theirs.

    Args:
        folder: where :data:`PARTIAL` goes.
        tensors: ``{name: tensor}``.
        half: in half precision.
    """
    from safetensors.torch import save

    content = {name: (tensor.half() if half else tensor).detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(folder / PARTIAL, save(content))
    return folder / PARTIAL


def _lay_tensors(family: DenoiserFamily, path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    import torch

    own = dict(family.network.named_parameters())
    strange = sorted(set(tensors) - set(own))
    if strange:
        raise BenchError(
            f"The weights in {path} are not of this base model's {family.label}: {len(strange)} of {len(tensors)} names are unknown, "
            f"such as {strange[0]!r}. Expected diffusers' names."
        )
    for name, tensor in tensors.items():
        if own[name].shape != tensor.shape:
            raise BenchError(
                f"The weights in {path} are of another model than the track's base: {name} has shape {tuple(tensor.shape)}, "
                f"expected {tuple(own[name].shape)}."
            )
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def _lay_lora(family: DenoiserFamily, published: Published, scale: float) -> None:
    pipeline, tensors = family.pipeline, published.tensors
    try:
        # Names of other trainers become diffusers' own here, so that what was taken can be counted.
        state = family.lora_state(tensors)
        wanted = sum(not name.endswith("alpha") for name in state)
        pipeline.load_lora_weights(tensors)
        # diffusers only warns of a key that fits nowhere, and generates without it.
        taken = sum("lora_" in name for part in family.adaptable().values() for name, _ in part.named_parameters())
        if taken != wanted or not taken:
            raise ValueError(f"{taken} of its {wanted} tensors fit the base model")
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()
    except Exception as error:
        raise damaged("the LoRA", published.path, first_line(error)) from error


def _read_network(family: DenoiserFamily, folder: Path) -> Any:
    network, base = family.read_network(folder), family.network
    theirs, ours = ({name: tuple(tensor.shape) for name, tensor in model.named_parameters()} for model in (network, base))
    # A network that is told the guidance scale has one layer more than the one that it was distilled from.
    distilled = {name for name in theirs if name.startswith("time_embedding.cond_proj.")}
    differing = sorted(name for name in {*theirs, *ours} - distilled if theirs.get(name) != ours.get(name))
    if differing:
        first = differing[0]
        raise BenchError(
            f"The {family.label} in {folder} is of another model than the track's base: their tensors differ, first {first} "
            f"({theirs.get(first, 'missing')}, the base's {ours.get(first, 'missing')}). Give weights trained on this base."
        )
    return network.to(base.device).eval()
