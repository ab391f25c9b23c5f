"""Loads a track's base model as a plain diffusers pipeline, of any known denoiser family, with the track's scheduler."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import BenchError, first_line
from bench.types import Context
from methods.denoisers import KINDS, family_of
from methods.numerics import note

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import SchedulerMixin

    from methods.denoisers.family import Pipeline, PipelineKind


def load_pipeline(context: Context) -> Pipeline:
    """Return the track's base model on the context's device in its dtype, with the track's scheduler and without a safety checker.

    Raises:
        BenchError: the weights cannot be used (see :func:`read_pipeline`), the track's scheduler does not fit, or the device is not there.
    """
    import torch

    pipeline = read_pipeline(context.track.base_path(), getattr(torch, context.dtype))
    pipeline.scheduler = _scheduler(pipeline.scheduler, context)
    try:
        # Offloaded, the parts go there one by one, while they run: together they may not fit.
        pipeline.to("cpu" if context.numerics.offload else context.device)
    except (RuntimeError, AssertionError) as error:
        raise BenchError(f"Cannot use the device {context.device!r}: {first_line(error)}. Choose another: --device cpu.") from error
    note(pipeline, context)
    return pipeline


def read_pipeline(folder: Path, dtype: Any) -> Pipeline:
    """Return the pipeline in ``folder``, of a known kind and complete, on the CPU, without a safety checker.

    The libraries load some damaged folders without a word (a text encoder's missing tensor becomes random numbers,
    a lost vocabulary an empty tokenizer), so completeness is checked here.

    Raises:
        BenchError: the weights are missing, truncated, incomplete or of another kind.
    """
    import diffusers
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for each in (logging, transformers_logging):
        each.set_verbosity(each.CRITICAL)  # what goes wrong is raised, as one line
        each.disable_progress_bar()
    name, kind = _kind(folder)
    encoders = {part: read_text_encoder(folder / part, dtype, encoder) for part, encoder in kind.encoders.items()}
    options = dict(kind.options)
    try:
        pipeline = getattr(diffusers, name).from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True, **encoders, **options)
    except Exception as error:
        raise damaged("the base model", folder, first_line(error)) from error
    family = family_of(pipeline)
    for part, model in ((family.part, family.network), ("vae", family.autoencoder)):
        # diffusers leaves a tensor that the file lacks on the meta device.
        lacking = [name for name, tensor in model.named_parameters() if tensor.is_meta]
        if lacking:
            raise damaged("the base model", folder / part, f"its weights lack {lacking[0]}")
    for part, encoder in encoders.items():
        tokenizer = part.replace("text_encoder", "tokenizer")
        known, words = len(getattr(pipeline, tokenizer)), encoder.config.vocab_size
        if known != words:
            raise damaged("the base model", folder / tokenizer, f"it knows {known} tokens, expected the text encoder's {words}")
    return pipeline


def _kind(folder: Path) -> tuple[str, PipelineKind]:
    """Return the name of the pipeline's class, from ``model_index.json``, and what is known of it."""
    try:
        name = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged("the base model", folder, "no file named model_index.json that says its class") from error
    kind = KINDS.get(name)
    if kind is None:
        raise BenchError(f"Cannot use the base model {folder}: it is a {name}; expected one of: {', '.join(KINDS)}.")
    return name, kind


def read_text_encoder(folder: Path, dtype: Any, kind: str, what: str = "the base model") -> Any:
    """Return the text encoder of class ``kind``, every tensor of it read from ``folder``.

    Raises:
        BenchError: it is damaged or incomplete.
    """
    import transformers

    try:
        encoder, info = getattr(transformers, kind).from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except Exception as error:
        raise damaged(what, folder, first_line(error)) from error
    if info["missing_keys"]:
        raise damaged(what, folder, f"its weights lack {min(info['missing_keys'])}")
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


def damaged(what: str, path: Path, why: str) -> BenchError:
    """Return the error for weights at ``path`` that cannot be used."""
    return BenchError(f"Cannot load {what} {path}: {why}. The folder is damaged or incomplete: fetch it again, or for the embedded one: `make env`.")
