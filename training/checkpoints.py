"""Checkpoints of a training: whole or absent, of one training alone, tensors and plain values and nothing that could run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError
from bench.files.atomic import write_atomic


def save_checkpoint(path: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, lists and dicts of them) of the training called ``identity``."""
    buffer = io.BytesIO()
    torch.save({"identity": identity, **state}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """Return the state of the training called ``identity``; None where there is none yet.

    Raises:
        BenchError: the file is damaged, or of another training.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise BenchError(f"The checkpoint {path} is damaged: {error}. Delete it to train from the start.") from error
    if state["identity"] != identity:
        raise BenchError(f"{path} belongs to a training with other settings or data. Give another --out, or delete it to train anew.")
    return state


@torch.no_grad()
def restore(parameters: Sequence[torch.nn.Parameter], values: Sequence[torch.Tensor]) -> None:
    """Put saved values into the parameters, in order."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
