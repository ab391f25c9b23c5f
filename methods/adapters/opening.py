"""Reads a file of weights to lay over, and says what it is where it cannot be read: a pointer, quantised values, a pickle of more than tensors."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError, first_line
from bench.files.published import Published, read_weights
from methods.adapters.refusals import refusal
from methods.parts import damaged, refuse_pointers

_WRAPPED = ("state_dict",)
"""Entries that a checkpoint may keep its tensors in."""

_FEW_BITS = ("F8", "F6", "F4", "U8", "I8", "U4", "I4")
"""Dtypes of safetensors' headers, by their beginning, in which no trainer keeps weights."""


def read(path: Path, parts: Sequence[str]) -> Published:
    """Return the tensors and settings of a file.

    Args:
        path: safetensors, or what ``torch.save`` wrote.
        parts: names of a pipeline's parts that a checkpoint may keep tensors under. All of them are read, each with its part's name in front.

    Raises:
        BenchError: it is damaged, or is something else than tensors.
    """
    refuse_pointers("the weights", path)
    try:
        return _read(path, parts)
    except BenchError:
        raise
    except Exception as error:
        why = first_line(error)
        if "loat8" in why:
            raise _quantised(path, "float8") from error
        if "more than tensors" in why and zipfile.is_zipfile(path):
            raise refusal(path, "a pickle that holds more than tensors, which is never read: save its tensors as safetensors") from error
        if "no mapping of names" in why:
            raise refusal(path, "a file of other things than named tensors; expected {name: tensor}: save its tensors as safetensors") from error
        raise damaged("the weights", path, why) from error


def refuse_few_bits(path: Path) -> None:
    """Refuse an adapter whose tensors are kept in so few bits that no trainer wrote them.

    Raises:
        BenchError: one of them is.
    """
    if path.suffix != ".safetensors":
        return
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        for name in opened.keys():  # noqa: SIM118  # it is no mapping
            found = opened.get_slice(name).get_dtype()
            if found.startswith(_FEW_BITS):
                raise _quantised(path, f"{name} is {found}")


def _quantised(path: Path, what: str) -> BenchError:
    return refusal(path, f"a file of quantised weights ({what}): convert it to safetensors in half precision or better first")


def _read(path: Path, parts: Sequence[str]) -> Published:
    try:
        return read_weights(path, _WRAPPED)
    except ValueError as error:
        if "no mapping of names" not in str(error) or path.suffix == ".safetensors":
            raise
        # A step or an optimizer beside the parts: each part is read by its name, so that none is left out.
        found = {}
        for part in parts:
            try:
                each = read_weights(path, (part,))
            except ValueError:
                continue
            found[part] = each
        if not found:
            raise
        tensors = {f"{part}.{name}": tensor for part, each in found.items() for name, tensor in each.tensors.items()}
        return Published(path, tensors, next(iter(found.values())).settings)
