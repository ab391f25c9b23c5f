"""A table as it is printed, whatever its file's form: cells that span, header lines, and the line of the file that each row stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PrintedCell:
    """One printed cell.

    Attributes:
        text: what is printed, without markup.
        bold: whether it is marked as the best.
        columns: how many it spans.
        rows: how many it spans.
    """

    text: str
    bold: bool = False
    columns: int = 1
    rows: int = 1


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """One printed table, every span filled with what stands in it.

    Attributes:
        name: as the file calls it; empty where it does not.
        rows: all of one length.
        lines: of each row, in the file.
        heads: how many of the first rows are header lines; None where the file does not say.
        sections: of each row, whether it is one text over all columns.
    """

    name: str
    rows: tuple[tuple[PrintedCell, ...], ...]
    lines: tuple[int, ...]
    heads: int | None = None
    sections: tuple[bool, ...] = field(default=())

    def transposed(self) -> PrintedTable:
        """Return the table with rows and columns changed."""
        rows = tuple(zip(*self.rows, strict=True))
        first = self.lines[0] if self.lines else 0
        return PrintedTable(self.name, rows, (first,) * len(rows), 1, (False,) * len(rows))


MOST_SPAN = 100
"""Rows or columns that one cell may span; a number with a digit too many would make a table that no memory holds."""


def fill(name: str, rows: Sequence[Sequence[PrintedCell]], lines: Sequence[int], heads: int | None = None, *, places: bool = False) -> PrintedTable:
    """Return a table whose cells that span several rows or columns stand in each of them.

    Args:
        name: of the table.
        rows: as written.
        lines: of each row, in the file.
        heads: header lines; None where the file does not say.
        places: True for LaTeX, where an empty cell keeps the place of the one that spans from above.
    """
    below: dict[int, tuple[int, PrintedCell]] = {}
    made: list[list[PrintedCell]] = []
    sections = []
    for row in rows:
        line: list[PrintedCell] = []
        waiting = list(row)
        while waiting or len(line) in below:
            if len(line) in below:
                left, box = below.pop(len(line))
                if left > 1:
                    below[len(line)] = (left - 1, box)
                kept = waiting.pop(0) if places and waiting else box
                line += [kept if kept.text else box] * (1 if kept.columns == 1 or kept is box else min(kept.columns, MOST_SPAN))
                continue
            box = waiting.pop(0)
            for _ in range(min(box.columns, MOST_SPAN)):
                if box.rows > 1:
                    below[len(line)] = (min(box.rows, MOST_SPAN) - 1, box)
                line.append(box)
        made.append(line)
        sections.append(len(row) > 0 and row[0].columns > 1 and not any(box.text for box in row[1:]))
    width = max(map(len, made), default=0)
    whole = tuple(tuple(line + [PrintedCell("")] * (width - len(line))) for line in made)
    sections = [each and row[0].columns >= width for each, row in zip(sections, rows, strict=True)]
    return PrintedTable(name, whole, tuple(lines), heads, tuple(sections))
