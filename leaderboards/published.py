"""Reads ``published.csv``: what the paper prints, as printed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PUBLISHED = Path(__file__).parent / "published.csv"


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed cell.

    Attributes:
        table: ``1``, ``2``, ``3``, ``5``, ``figure 4b`` or ``text``.
        method: the row; in Table 1 a data set.
        suite: empty where the table has none.
        metric: by its name in ``published.csv``.
        value: as printed, without thousands separators; empty where nothing is printed.
        unit: of the value.
        note: what to know of it.
    """

    table: str
    method: str
    suite: str
    metric: str
    value: str
    unit: str
    note: str


def printed(table: str | None = None) -> list[Printed]:
    """Return every printed cell, or those of one table, in the paper's order."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        cells = [Printed(**row) for row in csv.DictReader(file)]
    return [cell for cell in cells if table in (None, cell.table)]


def lookup(cells: Iterable[Printed]) -> dict[tuple[str, str, str], Printed]:
    """Return the cells of one table by (suite, method, metric)."""
    return {(cell.suite, cell.method, cell.metric): cell for cell in cells}
