"""Loads a track's base model as a plain diffusers pipeline, of any known denoiser family, with the track's scheduler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import BenchError, first_line, no_device
from bench.files.selection import MODEL_INDEX
from bench.types import Context
from methods.denoisers import FAMILIES, KINDS, family_of
from methods.numerics import note
from methods.parts import damaged, quiet, read_model, read_text_encoder
from methods.reading.single_file import model_parts, read_marks, read_whole, refuse_without_part
from methods.scheduling import refuse_untrained, tracks_scheduler

if TYPE_CHECKING:
    from methods.denoisers.family import Pipeline, PipelineKind

__all__ = ["damaged", "load_pipeline", "place", "read_pipeline", "read_text_encoder"]


def load_pipeline(context: Context) -> Pipeline:
    """Return the track's base model on the context's device in its dtype, with the track's scheduler and without a safety checker.

    Raises:
        BenchError: the weights cannot be used (see :func:`read_pipeline`), the track's scheduler does not fit, or the device is not there.
    """
    import torch

    track = context.track
    path = track.base_path()
    pipeline = read_pipeline(path, getattr(torch, context.dtype), track.config_path())
    place(pipeline, context)
    if path.is_file():
        config = pipeline.scheduler.config
        refuse_untrained("The base model", path, config, read_marks(path), "Say so in the track's file: scheduler: {prediction_type: ...}")
    return pipeline


def place(pipeline: Pipeline, context: Context, scheduler: Mapping[str, Any] | None = None) -> None:
    """Put the track's scheduler on a pipeline, and the pipeline on the context's device.

    Args:
        pipeline: whose own scheduler's configuration the track's class is made from.
        context: where it runs.
        scheduler: class and overrides; the track's where None.

    Raises:
        BenchError: the scheduler does not fit, or the device is not there.
    """
    pipeline.scheduler = tracks_scheduler(pipeline.scheduler.config, context.track, scheduler)
    try:
        # Offloaded, the parts go there one by one, while they run: together they may not fit.
        pipeline.to("cpu" if context.numerics.offload else context.device)
    except (RuntimeError, AssertionError) as error:
        raise no_device(context.device, error) from error
    note(pipeline, context)


def read_pipeline(path: Path, dtype: Any, configs: Path | None = None, what: str = "the base model") -> Pipeline:
    """Return the pipeline at ``path``, of a known kind and complete, on the CPU, without a safety checker.

    The libraries load some damaged folders without a word (a text encoder's missing tensor becomes random numbers,
    a lost vocabulary an empty tokenizer), so completeness is checked here.

    Args:
        path: a diffusers folder, or a checkpoint in one file.
        dtype: of torch.
        configs: of a file, the folder with its configurations and tokenizers.
        what: the weights are, for messages.

    Raises:
        BenchError: the weights are missing, truncated, incomplete or of another kind, or the sampler would not drive their network right.
    """
    import diffusers

    quiet()
    if path.is_file():
        if configs is None or configs == path:
            raise BenchError(f"Cannot load {what} {path}: it is a single file, which holds no configuration and no tokenizer. Give a folder.")
        pipeline = read_whole(path, configs, dtype, what)
        kind = KINDS[type(pipeline).__name__]
    else:
        name, kind = _kind(path, what)
        refuse_without_part(what, path)
        for family in FAMILIES:
            if name in family.kinds:
                family.refuse_folder(path, kind, what)
        classes = {part: each for part, (library, each) in model_parts(path).items() if library == "diffusers" and (path / part).is_dir()}
        models: dict[str, Any] = {part: read_text_encoder(path / part, dtype, encoder, what) for part, encoder in kind.encoders.items()}
        # One by one: each part may be there in another form (fp16 alone, .bin alone), for which the pipeline has one word.
        models |= {part: read_model(path / part, dtype, classes[part], what) for part in ("vae", *kind.networks) if part in classes}
        try:
            pipeline = getattr(diffusers, name).from_pretrained(path, dtype=dtype, local_files_only=True, **models, **kind.options)
        except Exception as error:
            raise damaged(what, path, first_line(error)) from error
    for part in kind.encoders:
        tokenizer = part.replace("text_encoder", "tokenizer")
        known, words = len(getattr(pipeline, tokenizer)), getattr(pipeline, part).config.vocab_size
        if known != words:
            raise damaged(what, path / tokenizer, f"it knows {known} tokens, expected the text encoder's {words}")
    family_of(pipeline).refuse_undriven(what, path)
    return pipeline


def _kind(folder: Path, what: str) -> tuple[str, PipelineKind]:
    """Return the name of the pipeline's class, from ``model_index.json``, and what is known of it."""
    try:
        # A pipeline of its author's own code has a list there.
        name = str(json.loads((folder / MODEL_INDEX).read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(what, folder, "no file named model_index.json that says its class") from error
    kind = KINDS.get(name)
    if kind is None:
        raise BenchError(f"Cannot use {what} {folder}: it is a {name}; expected one of: {', '.join(KINDS)}.")
    return name, kind
