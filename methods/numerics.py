"""Puts a run's numerics on a pipeline, once nothing of it is replaced any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.types import Context

if TYPE_CHECKING:
    import torch

    from methods.pipeline import Pipeline

_NOTE = "bench_context"


def note(pipeline: Pipeline, context: Context) -> None:
    """Remember on the pipeline itself how it is to compute, for :func:`settle`: an adapter that swaps a part must not have to pass it on."""
    setattr(pipeline, _NOTE, (context.device, context.numerics))


def settle(pipeline: Pipeline) -> torch.device | None:
    """Apply what was noted; nothing where the pipeline came from elsewhere. Weights may still be edited in place, parts no longer be replaced.

    Returns:
        Where parts that lie on the CPU are computed; None where nothing is offloaded.
    """
    import torch

    noted = getattr(pipeline, _NOTE, None)
    if noted is None:
        return None
    device, numerics = noted
    parts = [pipeline.unet, pipeline.vae]
    if numerics.attention == "eager":
        from diffusers.models.attention_processor import AttnProcessor

        for part in parts:
            part.set_attn_processor(AttnProcessor())
    if numerics.channels_last:
        for part in parts:
            part.to(memory_format=torch.channels_last)
    if numerics.compile:
        pipeline.unet.compile()
    if not numerics.offload:
        return None
    _offload(pipeline, device)
    return torch.device(device)


def _offload(pipeline: Pipeline, device: str) -> None:
    """Keep every part on the CPU but while it runs; each sends the one before it home."""
    from accelerate import cpu_offload_with_hook

    parts = [pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None), pipeline.unet, pipeline.vae]
    hook = None
    for part in parts:
        if part is not None:
            _, hook = cpu_offload_with_hook(part, device, prev_module_hook=hook)
