"""Samples of the mini track at few steps: real classes, real weights, seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.runs.spec import RunSpec
from bench.tracks import load_track
from bench.types import Context, Sample


@pytest.fixture
def few() -> list[Sample]:
    """Four samples of six steps."""
    samples = RunSpec("black", "i2p", limit=4).loaded_suite.samples
    return [replace(sample, steps=6) for sample in samples]


@pytest.fixture
def context() -> Context:
    """The mini track on the CPU."""
    return Context(load_track("mini"))


@pytest.fixture
def sd_context(context: Context, tiny_sd: Path) -> Context:
    """The mini track on a tiny random Stable Diffusion."""
    return Context(context.track.model_copy(update={"name": "tiny-sd", "base": str(tiny_sd)}))


@pytest.fixture
def xl_context(context: Context, tiny_sdxl: Path) -> Context:
    """The mini track on a tiny random SDXL."""
    return Context(context.track.model_copy(update={"name": "tiny-sdxl", "base": str(tiny_sdxl)}))
