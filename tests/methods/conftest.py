"""Samples of the mini track at few steps: real classes, real weights, seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.engine.spec import RunSpec
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
