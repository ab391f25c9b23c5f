"""Work units: fixed slices of a run's samples and the batches inside them.

Both depend on the suite and the batch size alone, never on workers: the same batch composition gives
bit-identical images on one machine, so resuming and sharding change nothing. Of the first prompts alone the cut is the whole suite's
with the other samples taken out, so that a limit that grows finds its units made; of further images a prompt it is the same cut again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeVar

from bench.errors import BenchError
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


@dataclass(frozen=True, slots=True)
class Share:
    """Every so manieth unit: one machine's part of a run that several make.

    Attributes:
        number: which share, from 1 on.
        of: how many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: object) -> Share:
        """Return the share that is written ``2/8``.

        Raises:
            BenchError: it is none.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip() if isinstance(text, str) else "")
        share = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= share.number <= share.of:
            raise BenchError(f"--shard must be a share such as 2/8, from 1/8 to 8/8; got {text!r}.")
        return share

    def __contains__(self, unit: int) -> bool:
        """Return whether the unit with this number is in it."""
        return unit % self.of == self.number - 1

    def __str__(self) -> str:
        """Return it as :meth:`parse` reads it."""
        return f"{self.number}/{self.of}"


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


def planned(whole: Sequence[Sample], wanted: Sequence[Sample], batch_size: int) -> list[Unit]:
    """Return the units of the samples that are ``wanted``, numbered as in the whole run; a batch or unit none of which is wanted is left out.

    Args:
        whole: the suite's own images of every prompt. They are cut as they are; each further image index has as many units as the first
            and the same ones, so that no batch mixes a further index with another.
        wanted: of these, and further images of the same prompts.
        batch_size: samples a call.
    """
    by_key = {sample.key: sample for sample in wanted}
    own = 1 + max(sample.image_index for sample in whole)
    units = cut(whole, batch_size)
    found = list(_of(by_key, units))
    further = sorted({sample.image_index for sample in wanted} - set(range(own)))
    single = units if own == 1 else cut([sample for sample in whole if sample.image_index == 0], batch_size) if further else []
    for index in further:
        found += _of(by_key, single, len(units) + (index - own) * len(single), index)
    return found


def _of(wanted: Mapping[tuple[str, int], Sample], units: Sequence[Unit], first: int = 0, image: int | None = None) -> Iterator[Unit]:
    """Yield ``units``, numbered from ``first`` on, with what of their samples is wanted, where anything is; of image index ``image`` where given."""
    for unit in units:
        keys = [[(each.prompt_id, each.image_index if image is None else image) for each in batch] for batch in unit.batches]
        kept = (tuple(wanted[key] for key in batch if key in wanted) for batch in keys)
        batches = tuple(batch for batch in kept if batch)
        if batches:
            yield Unit(first + unit.index, batches)
