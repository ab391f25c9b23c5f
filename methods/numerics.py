"""Puts a run's numerics on a pipeline, once nothing of it is replaced any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.types import Context

if TYPE_CHECKING:
    import torch

    from methods.denoisers.family import DenoiserFamily, Pipeline

_NOTE = "bench_context"


def note(pipeline: Pipeline, context: Context) -> None:
    """Remember on the pipeline itself how it is to compute, for :func:`settle`: an adapter that swaps a part must not have to pass it on."""
    setattr(pipeline, _NOTE, (context.device, context.numerics))


def settle(family: DenoiserFamily) -> torch.device | None:
    """Apply what was noted on the family's pipeline; nothing where that came from elsewhere.

    Weights may still be edited in place, parts no longer be replaced.

    Returns:
        Where parts that lie on the CPU are computed; None where nothing is offloaded.
    """
    import torch

    noted = getattr(family.pipeline, _NOTE, None)
    if noted is None:
        return None
    device, numerics = noted
    parts = [family.network, family.autoencoder]
    if numerics.attention == "eager":
        for part in parts:
            family.write_out_attention(part)
    if numerics.channels_last:
        for part in parts:
            part.to(memory_format=torch.channels_last)
    if numerics.compile:
        family.network.compile()
    if not numerics.offload:
        return None
    _offload(family, device)
    return torch.device(device)


def _offload(family: DenoiserFamily, device: str) -> None:
    """Keep every part on the CPU but while it runs; each sends the one before it home."""
    from accelerate import cpu_offload_with_hook

    hook = None
    for part in family.parts():
        _, hook = cpu_offload_with_hook(part, device, prev_module_hook=hook)
