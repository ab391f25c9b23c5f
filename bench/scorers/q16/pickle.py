"""Reads the one pickle of the field, Q16's prompts, without trusting it: a plain array of floats comes out, or an error.

A pickle is a program. This reader gives that program nothing to call but the recorders below, which keep what numpy would
have been told and do nothing. The array is then built from the recorded bytes, so no code of numpy's unpickling runs either.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST = 1 << 20
"""Bytes. The official file holds 2 x 768 half floats: about 3 kB."""
_MOST_MEMOS = 64
"""Memo slots. The unpickler reserves memory up to the highest slot that a pickle names; an array needs about ten."""
_FLOATS = ("f2", "f4", "f8")


class _Dtype:
    """Stands for ``numpy.dtype``: keeps its code and its byte order."""

    def __init__(self, code: object, *flags: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


class _Array:
    """Stands for ``numpy.ndarray``: keeps its shape, dtype, memory order and bytes."""

    def __init__(self) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    """Stands for ``numpy``'s ``_reconstruct``: an empty array, to be filled by the state that follows."""
    return _Array()


def _frombuffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    """Stands for ``numpy``'s ``_frombuffer``, by which pickle protocol 5 writes an array."""
    array = _Array()
    array.state = (1, shape, dtype, order == "F", bytes(data) if isinstance(data, bytearray) else data)
    return array


def _latin(text: str, encoding: str) -> bytes:
    """Stands for ``_codecs.encode``, by which old pickle protocols write bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text in {encoding!r}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the recorder of that name; anything else ends the reading."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, reference: object) -> Any:
        """Refuse: an array has no reference to anything outside."""
        raise pickle.UnpicklingError("it refers to something outside")


def read_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of floats pickled in the file at ``path``; nothing in the file is ever run.

    Raises:
        pickle.UnpicklingError: the file is anything but one pickled array of half, single or double floats of at most 1 MiB.
            Hostile bytes can make the unpickler itself raise nearly any other exception: catch all of them.
    """
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise pickle.UnpicklingError(f"it is larger than {LARGEST} bytes")
    _check_memos(data)
    return _build(_Unpickler(io.BytesIO(data)).load())


def _check_memos(data: bytes) -> None:
    """Walk the pickle without running it; refuse a broken one, and one that names a far memo slot."""
    for opcode, argument, _ in pickletools.genops(data):
        if "PUT" in opcode.name and int(argument or 0) >= _MOST_MEMOS:
            raise pickle.UnpicklingError("it reserves memory that an array does not need")


def _build(recorded: object) -> npt.NDArray[Any]:
    """Return the array that was recorded."""
    if not isinstance(recorded, _Array) or len(recorded.state) != 5:
        raise pickle.UnpicklingError("it holds no array")
    _, shape, dtype, fortran, data = recorded.state
    if not isinstance(dtype, _Dtype) or dtype.code not in _FLOATS or dtype.order not in ("<", ">", "="):
        raise pickle.UnpicklingError("its array is not of floats")
    sizes = tuple(int(size) for size in shape)
    item = np.dtype(dtype.order + dtype.code)
    if not isinstance(data, bytes) or min(sizes, default=0) < 0 or math.prod(sizes) * item.itemsize != len(data):
        raise pickle.UnpicklingError(f"its data do not fill an array of shape {sizes}")
    return np.frombuffer(data, item).reshape(sizes, order="F" if fortran else "C").astype(item.newbyteorder("="))
