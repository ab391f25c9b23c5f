"""All checks over a table, and how many cells each could look at: a check that had nothing to look at has shown nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboards.lint.between import BoldIsBest, ContradictedUAS, Copied, PartsPerImage, Totals
from leaderboards.lint.cells import Finding, Linted
from leaderboards.lint.checks import Check, ImpossibleShare, NotANumber, OutOfRange, Twice, UnknownUnit, without_unit


def checks(**constants: float) -> list[Check]:
    """Return every check; ``constants`` are the centres and widths of the table's UAS (:func:`bench.metrics.uas`), the paper's where not given."""
    return [
        NotANumber(),
        UnknownUnit(),
        OutOfRange(),
        ImpossibleShare(),
        Twice(),
        Totals(),
        Copied(),
        ContradictedUAS(**constants),
        PartsPerImage(),
        BoldIsBest(),
    ]


@dataclass(frozen=True, slots=True)
class Report:
    """What the checks say.

    Attributes:
        findings: check by check.
        looked_at: cells that each check could say something of, by its name.
        cells: cells in all.
        notes: what a reader should know that is no fault of the table.
    """

    findings: tuple[Finding, ...]
    looked_at: dict[str, int]
    cells: int
    notes: tuple[str, ...] = ()

    def caption(self) -> str:
        """Return how much was looked at, and what could not be."""
        done = ", ".join(f"{name} {count}" for name, count in self.looked_at.items() if count)
        idle = [name for name, count in self.looked_at.items() if not count]
        nothing = f" Nothing to look at for: {', '.join(idle)} (see `bench lint-table --help`)." if idle else ""
        return f"{self.cells} cells; looked at: {done}.{nothing}"


def lint(cells: Sequence[Linted], against: Sequence[Check] | None = None) -> Report:
    """Return what is wrong among ``cells``."""
    every = checks() if against is None else against
    findings = tuple(finding for check in every for finding in check.run(cells))
    return Report(findings, {check.name: len(check.looked_at(cells)) for check in every}, len(cells), tuple(without_unit(cells)))
