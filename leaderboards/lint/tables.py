"""From printed tables to cells that checks can look at, and what of them was not read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bench.errors import BenchError
from bench.metrics.catalogue import HARM
from leaderboards.lint.cells import Linted
from leaderboards.lint.columns import Heading, fold, headings, said_metric, suite_of
from leaderboards.lint.grid import PrintedCell, PrintedTable
from leaderboards.lint.numbers import decimal_commas, looks_numeric, read_number

_CITED = re.compile(r"\[\s*\d+(?:\s*[,–-]\s*\d+)*\s*\]|[†‡§¶*]+$")
_SHARES = (HARM, "asr")
"""Metrics that are shares: their numbers are percent where one is above 1."""


@dataclass(frozen=True, slots=True)
class ReadTables:
    """What a file's tables hold.

    Attributes:
        cells: for the checks.
        notes: what was not read, or read in a way that a reader should know; no faults of the table.
    """

    cells: list[Linted]
    notes: list[str]


@dataclass(slots=True)
class _Left:
    """What of one table was not read."""

    columns: list[str] = field(default_factory=list)
    rows: int = 0
    beside: int = 0

    def notes(self, place: str) -> list[str]:
        """Return it in words."""
        said = []
        if self.columns:
            said.append(f"{place}{len(self.columns)} column(s) not read: {', '.join(map(repr, self.columns))} (--column HEADING=METRIC reads one)")
        if self.rows:
            said.append(f"{place}{self.rows} row(s) not read: nothing in them names a method")
        if self.beside:
            said.append(f"{place}{self.beside} cell(s) have a deviation, an interval or a difference beside the number, which was not read")
        return said


def read_grids(grids: Sequence[PrintedTable], place: str, n: Mapping[str, int], columns: Mapping[str, str]) -> ReadTables:
    """Return the cells of a file's tables.

    Args:
        grids: its tables.
        place: what errors call the file.
        n: images by suite, where the tables do not say.
        columns: what the user says of headings, ``{heading: metric}``.

    Raises:
        BenchError: no table has a column that is a metric, a heading or a metric that the user names is none, or decimal marks are mixed.
    """
    columns = {heading: said_metric(metric) for heading, metric in columns.items()}
    cells: list[Linted] = []
    notes: list[str] = []
    seen: list[str] = []
    for number, grid in enumerate(grids, 1):
        name = (grid.name or str(number)) if len(grids) > 1 else grid.name
        here = f"table {name}: " if len(grids) > 1 else ""
        found, heads, whole = _oriented(grid, columns)
        seen += [heading.printed for heading in found if heading.printed]
        if not any(heading.kind == "metric" for heading in found):
            notes.append(f"{here}not read: no column is a metric ({_listed([heading.printed for heading in found])})")
            continue
        more, left, commas = _cells(whole, heads, found, name, place, n)
        cells += more
        notes += left.notes(here) + ([f"{here}commas are read as decimal marks"] if commas else [])
    missing = [said for said in columns if not any(fold(said)[0] in (fold(each)[0], *(fold(part)[0] for part in each.split(" / "))) for each in seen)]
    if missing:
        raise BenchError(f"{place} has no column {missing[0]!r} for --column. It has: {_listed(seen)}.")
    if not cells:
        raise BenchError(f"{place}: no column is a known metric: {_listed(seen)}. Say which is: --column HEADING=METRIC, as 'Rate=ip'.")
    marked = cells if any(cell.bold for cell in cells) else [replace(cell, bold=None) for cell in cells]
    units, said = _percents(marked)
    return ReadTables(units, notes + said)


def _listed(names: Sequence[str]) -> str:
    kept = list(dict.fromkeys(name for name in names if name))
    return ", ".join(map(repr, kept[:12])) + (f" and {len(kept) - 12} more" if len(kept) > 12 else "") if kept else "no headings"


def _oriented(grid: PrintedTable, given: Mapping[str, str]) -> tuple[list[Heading], int, PrintedTable]:
    """Return what the columns are, how many header lines there are, and the table, turned where its lines are the metrics."""
    heads = grid.heads if grid.heads and grid.heads < len(grid.rows) else _guess(grid)
    found = headings(_texts(grid, heads), given)
    if any(each.kind == "metric" for each in found) or not grid.rows:
        return found, heads, grid
    turned = grid.transposed()
    others = headings(_texts(turned, 1), given)
    return (others, 1, turned) if any(each.kind == "metric" for each in others) else (found, heads, grid)


def _guess(grid: PrintedTable) -> int:
    """Return how many lines stand before the first with a number in it."""
    return next((place for place, row in enumerate(grid.rows) if any(looks_numeric(box.text) for box in row[1:])), 1) or 1


def _texts(grid: PrintedTable, heads: int) -> list[list[str]]:
    whole = [row for row, section in zip(grid.rows[:heads], grid.sections or (False,) * heads, strict=False) if not section]
    return [list(dict.fromkeys(box.text for box in column if box.text)) for column in zip(*whole, strict=True)]


def _cells(grid: PrintedTable, heads: int, found: Sequence[Heading], name: str, place: str, n: Mapping[str, int]) -> tuple[list[Linted], _Left, bool]:
    body = list(zip(grid.rows[heads:], grid.lines[heads:], (grid.sections or (False,) * len(grid.rows))[heads:], strict=True))
    # A column of no cell at all is what a heading spans too much.
    metrics = [at for at, heading in enumerate(found) if heading.kind == "metric" and any(row[at].text for row, _, _ in body)]
    if not metrics:
        return [], _Left(), False
    labels = _labels(found, [row for row, _, _ in body], metrics)
    left = _Left([each.printed or f"column {at + 1}" for at, each in enumerate(found) if each.kind == "unknown" and at not in labels.values()])
    commas = decimal_commas(((row[at].text, line) for row, line, _ in body for at in metrics), place)
    cells: list[Linted] = []
    block = ""
    for row, line, section in body:
        texts = [row[at].text for at in metrics]
        if texts == [grid.rows[heads - 1][at].text for at in metrics]:
            continue  # the header again, on a table's next page
        label = _label(row, labels, "method")
        if section or (label and not any(texts)):
            block = _label(row, labels, "method") or row[0].text
            continue
        if not label:
            left.rows += 1
            continue
        beside = _label(row, labels, "suite")
        for at in metrics:
            heading, box = found[at], row[at]
            read = read_number(box.text, comma=commas)
            left.beside += read.beside
            suite = "/".join(part for part in (suite_of(beside) if beside else "", heading.suite) if part)
            unit = heading.unit if heading.unit and not (read.percent and heading.unit == "score") else "percent" if read.percent else ""
            table = " / ".join(part for part in (name, block) if part)
            images = _images(row, labels) or n.get(suite)
            cells.append(Linted(table, suite, label, heading.metric, read.text, unit, images, box.bold, line))
    return cells, left, commas


def _labels(found: Sequence[Heading], rows: Sequence[Sequence[PrintedCell]], metrics: Sequence[int]) -> dict[str, int]:
    """Return which columns hold methods, suites and numbers of images."""
    labels = {kind: at for at, heading in reversed(list(enumerate(found))) if (kind := heading.kind) in ("method", "suite", "n")}
    if "method" not in labels:
        words = [at for at, heading in enumerate(found) if heading.kind == "unknown" and not any(looks_numeric(row[at].text) for row in rows)]
        before = [at for at in words if at < metrics[0]]
        if before or words:
            labels["method"] = (before or words)[0]
    return labels


def _label(row: Sequence[PrintedCell], labels: Mapping[str, int], kind: str) -> str:
    return _CITED.sub("", row[labels[kind]].text).strip() if kind in labels else ""


def _images(row: Sequence[PrintedCell], labels: Mapping[str, int]) -> int | None:
    text = read_number(row[labels["n"]].text).text if "n" in labels else ""
    return int(text) if re.fullmatch(r"[1-9]\d{0,11}", text) else None


def _percents(cells: Sequence[Linted]) -> tuple[list[Linted], list[str]]:
    """Return the cells with the unit of shares that their numbers show, and notes of what was read so."""
    above = {
        (cell.table, cell.suite, cell.metric)
        for cell in cells
        if cell.metric in _SHARES and not cell.unit and cell.value is not None and cell.value > Decimal(1)
    }
    names = sorted({f"{suite} {metric}".strip() for _, suite, metric in above})
    said = [f"read as percent, since numbers above 1 stand there: {', '.join(names)}"] if names else []
    return [replace(cell, unit="percent") if (cell.table, cell.suite, cell.metric) in above and not cell.unit else cell for cell in cells], said
