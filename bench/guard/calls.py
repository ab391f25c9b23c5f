"""A call of a plugin's code: announced before, bounded in time, and what it does to the process undone and said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import combinations, islice

import numpy as np

from bench.console import say
from bench.errors import BenchError, within
from bench.guard.state import put_back, snapshot
from bench.types import Generated, Sample

HOUR = 3600.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class UnitLimit:
    """How long a method may take over a unit, and each scorer over it.

    Attributes:
        seconds: where None, an hour and half an hour for each sample of the unit.

    Raises:
        BenchError: it is no time.
    """

    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise BenchError(f"--unit-timeout must be a number of seconds above 0; got {self.seconds}.")

    def of(self, samples: int) -> float:
        """Return the seconds for a unit of so many samples."""
        return HOUR + samples * HOUR / 2 if self.seconds is None else self.seconds

    def passed(self, samples: int) -> str:
        """Return what is said of whoever took longer."""
        return f"took longer than {self.of(samples):g} s over a unit of {samples} sample(s) (--unit-timeout)"


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a plugin.

    Attributes:
        noun: ``method`` or ``scorer``.
        name: the registry name.
        rule: ``load``, ``generate`` or ``score``.
        first: the key of the first sample that it is asked for.
        samples: how many it is asked for.
    """

    noun: str
    name: str
    rule: str
    first: tuple[str, int] | None = None
    samples: int = 0

    @classmethod
    def on(cls, noun: str, name: str, rule: str, samples: Sequence[Sample]) -> Call:
        """Return the call on ``samples``."""
        return cls(noun, name, rule, samples[0].key, len(samples))

    @property
    def clock(self) -> tuple[str, str, str]:
        """Whose time it is: what a plugin took to load is not taken from what it may take over a unit."""
        return (self.noun, self.name, self.rule)

    def asked(self) -> str:
        """Return for a message what is asked, and of which samples."""
        more = f" and {self.samples - 1} more" if self.samples > 1 else ""
        return self.rule + (f", {sample_words(*self.first)}{more}" if self.first else "")

    def words(self) -> str:
        """Return for a message who is asked, and what."""
        return f"the {self.noun} {self.name!r} in {self.asked()}"


def sample_words(prompt_id: str, image_index: int) -> str:
    """Return what a message calls a sample."""
    return f"sample {prompt_id} (image {image_index})"


class Caller:
    """Calls plugins for a worker.

    Args:
        tell: told of every call before it is made, and None when nothing of a plugin's is running any more: whoever waits for the worker then
            knows what it did not come back from.
        limit: raises :class:`OutOfTime` in calls that take longer; None where whoever waits sees to that, by ending the process.
    """

    def __init__(self, tell: Callable[[Call | None], None] = lambda call: None, limit: UnitLimit | None = None) -> None:
        self._tell, self._limit = tell, limit
        self._samples, self._spent = 1, dict[tuple[str, str, str], float]()
        self._warned: set[tuple[str, str]] = set()

    def begin(self, samples: int) -> None:
        """Start the clock of a unit."""
        self._samples, self._spent = samples, {}

    def announce(self, call: Call) -> None:
        """Say that several calls of a plugin's follow, which count as one."""
        self._tell(call)

    def idle(self) -> None:
        """Say that what runs from here on is no plugin's."""
        self._tell(None)

    @contextmanager
    def call(self, call: Call) -> Iterator[None]:
        """Make a call within the block.

        Raises:
            OutOfTime: the plugin has had its time.
        """
        before = snapshot()
        self._tell(call)
        began = time.monotonic()
        try:
            with self._bounded(call):
                yield
        finally:
            self._spent[call.clock] = self._spent.get(call.clock, 0.0) + time.monotonic() - began
            for changed in put_back(before):
                if (call.name, changed) not in self._warned:
                    self._warned.add((call.name, changed))
                    say(f"warning: {call.words()}, changed {changed}, which would reach others; it was put back.")

    @contextmanager
    def _bounded(self, call: Call) -> Iterator[None]:
        if self._limit is None:
            yield
            return
        left = self._limit.of(self._samples) - self._spent.get(call.clock, 0.0)
        with within(left, self._limit.passed(self._samples)):
            yield


def own(samples: Iterable[Sample]) -> list[Sample]:
    """Return samples for a plugin to do with as it likes: what it writes into them reaches nobody else."""
    return [replace(sample, metadata=deepcopy(dict(sample.metadata))) for sample in samples]


def _kept(outcome: object) -> object:
    """Return an outcome whose picture stays what it is: a generator may write the next one into the same array, or a thread that goes on."""
    if isinstance(outcome, Generated) and isinstance(outcome.image, np.ndarray) and not isinstance(outcome.image, np.ma.MaskedArray):
        return replace(outcome, image=np.array(outcome.image, subok=False))
    return outcome


def _share(outcomes: Sequence[object]) -> bool:
    """Return whether pictures of a list share memory: the one written last would stand for all of them."""
    images = [each.image for each in outcomes if isinstance(each, Generated) and isinstance(each.image, np.ndarray)]
    return any(np.may_share_memory(a, b) and np.shares_memory(a, b) for a, b in combinations(images, 2))


def taken(who: str, given: object, wanted: int, items: str, of: str) -> list[object] | str:
    """Return what a plugin gave, ``wanted`` of them, or what is wrong with all of it.

    Args:
        who: ``the method``, ``the scorer``.
        given: whatever it returned; a generator is read, and need not end.
        wanted: how many there must be.
        items: what they are called: ``outcomes``.
        of: and what each of them belongs to: ``samples``.
    """
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping)):
        return f"{who} returned {type(given).__name__}; expected a list of {items}"
    if isinstance(given, (list, tuple)) and _share(given[:wanted]):  # of a generator, each picture is kept before the next one is made
        return f"{who} gave several samples one array, or overlapping ones: give each image memory of its own, such as image.copy()"
    found = [_kept(each) for each in islice(given, wanted + 1)]
    if len(found) != wanted:
        more = "more than " if len(found) > wanted else ""
        return f"{who} returned {more}{min(len(found), wanted)} {items} for {wanted} {of}"
    return found
