"""Fixtures that several packages' tests share: a toy method, and the suite's first samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from bench import registry
from bench.engine.spec import RunSpec
from bench.seeds import generator
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Outcome, Sample


class Toy(Method):
    """A real method without a model: flat colour noise from each sample's own generator."""

    info = MethodInfo("toy", Kind.FLOOR, "Noise from the sample's seed.", defaults={"trouble": "", "shift": 0})

    def load(self, context: Context) -> None:
        self.calls = 0

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        import torch

        self.calls += 1
        trouble = self.parameters["trouble"]
        if trouble == "raises":
            raise RuntimeError("the toy broke")
        outcomes: list[Outcome] = []
        for sample in samples:
            pixels = torch.randint(256, (sample.height, sample.width, 3), generator=generator(sample)).numpy()
            image = ((pixels + self.parameters["shift"]) % 256).astype(np.uint8)
            if trouble == "nan":
                image = np.full(image.shape, np.nan)
            elif trouble == "size":
                image = image[:-1]
            elif trouble == "blocks" and sample.seed % 2:
                outcomes.append(Blocked("toy filter"))
                continue
            outcomes.append(Generated(image))
        return outcomes[:-1] if trouble == "count" else outcomes


@pytest.fixture
def toy() -> Iterator[type[Toy]]:
    """The toy method, registered as ``toy`` for one test."""
    registry.methods.register("toy", Toy)
    yield Toy
    registry.methods.unregister("toy")


@pytest.fixture
def samples() -> tuple[Sample, ...]:
    """Twenty samples of the mini i2p suite."""
    return RunSpec("black", "i2p", limit=20).loaded_suite.samples
