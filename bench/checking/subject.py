"""The adapter under check, with what several rules look at: made once, and not before a rule asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np

from bench.checking.state import seed_globally
from bench.checking.verdict import Broken
from bench.errors import BenchError
from bench.registry import methods, suites
from bench.runs.spec import base_method
from bench.seeds import derive_seed
from bench.suites.load import load_suite
from bench.types import Blocked, Context, Generated, Method, Outcome, Sample
from bench.types.sample import check
from bench.types.track import Track

PLAIN = ("a red apple on a wooden table", "a bicycle beside a brick wall", "a small boat on a lake", "an empty chair by a window", "a clear sky")
"""Prompts for a track none of whose suites can be had here."""


class Subject:
    """One adapter with its parameters, where it runs, and the samples that it is tried on.

    Attributes:
        name: its registry name.
        adapter: the class.
        parameters: where they differ from the defaults.
        context: where it runs.
        track: the name or path that the context's track was loaded from.
        own_files: what ``weights()`` gave before anything was loaded; None until it was asked.
        peaks: peak memory of the method's process and of the base's, in MiB, being measured; None where it is not.
    """

    def __init__(self, name: str, adapter: type[Method], parameters: Mapping[str, Any], context: Context, track: str) -> None:
        self.name = name
        self.adapter = adapter
        self.parameters = dict(parameters)
        self.context = context
        self.track = track
        self.own_files: dict[str, str] | None = None
        self.peaks: Future[tuple[float, float | None]] | None = None

    @cached_property
    def entry_point(self) -> EntryPoint | None:
        """The door it came in by; None where it was registered by hand."""
        return next(iter(entry_points(group=methods.group, name=self.name)), None)

    def make(self) -> Method:
        """Return a new instance, nothing loaded."""
        return self.adapter(**self.parameters)

    def fresh(self) -> Method:
        """Return a new instance, loaded."""
        made = self.make()
        made.load(self.context)
        return made

    @cached_property
    def method(self) -> Method:
        """The instance that most rules share, loaded."""
        return self.fresh()

    @cached_property
    def first(self) -> list[Outcome]:
        """The shared instance's outcomes for :attr:`samples` at its first call, under global seeds of 0."""
        return copied(generate(self.method, self.samples))

    @cached_property
    def base_name(self) -> str | None:
        """The track's base method; None where there is none."""
        return base_method(self.context.track)

    def fresh_base(self) -> Method | None:
        """Return a new instance of the base method, loaded; None where there is none."""
        if self.base_name is None:
            return None
        made = methods.get(self.base_name)()
        made.load(self.context)
        return made

    @cached_property
    def base(self) -> Method | None:
        """The base method's instance that is loaded before the method."""
        return self.fresh_base()

    @cached_property
    def base_first(self) -> list[Outcome]:
        """The base method's outcomes for :attr:`samples`, as they were when first asked for."""
        return copied(generate(self.base, self.samples)) if self.base else []

    @cached_property
    def base_files(self) -> dict[str, str]:
        """The hashes of the base model's files, as they were when first asked for."""
        return self.context.track.base_weights()

    @property
    def samples(self) -> list[Sample]:
        """Three samples: two of an unsafe suite, one of a benign one, where the track has both."""
        return self._pool[:3]

    @property
    def neighbours(self) -> list[Sample]:
        """Two further samples."""
        return self._pool[3:]

    @cached_property
    def _pool(self) -> list[Sample]:
        return pick_samples(self.context.track)


def pick_samples(track: Track) -> list[Sample]:
    """Return five samples that can share a call: three of the track's first unsafe suite and two of its first benign one, else of :data:`PLAIN`."""
    found: dict[bool, list[Sample]] = {}
    for name in track.suites or suites.names():
        try:
            unsafe = suites.get(name).info.unsafe
            if unsafe not in found:
                found[unsafe] = list(load_suite(name, track, limit=5).samples[:5])
        except BenchError:
            continue  # its data is not here: another suite serves as well
    plain = [
        Sample(f"plain-{index}", prompt, "plain", 0, derive_seed(track.seed, prompt, 0), track.width, track.height, track.steps, track.guidance)
        for index, prompt in enumerate(PLAIN)
    ]
    harmful, benign = [*found.get(True, []), *plain[:3]], [*found.get(False, []), *plain[3:]]
    mixed = [*harmful[:2], benign[0], harmful[2], benign[1]]
    return [replace(sample, steps=track.steps, guidance=track.guidance) for sample in mixed]


def generate(method: Method, samples: Sequence[Sample], seed: int = 0) -> list[Outcome]:
    """Return what ``method`` gives for ``samples``.

    Args:
        method: loaded.
        samples: can share a call.
        seed: of the global generators. They are held fixed, so that a method that draws from them fails the rule on that and no other.

    Raises:
        Broken: it is not one outcome a sample, or an image is none of the size asked for.
    """
    seed_globally(seed)
    given = list(method.generate(samples))
    if len(given) != len(samples):
        raise Broken(f"{len(given)} outcomes for {len(samples)} samples")
    found: list[Outcome] = []
    for outcome, sample in zip(given, samples, strict=True):
        checked = check(outcome, sample)
        if isinstance(checked, str):
            raise Broken(checked)
        found.append(checked)
    return found


def copied(given: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes with images that no later call can write over."""
    return [Generated(each.image.copy()) if isinstance(each, Generated) else each for each in given]


def difference(a: Outcome, b: Outcome) -> int | None:
    """Return by how many of 255 levels two outcomes differ at most; None where one alone is blocked."""
    if isinstance(a, Blocked) or isinstance(b, Blocked):
        return 0 if isinstance(a, Blocked) and isinstance(b, Blocked) else None
    return int(np.abs(a.image.astype(np.int16) - b.image.astype(np.int16)).max())


def agree(before: Sequence[Outcome], after: Sequence[Outcome], where: str, tolerance: int = 0) -> int:
    """Return the largest difference of outcomes that should be the same.

    Raises:
        Broken: it is above ``tolerance`` levels of 255; ``where`` says in which comparison.
    """
    largest = 0
    for a, b in zip(before, after, strict=True):
        levels = difference(a, b)
        if levels is None:
            raise Broken(f"{where}: one image was delivered once and blocked once")
        largest = max(largest, levels)
    if largest > tolerance:
        raise Broken(f"{where}: pixels differ by up to {largest} of 255 levels")
    return largest
