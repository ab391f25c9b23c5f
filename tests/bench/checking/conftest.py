"""A cheap base and a cheap good adapter, so that a whole check takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from bench import registry
from bench.checking import RuleResult, check_method, subject
from bench.checking.subject import pick_samples
from bench.seeds import generator
from bench.tracks import load_track
from bench.types import Context, Generated, Kind, Method, MethodInfo, Outcome, Sample


class Noise(Method):
    """A good adapter: noise from each sample's own generator, in place of a model."""

    info = MethodInfo("noise", Kind.FILTER, "Noise from the sample's seed.", code="the tests", defaults={"shift": 0})

    def load(self, context: Context) -> None:
        pass

    def pixels(self, sample: Sample) -> np.ndarray:
        import torch

        noise = torch.randint(256, (sample.height, sample.width, 3), generator=generator(sample)).numpy()
        return ((noise + self.parameters["shift"]) % 256).astype(np.uint8)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        return [Generated(self.pixels(sample)) for sample in samples]


@pytest.fixture
def noise() -> type[Noise]:
    """The good adapter, for subclasses that break a rule."""
    return Noise


@pytest.fixture(scope="session")
def five() -> list[Sample]:
    """What a check on the mini track tries a method on; the screen takes a while over two whole suites."""
    return pick_samples(load_track("mini"))


@pytest.fixture
def base(five: list[Sample]) -> Iterator[type[Noise]]:
    """A cheap base; its name makes it the one that the check finds first."""

    class Base(Noise):
        info = MethodInfo("a-base", Kind.BASE, "Noise.", defaults={"shift": 0})

    registry.methods.register("a-base", Base)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "pick_samples", lambda track: five)
        yield Base
    registry.methods.unregister("a-base")


@pytest.fixture
def checked(base: type[Noise]) -> Iterator[Callable[..., dict[str, RuleResult]]]:
    """Check an adapter that is registered as ``noise`` meanwhile; return the results by rule."""

    def check(adapter: type[Method], **options: object) -> dict[str, RuleResult]:
        registry.methods.unregister("noise")
        registry.methods.register("noise", adapter)
        return {each.rule: each for each in check_method("noise", **options)}

    yield check
    registry.methods.unregister("noise")
