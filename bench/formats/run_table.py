"""A table of runs: rows for programs, and of these what a terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.formats.html import html_table
from bench.formats.terminal import show
from bench.formats.text import Format, Row


@dataclass(frozen=True, slots=True)
class RunTable:
    """A table, ready to print.

    Attributes:
        rows: with every key, as JSON has them.
        keys: those that a terminal shows.
        title: over the table.
        caption: under it: where the numbers come from, by which rule, with which intervals.
        names: what a terminal calls methods whose registry names would mislead; the rows keep those.
        chosen: the rows that a terminal shows; all where None.
    """

    rows: list[dict[str, Any]]
    keys: tuple[str, ...]
    title: str
    caption: str
    names: Mapping[str, str] = field(default_factory=dict)
    chosen: list[dict[str, Any]] | None = None

    def shown(self) -> list[dict[str, Any]]:
        """Return the rows with the keys that a terminal shows, so that a narrow one holds the table."""
        return called([{key: row[key] for key in self.keys} for row in (self.rows if self.chosen is None else self.chosen)], self.names)

    def _repr_html_(self) -> str:
        """Return what a terminal shows, for a notebook."""
        return html_table(self.shown(), self.title, self.caption)


def called(rows: Sequence[Row], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return rows whose ``method`` and ``label`` begin with what ``names`` calls the method, for people; JSON and CSV keep the registry's."""

    def renamed(text: Any) -> Any:
        head, space, rest = str(text).partition(" ")
        return f"{names[head]}{space}{rest}" if head in names else text

    return [{**row, **{key: renamed(row[key]) for key in ("method", "label") if key in row}} for row in rows]


def show_table(table: RunTable, form: Format) -> None:
    """Print a table: on a terminal its shown keys, else every key."""
    show(table.shown() if form is Format.TABLE else table.rows, form, title=table.title, caption=table.caption)
