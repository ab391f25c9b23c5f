"""Rank reversal: two methods whose order hangs on whether a third one is in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.reports.meta.orderings import Ordering
from bench.stats.clusters import Floats


@dataclass(frozen=True, slots=True)
class Reversal:
    """A pair that changes places.

    Attributes:
        above: the better one with all methods in the table.
        below: the other one.
        third: whose leaving puts ``below`` first.
        gap: how far ``above`` leads with it.
        gap_without: how far ``below`` leads without it.
    """

    above: str
    below: str
    third: str
    gap: float
    gap_without: float


def reversals(ordering: Ordering, means: Floats, methods: Sequence[str]) -> list[Reversal]:
    """Return every pair that changes places when one other method is left out, the most marked first: that of the largest smaller gap.

    A method alone decides its own number in most metrics, and then there is none.

    Args:
        ordering: which one.
        means: of its parts, shape (methods, parts).
        methods: their names.
    """
    whole = ordering.order(means)
    found = []
    for out, third in enumerate(methods):
        kept = np.delete(np.arange(len(methods)), out)
        before, after = whole[kept], ordering.order(means[kept])
        gaps, gaps_without = before[:, None] - before[None, :], after[:, None] - after[None, :]
        for i, j in np.argwhere((gaps > 0) & (gaps_without < 0)):
            found.append(Reversal(methods[kept[i]], methods[kept[j]], third, float(gaps[i, j]), float(-gaps_without[i, j])))
    return sorted(found, key=lambda each: -min(each.gap, each.gap_without))
