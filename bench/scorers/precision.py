"""Scores in float32 as it stands: TensorFloat-32 is off while a scorer computes, whatever the process had it at, and back as it was afterwards.

By default torch lets a GPU's convolutions round their inputs to ten bits, so that the same image would get other features, and a set of images
another FID, than on the CPU. NudeNet's ONNX runtime is told the same when its session is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def full_float32() -> Iterator[None]:
    """Switch TensorFloat-32 off, for products and for convolutions; restore both at the end."""
    import torch

    # The older of torch's two switches: while the newer one alone is set, code that reads the older raises.
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    cudnn: Any = torch.backends.cudnn  # torch's own types do not know its parts
    newer: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before, exact = [_read(switch) for switch in switches], [switch.fp32_precision for switch in newer]
    for switch in switches:
        switch.allow_tf32 = False
    try:
        yield
    finally:
        for switch, allowed in zip(switches, before, strict=True):
            if allowed is not None:
                switch.allow_tf32 = allowed
        if None in before:
            for part, precision in zip(newer, exact, strict=True):
                part.fp32_precision = precision


def _read(switch: Any) -> bool | None:
    """Return what the older switch is at; None where the process set the newer one to something that it cannot say."""
    try:
        return bool(switch.allow_tf32)
    except RuntimeError:
        return None
