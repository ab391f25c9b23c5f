"""Reads Q16's two learned prompts: from safetensors, from the authors' pickle, or from a torch file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError, first_line
from bench.scorers.q16.pickle import LARGEST, read_array

PUBLISHED = {
    "9b6c411824c2f64e0f847aa3c9f2b15b8e3a6c75e0efd82f2f672670c97ccad5": "Q16's own, ViT-L/14 (ml-research/Q16, data/ViT-L-14/prompts.p)",
    "53cfd214d31115baf9f6bf28936edda062c2f75b5abf3600e25a93d01a97bdce": "Q16's own, ViT-B/32 (ml-research/Q16, data/ViT-B-32/prompts.p)",
    "43b9c1308ae26f87f58a385bcbbe9a01f3532c825f15498613455f127fbdd43c": "Q16's own, ViT-B/16 (ml-research/Q16, data/ViT-B-16/prompts.p)",
    "d4a75115309f5379daa13afc4f1d3def476274a08cbf582dcdd0f4c2d60b0125": (
        "another classifier: Unsafe Diffusion's fine-tuned prompts, ViT-L/14 (YitingQu/unsafe-diffusion, checkpoints/finetuned_q16/prompts.pt)"
    ),
}
"""The files in circulation by their SHA-256. The first is also in ml-research/i2p, in unsafe-diffusion and in RECE."""


def read_prompts(path: Path) -> npt.NDArray[np.float32]:
    """Return the prompts, float32 of shape (2, width): appropriate, then inappropriate.

    Args:
        path: a folder with ``prompts.safetensors``, such a file, the authors' ``prompts.p``, or a ``prompts.pt`` that torch wrote.

    Raises:
        BenchError: there is no such file, or it holds anything but one array of two rows that a cosine can be taken to.
    """
    file = path / "prompts.safetensors" if path.is_dir() else path
    try:
        if file.suffix == ".safetensors":
            from safetensors.numpy import load_file

            found: npt.NDArray[Any] = load_file(file)["prompts"]
        elif zipfile.is_zipfile(file):
            found = _read_torch(file)
        else:
            found = read_array(file)
        if found.ndim != 2 or len(found) != 2:
            raise ValueError(f"its shape is {found.shape}")
        if not np.isfinite(found).all() or not found.any(axis=1).all():
            raise ValueError("a prompt is zero or not finite")
    except Exception as error:
        first = first_line(error)
        raise BenchError(
            f"Cannot read Q16's prompts from {file}: {first}. Expected one array of two rows, as safetensors, the authors' prompts.p or a torch file."
        ) from error
    prompts: npt.NDArray[np.float32] = found.astype(np.float32)
    return prompts


def _read_torch(file: Path) -> npt.NDArray[Any]:
    """Return the one tensor of floats in a torch file.

    Raises:
        ValueError: it is too large, or holds anything else.
    """
    import pickle

    import torch

    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST} bytes")
    try:
        tensor: Any = torch.load(file, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:  # torch's own message advises to let the file run what it likes
        raise ValueError("it is damaged, or holds more than a tensor, which is never read") from error
    # A view may claim more elements than are stored.
    if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point() or tensor.numel() * tensor.element_size() > LARGEST:
        raise ValueError("it holds no small tensor of floats")
    array: npt.NDArray[Any] = tensor.detach().float().numpy()
    return array
