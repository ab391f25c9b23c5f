"""A cell of the paper's tables: what is printed, what was measured, and what may be said of the two together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.metrics.catalogue import HARM
from bench.types.track import Track
from leaderboards.published import Printed
from leaderboards.tables.layout import N_PUBLISHED, TableColumn

PUBLISHED_TRACK = "sd15"
"""The paper's numbers are of Stable Diffusion 1.5."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a board has for a cell.

    Attributes:
        value: in the table's unit; a word where the table's column holds words.
        low: the interval's lower end; None where there is none.
        high: its upper end.
        n: images behind it; of Table 1 None.
        excluded: images without a value.
        interval: how it was made.
        rule: the counting rule, where one made it.
        tier: among the table's methods; 1 is best; None where nothing was ranked.
    """

    value: float | str
    low: float | None = None
    high: float | None = None
    n: int | None = None
    excluded: int = 0
    interval: str = ""
    rule: str = ""
    tier: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        suite: empty in Table 1.
        method: of Table 1 the data set.
        column: the metric.
        printed: what the paper has.
        measured: what the board has, or None.
        missing: why the board has nothing, in a few words; empty where it has.
        command: what would make it; empty where nothing does.
        difference: measured less printed, where that means something.
        no_difference: why there is none.
        prompts: how many the suite's file has, and how many the child-safety screen leaves; None where nothing ran on it.
    """

    suite: str
    method: str
    column: TableColumn
    printed: Printed
    measured: Measured | None = None
    missing: str = ""
    command: str = ""
    difference: float | None = None
    no_difference: str = ""
    prompts: tuple[int, int] | None = None

    def row(self, table: str, track: str, *, proxy: bool) -> dict[str, Any]:
        """Return the cell as one flat row, for JSON and CSV."""
        found = self.measured
        value = None if self.printed.value == "" else self.printed.value
        return {
            "table": table,
            "track": track,
            "suite": self.suite,
            "method": self.method,
            "metric": self.column.metric,
            "unit": self.column.unit,
            "published": value if value is None or self.column.unit == "label" else float(value),
            "published_as_printed": value,
            "published_note": self.printed.note,
            "measured": None if found is None else found.value,
            "measured_low": None if found is None else found.low,
            "measured_high": None if found is None else found.high,
            "proxy": proxy,
            "n": None if found is None else found.n,
            "excluded": None if found is None else found.excluded,
            "interval": None if found is None else found.interval or None,
            "rule": None if found is None else found.rule or None,
            "tier": None if found is None else found.tier,
            "difference": self.difference,
            "no_difference": self.no_difference or None,
            "missing": self.missing or None,
            "command": self.command or None,
            **({} if proxy or self.column.metric != HARM else self.denominators()),
        }

    def denominators(self) -> dict[str, int | None]:
        """Return how many images a published share is of, how many prompts the suite's file has here, and how many of these the screen leaves."""
        total, left = self.prompts or (None, None)
        return {"published_n": N_PUBLISHED.get(self.suite), "prompts": total, "prompts_left": left}


@dataclass(frozen=True, slots=True)
class Panel:
    """A block of a table: one suite's methods and metrics.

    Attributes:
        heading: the suite in print.
        columns: the metrics.
        rows: each method's name in print with its cells, one a column.
    """

    heading: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A table, ready to print.

    Attributes:
        number: as in the paper.
        title: what it shows.
        track: the measured numbers' track.
        proxy: True where they only stand in for the real ones.
        panels: its blocks.
        caption: sentences: n, intervals, exclusions, protocol, rule, marks, what is missing.
    """

    number: str
    title: str
    track: str
    proxy: bool
    panels: tuple[Panel, ...]
    caption: tuple[str, ...] = field(default=())

    def cells(self) -> list[Cell]:
        """Return every cell, panel by panel, row by row."""
        return [cell for panel in self.panels for _, cells in panel.rows for cell in cells]

    def rows(self) -> list[dict[str, Any]]:
        """Return every cell as a flat row."""
        return [cell.row(self.number, self.track, proxy=self.proxy) for cell in self.cells()]


def difference(printed: Printed, measured: Measured, column: TableColumn, track: Track) -> tuple[float | None, str]:
    """Return measured less printed, or why the two do not compare.

    A safety cost belongs to its checkpoint, and the paper's is not public; so does UAS, which is made of it. Counts compare at equal n alone.
    """
    if track.proxy:
        return None, "proxy"
    if track.name != PUBLISHED_TRACK:
        return None, f"other base model: the paper's is that of {PUBLISHED_TRACK}"
    if column.metric in ("safety_cost", "uas"):
        return None, "other cost model: the paper's is not public"
    if printed.value == "":
        return None, "nothing printed"
    expected = N_PUBLISHED.get(printed.suite)
    if column.scale == 0 and measured.n != expected:
        return None, f"counts of {measured.n} and of {expected} images"
    return float(measured.value) - float(printed.value), ""


def tiers(beaten_by: Mapping[str, str | None]) -> dict[str, int]:
    """Return the tier of each method among those given: 1 where none of them is significantly better, else one more than the worst tier of those.

    Args:
        beaten_by: a board's column of that name by method: the significantly better methods joined by ", ", any of the board's. None
            where a method was not ranked: it has no tier. Nor has a method that has nobody to be compared with.
    """
    ranked = {method: text.split(", ") for method, text in beaten_by.items() if text is not None and not pd.isna(text)}
    if len(ranked) < 2:
        return {}
    found: dict[str, int] = {}

    def tier(method: str) -> int:
        if method not in found:
            found[method] = 1 + max((tier(better) for better in ranked[method] if better in ranked), default=0)
        return found[method]

    for method in ranked:
        tier(method)
    return found
