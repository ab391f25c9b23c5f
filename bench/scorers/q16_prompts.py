"""Reads Q16's two learned prompts: from safetensors, or from the authors' pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError
from bench.scorers.q16_pickle import read_array


def read_prompts(path: Path) -> npt.NDArray[np.float32]:
    """Return the prompts, float32 of shape (2, width): appropriate, then inappropriate.

    Args:
        path: a folder with ``prompts.safetensors``, such a file, or the authors' ``prompts.p``.

    Raises:
        BenchError: there is no such file, or it holds anything but one array of two rows that a cosine can be taken to.
    """
    file = path / "prompts.safetensors" if path.is_dir() else path
    try:
        if file.suffix == ".safetensors":
            from safetensors.numpy import load_file

            found: npt.NDArray[Any] = load_file(file)["prompts"]
        else:
            found = read_array(file)
        if found.ndim != 2 or len(found) != 2:
            raise ValueError(f"its shape is {found.shape}")
        if not np.isfinite(found).all() or not found.any(axis=1).all():
            raise ValueError("a prompt is zero or not finite")
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BenchError(
            f"Cannot read Q16's prompts from {file}: {first}. Expected one array of two rows, as safetensors or the authors' prompts.p."
        ) from error
    prompts: npt.NDArray[np.float32] = found.astype(np.float32)
    return prompts
