"""Loads a track's base model as a plain ``StableDiffusionPipeline`` with the track's scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bench  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import BenchError
from bench.types import Context

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def load_pipeline(context: Context) -> StableDiffusionPipeline:
    """Return the base model on the context's device in its dtype, without a safety checker.

    Raises:
        BenchError: the weights are missing, truncated or of another kind, or the track names an unknown scheduler.
    """
    import diffusers
    import torch
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    path = context.track.base_path()
    try:
        pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
            path,
            dtype=getattr(torch, context.dtype),
            use_safetensors=True,
            local_files_only=True,
            safety_checker=None,
            requires_safety_checker=False,
        )
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BenchError(
            f"Cannot load the base model {path}: {first}. The folder is damaged or incomplete: install the project again: `make env`."
        ) from error
    options: dict[str, Any] = dict(context.track.scheduler)
    name = options.pop("class")
    kind = getattr(diffusers, name, None)
    if kind is None:
        raise BenchError(f"The track {context.track.name!r} names an unknown scheduler {name!r}; expected a diffusers class such as DDIMScheduler.")
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config, **options)
    pipeline.to(context.device)
    return pipeline
