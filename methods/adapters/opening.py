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
        # A step or an optimizer may lie beside the parts.
        return read_weights(path, _WRAPPED, parts)
    except BenchError:
        raise
    except Exception as error:
        why = first_line(error)
        if "loat8" in why:
            raise _quantised(path, "float8") from error
        if "keeps tensors under" in why:
            raise refusal(path, why.replace("it keeps", "a checkpoint that keeps", 1)) from error
        if "more than tensors" in why and zipfile.is_zipfile(path):
            raise refusal(path, "a pickle that holds more than tensors, which is never read: save its tensors as safetensors") from error
        if "no mapping of names" in why:
            raise refusal(path, "a file of other things than named tensors; expected {name: tensor}: save its tensors as safetensors") from error
        raise damaged("the weights", path, why) from error


def refuse_few_bits(published: Published) -> None:
    """Refuse an adapter whose tensors are kept in so few bits that no trainer wrote them.

    Raises:
        BenchError: one of them is.
    """
    for name, tensor in published.tensors.items():
        if tensor.element_size() == 1 and str(tensor.dtype) != "torch.bool":
            raise _quantised(published.path, f"{name} is {str(tensor.dtype).removeprefix('torch.')}")


def _quantised(path: Path, what: str) -> BenchError:
    return refusal(path, f"a file of quantised weights ({what}): convert it to safetensors in half precision or better first")
