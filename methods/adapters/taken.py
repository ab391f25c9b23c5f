"""Whether an adapter was taken whole: its tensors are found again, bit for bit, where a library put them; and whether it changed anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch.nn import Module


class Unfit(ValueError):
    """An adapter does not lie on the base whole; it says why in this project's words, not in a library's."""


def digest(tensor: torch.Tensor) -> str:
    """Return a hash of a tensor's values in its dtype; a shape with more axes of one row is the same."""
    import torch

    values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{tensor.dtype} {blake2b(values.tobytes(), digest_size=16).hexdigest()}"


def check_taken(held: Mapping[str, torch.Tensor], found: Iterable[torch.Tensor], alone: bool = True) -> None:
    """Compare what a file holds with what stands in the model: each tensor of the one is one of the other, in whatever dtype it was put there.

    Args:
        held: the file's tensors by name, without those that only say a strength.
        found: the adapter's tensors in the model.
        alone: whether no others are among these.

    Raises:
        Unfit: a tensor was left out, or one stands in the model that is not the file's.
    """
    there = list(found)
    if not there:
        raise Unfit(f"none of its {len(held)} tensors fits the base model")
    counts = Counter(digest(tensor) for tensor in there)
    dtypes = list(dict.fromkeys(tensor.dtype for tensor in there))
    for name, tensor in held.items():
        key = next((key for dtype in dtypes if counts[key := digest(tensor.to(dtype))] > 0), None)
        if key is None:
            raise Unfit(f"{len(held)} tensors are in the file and {len(there)} were taken; {name} is none of these")
        counts[key] -= 1
    if alone and (extra := sum(counts.values())):
        raise Unfit(f"{len(held)} tensors are in the file and {len(there)} were taken: {extra} are not the file's")


def sums(parts: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return sums over the bits of every tensor of some models, by name: equal for equal tensors, and cheap for large ones."""
    import torch

    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    found = {}
    for part, module in parts.items():
        model: Module = module
        for name, tensor in model.state_dict().items():
            bits = tensor.detach().contiguous().reshape(-1)
            bits = bits.view(whole[bits.element_size()]) if bits.element_size() in whole else bits.view(torch.uint8)
            found[f"{part}.{name}"] = (int(bits.sum(dtype=torch.int64)), int((bits & 0x7F).sum(dtype=torch.int64)))
    return found


def check_acts(before: Mapping[str, tuple[int, ...]], parts: Mapping[str, Any]) -> None:
    """Compare models with their :func:`sums` before something was laid over them.

    Raises:
        Unfit: they gained or lost a tensor, or none changed.
    """
    after = sums(parts)
    if strange := sorted(after.keys() ^ before.keys()):
        raise Unfit(f"it left the model with other tensors than before, such as {strange[0]}")
    if after == before:
        raise Unfit("it changes no weight of the base model, so its pictures would be the base's")
