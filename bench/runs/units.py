"""Work units: fixed slices of a run's samples and the batches inside them.

Both depend on the samples and the batch size alone, never on workers: the same batch composition gives
bit-identical images on one machine, so resuming and sharding change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeVar

from bench.types import Sample

T = TypeVar("T")

UNITS_WANTED = 64
LARGEST_UNIT = 8
"""Batches: a crash loses at most this much, and a million images still make few files."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work.

    Attributes:
        index: its number within the run.
        batches: the samples of each batch; all of one batch share size, steps and guidance.
    """

    index: int
    batches: tuple[tuple[Sample, ...], ...]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every sample of the unit, in order."""
        return tuple(sample for batch in self.batches for sample in batch)


def _shape(sample: Sample) -> tuple[int, int, int, float]:
    return (sample.width, sample.height, sample.steps, sample.guidance)


def _chunks(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk


def cut(samples: Sequence[Sample], batch_size: int) -> list[Unit]:
    """Cut ``samples`` into units.

    Samples of unlike size, steps or guidance never share a batch; the stable sort keeps the suite's order within each kind.
    """
    alike = sorted(samples, key=_shape)
    batches = [batch for _, group in groupby(alike, key=_shape) for batch in _chunks(list(group), batch_size)]
    size = max(1, min(LARGEST_UNIT, len(batches) // UNITS_WANTED))
    return [Unit(index, chunk) for index, chunk in enumerate(_chunks(batches, size))]
