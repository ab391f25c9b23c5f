"""Reads Q16's two learned prompts: from safetensors, or from the authors' pickle through a reader that accepts an array and nothing else."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError

_ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),  # how NumPy's bytes travel in pickles of protocol 2
}
_LARGEST = 1 << 20
"""Bytes; the authors' file is 6 kB."""


class _ArrayOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_prompts(path: Path) -> npt.NDArray[np.float32]:
    """Return the prompts, float32 of shape (2, width): appropriate, then inappropriate.

    Args:
        path: a folder with ``prompts.safetensors``, such a file, or the authors' ``prompts.p``.

    Raises:
        BenchError: there is no such file, or it holds anything but one array of two rows.
    """
    file = path / "prompts.safetensors" if path.is_dir() else path
    try:
        if file.suffix == ".safetensors":
            from safetensors.numpy import load_file

            found: Any = load_file(file)["prompts"]
        else:
            if file.stat().st_size > _LARGEST:
                raise pickle.UnpicklingError(f"it has {file.stat().st_size} bytes")
            found = _ArrayOnly(io.BytesIO(file.read_bytes())).load()
    except Exception as error:
        raise BenchError(
            f"Cannot read Q16's prompts from {file}: {error}. Expected one array of two rows, as safetensors or the authors' prompts.p."
        ) from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != 2 or not np.issubdtype(found.dtype, np.floating):
        raise BenchError(f"Cannot read Q16's prompts from {file}: it holds {type(found).__name__}. Expected one array of two rows.")
    return found.astype(np.float32)
