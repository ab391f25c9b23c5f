"""Lays other weights over a base model: an adapter, a whole network, or some of its tensors; whole or refused, never half."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.files.atomic import write_atomic
from methods.adapters import lay_adapter
from methods.adapters.opening import read, refuse_few_bits
from methods.adapters.refusals import base_name
from methods.adapters.signs import Naming, layout
from methods.denoisers import family_of
from methods.finding import PARTIAL, find
from methods.parts import refuse_whole_numbers
from methods.reading.comparison import refuse_base, settings_of
from methods.reading.native import network_tensors, unwrapped
from methods.reading.settings import refuse_other_settings

if TYPE_CHECKING:
    import torch

    from methods.denoisers.family import DenoiserFamily, Pipeline


def lay_over(pipeline: Pipeline, path: Path, scale: float = 1.0) -> None:
    """Lay the weights at ``path`` over ``pipeline``, in place.

    Args:
        pipeline: the base model.
        path: see :func:`methods.finding.find`.
        scale: of an adapter's change.

    Raises:
        BenchError: there are none, they are damaged, of another model or change nothing, or a scale was given that cannot act.
    """
    family = family_of(pipeline)
    found = find(path)
    if found.kind == "network":
        _check_scale(found.path, scale, f"a whole {family.label}")
        family.replace_network(_read_network(family, found.path))
        return
    for file in found.files:
        published = read(file, list(family.adaptable()))
        form = layout(published, family)
        if form is not Naming.TENSORS:
            refuse_few_bits(published)
            lay_adapter(family, published, form, scale, found.part_of(file))
            continue
        _check_scale(file, scale, f"tensors of a {family.label}")
        several = any(name.startswith(tuple(f"{part}." for part in family.adaptable() if part != family.part)) for name in published.tensors)
        refuse_whole_numbers(f"the {family.label}", published)
        refuse_other_settings(f"the {family.label}", published, family.network)
        _lay_tensors(family, file, unwrapped(published.tensors) if several else network_tensors(family, file, published.tensors))


def _check_scale(path: Path, scale: float, what: str) -> None:
    """Refuse a scale for weights that take the place of the base's: there is no change to scale."""
    if scale != 1.0:
        raise BenchError(f"scale={scale:g} cannot act: {path} holds {what}, which replaces the base's; a scale is for a LoRA. Leave it out.")


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
    """Put tensors in the place of the base's, each in the part that its name begins with; in the network's where it begins with none."""
    import torch

    parts = family.adaptable()
    named = dict(tensors)
    own = {f"{part}.{name}": tensor for part, module in parts.items() for name, tensor in module.named_parameters()}
    # ESD's script for diffusers names the network too.
    if not all(name.startswith(tuple(f"{part}." for part in parts)) for name in named):
        named = {f"{family.part}.{name}": tensor for name, tensor in named.items()}
    # CLIP's layers lost a level of their names.
    named = {name if name in own else name.replace(".text_model.", ".", 1): tensor for name, tensor in named.items()}
    strange = sorted(set(named) - set(own) - {f"{part}.embeddings.position_ids" for part in parts})
    if strange:
        raise BenchError(
            f"The weights in {path} are not of this base model's {family.label}: {len(strange)} of {len(named)} names are unknown, "
            f"such as {strange[0].removeprefix(f'{family.part}.')!r}. Expected diffusers' names."
        )
    named = {name: tensor for name, tensor in named.items() if name in own}
    for name, tensor in named.items():
        if own[name].shape != tensor.shape:
            raise BenchError(
                f"The weights in {path} are of another model than the track's base, which is {base_name(family)}: "
                f"{name.removeprefix(f'{family.part}.')} has shape {tuple(tensor.shape)}, expected {tuple(own[name].shape)}."
            )
    cast = {name: tensor.to(own[name]) for name, tensor in named.items()}
    refuse_base(path, own, cast)
    with torch.no_grad():
        for name, tensor in cast.items():
            own[name].copy_(tensor)


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
    network = network.to(base.device).eval()
    if settings_of(network, base.dtype) == settings_of(base, base.dtype):
        refuse_base(folder, base.state_dict(), network.state_dict())
    return network
