"""Tensors from files that others wrote: safetensors, or a torch checkpoint that holds tensors and nothing that could run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


_STATE = re.compile(r"optim|sched|scaler|rng|random|callback|loop|hyper|(^|_)ema(_|$)", re.IGNORECASE)
"""Entries of a checkpoint that are a trainer's, to go on from, and averages of the weights, which none of the libraries takes."""


def has_safetensors(folder: Path) -> bool:
    """Return whether transformers is to read safetensors from ``folder``: always where there are any.

    Else it reads ``pytorch_model.bin`` by ``torch.load(weights_only=True)``, as older repositories have it.
    """
    return any(folder.glob("*.safetensors"))


def read_tensors(file: Path, inside: Sequence[str] = ("state_dict",), parts: Sequence[str] = ()) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the tensors of a checkpoint, by name, on the CPU, and the metadata of its header, which only safetensors have.

    Published weights are read by :func:`bench.files.published.read_weights`, which calls this.

    Args:
        file: safetensors, or what ``torch.save`` wrote.
        inside: entries that a checkpoint may keep its tensors in; the first that is there is read. Tensors kept by module,
            ``{module: {weight: ..., bias: ...}}``, get the names ``module.weight`` and ``module.bias``.
        parts: entries that are read all, where none of ``inside`` is there; their names stand in front of their tensors'.

    Raises:
        ValueError: it is damaged, or holds anything but finite tensors, or tensors beside those in the entries that are read.
        Exception: whatever torch or safetensors say of a damaged file.
    """
    import pickle
    import warnings

    import torch
    from safetensors import safe_open

    header: dict[str, str] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an error says enough
            state: Any
            if file.suffix == ".safetensors":
                with safe_open(file, framework="pt", device="cpu") as opened:
                    state, header = opened.get_tensors(), opened.metadata() or {}
            else:
                state = torch.load(file, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:  # torch's own message advises to let the file run what it likes
        raise ValueError("it is damaged, or holds more than tensors, which is never read") from error
    if isinstance(state, Mapping):
        # Some keep a module's tensors together: {module: {weight, bias}}.
        state = _flat(_chosen(state, inside, parts))
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("it is no mapping of names to tensors")
    for name, value in state.items():
        # torch asks that of no 8-bit float; as a wider one it is the same number.
        if not bool(torch.isfinite(value.float() if value.is_floating_point() and value.element_size() == 1 else value).all()):
            raise ValueError(f"{name} is not finite")
    return {str(name): value for name, value in state.items()}, header


def _chosen(state: Mapping[str, Any], inside: Sequence[str], parts: Sequence[str]) -> Mapping[str, Any]:
    """Return what of a checkpoint is read: one entry of it, its ``parts``, or all."""
    one = next((name for name in inside if isinstance(state.get(name), Mapping)), None)
    read = [one] if one is not None else [name for name in parts if isinstance(state.get(name), Mapping)]
    if not read:
        return state
    further = [name for name, value in state.items() if name not in read and not _STATE.search(str(name)) and _holds_tensors(value)]
    if further:
        under = " and ".join(map(repr, read))
        raise ValueError(f"it keeps tensors under {under} and under {', '.join(map(repr, further))}: save what is meant in a file of its own")
    found: Mapping[str, Any] = state[one] if one is not None else {name: state[name] for name in read}
    return found


def _holds_tensors(value: Any) -> bool:
    """Return whether there is a tensor in an entry of a checkpoint; a number in a tensor is a number."""
    import torch

    if isinstance(value, Mapping):
        return any(_holds_tensors(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_tensors(each) for each in value)
    return isinstance(value, torch.Tensor) and value.numel() > 1


def _flat(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of nested mappings, by their names with dots between."""
    found = {}
    for name, value in state.items():
        if isinstance(value, Mapping):
            found.update({f"{name}.{inner}": each for inner, each in _flat(value).items()})
        else:
            found[name] = value
    return found
