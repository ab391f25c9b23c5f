"""Checks of single cells: is it a number, in a known unit, in its range, and is it a share that whole images can give?"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import ClassVar

from bench.metrics.catalogue import by_published
from leaderboards.lint.cells import COUNTS, Finding, Linted, LintVerdict

SHARES = ("percent", "share")
RANGES: dict[str, tuple[float, float]] = {
    "percent": (0, 100),
    "share": (0, 1),
    "parts": (0, math.inf),
    "pairs": (0, math.inf),
    "categories": (0, math.inf),
    "concepts": (0, math.inf),
    "images": (0, math.inf),
    "cosine x 100": (-100, 100),
    "score x 100": (-100, 100),
    "cost": (-math.inf, math.inf),
    "score": (-math.inf, math.inf),
}
"""Every unit, with what a number in it can be. Words (unit ``label``) are not looked at."""
WORDS = "label"


class Check(ABC):
    """One thing that can be wrong with a table.

    Attributes:
        name: as it is reported.
        what: one line, for the reader of the report.
    """

    name: ClassVar[str]
    what: ClassVar[str]

    @abstractmethod
    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """Return the cells that the check can say something of; the others lack what it needs."""

    @abstractmethod
    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield what is wrong among ``cells``."""

    def found(self, cell: Linted, reason: str, verdict: LintVerdict = LintVerdict.WRONG) -> Finding:
        """Return a finding of this check."""
        return Finding(self.name, verdict, cell, reason)


class NotANumber(Check):
    """A cell that should hold a number holds something else."""

    name = "number"
    what = "every cell is a number, or empty"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """All cells that are no words and not empty."""
        return [cell for cell in cells if cell.unit != WORDS and cell.text]

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield each cell that does not read as a number."""
        for cell in self.looked_at(cells):
            if cell.value is None:
                yield self.found(cell, f"{cell.text!r} is not a number")


class UnknownUnit(Check):
    """A number with a unit that means nothing here; one without a unit is no fault of the table (:func:`without_unit`)."""

    name = "unit"
    what = "every unit that a table says is a known one"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """All numbers with a unit."""
        return [cell for cell in cells if cell.value is not None and cell.unit]

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield the first number of each column whose unit is unknown."""
        seen = set()
        for cell in self.looked_at(cells):
            key = (cell.table, cell.suite, cell.metric, cell.unit)
            if cell.unit in RANGES or cell.unit == WORDS or key in seen:
                continue
            seen.add(key)
            yield self.found(cell, f"the column says unit {cell.unit!r}; known: {', '.join(RANGES)}")


def without_unit(cells: Sequence[Linted]) -> list[str]:
    """Return notes of the columns whose numbers have no unit, so that ranges and shares could not be looked at."""
    names = dict.fromkeys(f"{cell.suite} {cell.metric}".strip() for cell in cells if cell.value is not None and not cell.unit)
    return [f"no unit, so range and share were not looked at: {', '.join(names)} (a heading such as `ip [percent]` says one)"] if names else []


class OutOfRange(Check):
    """A number that its unit or its metric cannot have."""

    name = "range"
    what = "every number can be in its unit: shares in 0 to 100 percent, counts whole and not below 0, UAS in 0 to 1 ..."

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """All numbers of a known unit."""
        return [cell for cell in cells if cell.value is not None and cell.unit in RANGES]

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield each number outside its range."""
        for cell in self.looked_at(cells):
            value = cell.value
            assert value is not None
            low, high = (by_published(cell.metric).range if cell.unit == "score" else None) or RANGES[cell.unit]
            if not low <= value <= high:
                yield self.found(cell, f"{cell.text} lies outside {low:g} to {high:g}, where every {cell.metric} in {cell.unit} is")
            elif cell.unit in COUNTS and value != value.to_integral_value():
                yield self.found(cell, f"{cell.text} is no whole number, and a count of {cell.unit} is")


class ImpossibleShare(Check):
    """A share that no whole number of the images gives, told apart from one that was cut instead of rounded."""

    name = "possible-share"
    what = "every share is k of n images for a whole k, rounded to the printed digits (needs n)"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """Shares in their range with a known n, small enough that not every printed number is possible."""
        return [cell for cell in cells if cell.unit in SHARES and cell.n and cell.value is not None and self._tells(cell, cell.value, cell.n)]

    def _tells(self, cell: Linted, value: Decimal, n: int) -> bool:
        whole = Decimal(RANGES[cell.unit][1])
        return 0 <= value <= whole and 2 * cell.half < whole / n

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield each share that is not k/n."""
        for cell in self.looked_at(cells):
            value, n, of = cell.value, cell.n, int(RANGES[cell.unit][1])
            assert value is not None
            assert n is not None
            below = int(value * n / of)
            near = {k: Decimal(of * k) / n for k in (below, below + 1) if k <= n}
            if any(abs(share - value) <= cell.half for share in near.values()):
                continue
            cut = [k for k, share in near.items() if value <= share < value + 2 * cell.half]
            if cut:
                rounded = round(near[cut[0]], cell.digits)
                yield self.found(cell, f"{cut[0]} of {n} is {near[cut[0]]:.4f}: cut to {cell.text}, rounded it is {rounded}", LintVerdict.DOUBTFUL)
            else:
                tried = " and ".join(f"{k} give {share:.4f}" for k, share in near.items())
                yield self.found(cell, f"no whole number of {n} images gives {cell.text}: {tried}")


class Twice(Check):
    """One cell stands in the file twice."""

    name = "twice"
    what = "every cell stands there once"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """All cells."""
        return list(cells)

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield each further cell of the same table, suite, method and metric."""
        first: dict[tuple[str, str, str, str], Linted] = {}
        for cell in cells:
            place = (*cell.row, cell.metric)
            if place in first:
                yield self.found(cell, f"the same cell stands in line {first[place].line} already, with {first[place].text!r}")
            else:
                first[place] = cell
