"""Tensors from files that others wrote: safetensors, or a torch checkpoint that holds tensors and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def has_safetensors(folder: Path) -> bool:
    """Return whether transformers is to read safetensors from ``folder``: always where there are any.

    Else it reads ``pytorch_model.bin`` by ``torch.load(weights_only=True)``, as older repositories have it.
    """
    return any(folder.glob("*.safetensors"))


def read_tensors(file: Path, inside: Sequence[str] = ("state_dict",)) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the tensors of a checkpoint, by name, on the CPU, and the metadata of its header, which only safetensors have.

    Published weights are read by :func:`bench.files.published.read_weights`, which calls this.

    Args:
        file: safetensors, or what ``torch.save`` wrote.
        inside: entries that a checkpoint may keep its tensors in; the first that is there is read. Tensors kept by module,
            ``{module: {weight: ..., bias: ...}}``, get the names ``module.weight`` and ``module.bias``.

    Raises:
        ValueError: it is damaged, or holds anything but finite tensors.
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
        state = next((state[name] for name in inside if isinstance(state.get(name), Mapping)), state)
        # Some keep a module's tensors together: {module: {weight, bias}}.
        state = {
            f"{outer}.{inner}" if inner else outer: value
            for outer, held in state.items()
            for inner, value in (held.items() if isinstance(held, Mapping) else [("", held)])
        }
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("it is no mapping of names to tensors")
    for name, value in state.items():
        # torch asks that of no 8-bit float; as a wider one it is the same number.
        if not bool(torch.isfinite(value.float() if value.is_floating_point() and value.element_size() == 1 else value).all()):
            raise ValueError(f"{name} is not finite")
    return {str(name): value for name, value in state.items()}, header
