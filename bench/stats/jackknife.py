"""The delete-a-group jackknife, for numbers that are no mean of anything: distances between two sets of images.

Each group of prompts is left out once, from both sides at a time. Whatever the sides have in common, a shared prompt, is then left out of
both, and what they do not share adds up as independent things do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.stats.intervals import LEVEL, student_quantile

GROUPS = 20
"""Groups of prompts, where there are as many prompts."""

Rows = list[npt.NDArray[np.intp]]


def deal(sides: Sequence[Any], generator: np.random.Generator, groups: int = GROUPS) -> list[Rows]:
    """Deal the prompts of every side into groups and return, for each side, the rows of each group.

    A prompt that several sides have is in the same group of each; the shared prompts and those of one side alone are dealt evenly.

    Args:
        sides: for each, the prompt id of every row.
        generator: of the dealing.
        groups: at most; fewer where there are fewer prompts.
    """
    labels = [np.asarray(side).astype(str) for side in sides]
    holders: dict[str, tuple[int, ...]] = {}
    for number, side in enumerate(labels):
        for label in np.unique(side):
            holders[str(label)] = (*holders.get(str(label), ()), number)
    names = [str(name) for name in generator.permutation(sorted(holders))]
    names.sort(key=lambda name: holders[name])  # stable: within each kind the order stays shuffled
    count = max(1, min(groups, *(len(np.unique(side)) for side in labels)))
    group = {name: index % count for index, name in enumerate(names)}
    found = []
    for side in labels:
        of_row = np.array([group[label] for label in side], dtype=np.intp)
        found.append([np.flatnonzero(of_row == index) for index in range(count)])
    return found


def jackknife_interval(value: float, without: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return ``value`` give or take Student's t times the jackknife's standard error.

    Args:
        value: of everything.
        without: the value without each group, two or more.
        level: nominal coverage.

    Source: Kott 2001, Journal of Official Statistics 17:521-526.
    """
    spread = np.asarray(without) - np.mean(without)
    error = sqrt((len(without) - 1) / len(without) * float(spread @ spread))
    reach = student_quantile(level, len(without)) * error
    return value - reach, value + reach
