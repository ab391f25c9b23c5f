"""Loads a track's base model as a plain ``StableDiffusionPipeline`` with the track's scheduler."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import bench  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import BenchError
from bench.types import Context

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import SchedulerMixin, StableDiffusionPipeline
    from transformers import CLIPTextModel


def load_pipeline(context: Context) -> StableDiffusionPipeline:
    """Return the base model on the context's device in its dtype, without a safety checker.

    The libraries load some damaged folders without a word (a text encoder's missing tensor becomes random numbers,
    a lost vocabulary an empty tokenizer), so completeness is checked here.

    Raises:
        BenchError: the weights are missing, truncated, incomplete or of another kind, the track's scheduler does not fit, or the device is not there.
    """
    import diffusers
    import torch
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for each in (logging, transformers_logging):
        each.set_verbosity(each.CRITICAL)  # what goes wrong is raised, as one line
        each.disable_progress_bar()
    path = context.track.base_path()
    dtype = getattr(torch, context.dtype)
    encoder = _text_encoder(path / "text_encoder", dtype)
    try:
        pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
            path,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            text_encoder=encoder,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    except Exception as error:
        raise damaged("the base model", path, first_line(error)) from error
    for part in ("unet", "vae"):
        # diffusers leaves a tensor that the file lacks on the meta device.
        lacking = [name for name, tensor in getattr(pipeline, part).named_parameters() if tensor.is_meta]
        if lacking:
            raise damaged("the base model", path / part, f"its weights lack {lacking[0]}")
    words = encoder.config.vocab_size
    if len(pipeline.tokenizer) != words:
        raise damaged("the base model", path / "tokenizer", f"it knows {len(pipeline.tokenizer)} tokens, expected the text encoder's {words}")
    pipeline.scheduler = _scheduler(pipeline.scheduler, context)
    try:
        pipeline.to(context.device)
    except (RuntimeError, AssertionError) as error:
        raise BenchError(f"Cannot use the device {context.device!r}: {first_line(error)}. Choose another: --device cpu.") from error
    return pipeline


def _text_encoder(path: Path, dtype: Any) -> CLIPTextModel:
    """Return the text encoder, every tensor of it read from ``path``."""
    from transformers import CLIPTextModel

    try:
        encoder, info = CLIPTextModel.from_pretrained(path, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True)
    except Exception as error:
        raise damaged("the base model", path, first_line(error)) from error
    if info["missing_keys"]:
        raise damaged("the base model", path, f"its weights lack {min(info['missing_keys'])}")
    return encoder


def _scheduler(base: SchedulerMixin, context: Context) -> SchedulerMixin:
    """Return the track's scheduler, made from the base model's configuration and the track's overrides."""
    import diffusers

    track = context.track
    options: dict[str, Any] = dict(track.scheduler)
    name = str(options.pop("class", None))
    kind: Any = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise BenchError(
            f"The track {track.name!r} names an unknown scheduler {name!r}; expected a diffusers class such as DDIMScheduler under `class`."
        )
    # from_config drops an option that it does not know, which would change the images without a word.
    unknown = sorted(set(options) - set(inspect.signature(kind).parameters))
    if unknown:
        raise BenchError(
            f"The track {track.name!r} gives {name} an option that it does not have: {unknown[0]!r}. Mend `scheduler` in the track's file."
        )
    try:
        return kind.from_config(base.config, **options)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise BenchError(
            f"The track {track.name!r} gives {name} options that do not fit: {first_line(error)}. Mend `scheduler` in the track's file."
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what ``error`` says, or its type where it says nothing; no full stop at the end."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def damaged(what: str, path: Path, why: str) -> BenchError:
    """Return the error for weights at ``path`` that cannot be used."""
    return BenchError(f"Cannot load {what} {path}: {why}. The folder is damaged or incomplete: fetch it again, or for the embedded one: `make env`.")
