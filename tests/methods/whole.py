"""Runs a whole model as a method, or as diffusers' own pipeline, and changes parts of a pipeline's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from bench.errors import BenchError
from bench.registry import find_method
from bench.seeds import generator
from bench.types import Context, Generated, Sample

UNET = "unet/diffusion_pytorch_model.safetensors"


def pictures(name: str, samples: list[Sample], context: Context) -> np.ndarray:
    adapter, parameters = find_method(name)
    method = adapter(**parameters)
    assert method.weights(context) or name == "sd-v1.5"
    method.load(context)
    return np.stack([outcome.image for outcome in method.generate(samples) if isinstance(outcome, Generated)])


def theirs(pipeline: Any, samples: list[Sample], context: Context, scheduler: dict[str, Any] | None = None, **options: Any) -> np.ndarray:
    """What diffusers' own pipeline gives, with the track's scheduler on its own configuration."""
    chosen = dict(scheduler or context.track.scheduler)
    pipeline.scheduler = getattr(diffusers, chosen.pop("class")).from_config(pipeline.scheduler.config, **chosen)
    pipeline.set_progress_bar_config(disable=True)
    first = samples[0]
    found = pipeline(
        [sample.prompt for sample in samples],
        num_inference_steps=first.steps,
        guidance_scale=first.guidance,
        generator=[generator(sample) for sample in samples],
        width=first.width,
        height=first.height,
        **options,
    ).images
    return np.stack([np.asarray(image) for image in found])


def refuses(name: str, context: Context, says: str) -> str:
    adapter, parameters = find_method(name)
    with pytest.raises(BenchError, match=says) as raised:
        adapter(**parameters).load(context)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def changed(folder: Path, part: str, **settings: Any) -> None:
    file = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def doubled(folder: Path, file: str) -> None:
    save_file({name: value * 1.1 for name, value in load_file(folder / file).items()}, folder / file, metadata={"format": "pt"})
