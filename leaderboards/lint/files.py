"""Reads a file of published tables in whatever form people have it: LaTeX, Markdown, HTML, CSV or TSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.errors import BenchError
from bench.metrics.catalogue import by_published
from leaderboards.lint.columns import fold, metric_of
from leaderboards.lint.grid import PrintedCell, PrintedTable, fill
from leaderboards.lint.latex import LARGEST, latex_tables
from leaderboards.lint.markup import html_tables, markdown_tables
from leaderboards.lint.read import LABELS, LONG, read_table, text_of
from leaderboards.lint.tables import ReadTables, read_grids

_BY_SUFFIX: Mapping[str, Callable[[str, str], list[PrintedTable]]] = {
    ".tex": latex_tables,
    ".md": markdown_tables,
    ".markdown": markdown_tables,
    ".html": html_tables,
    ".htm": html_tables,
}
FORMS = "LaTeX (.tex), Markdown (.md), HTML (.html), CSV (.csv) or TSV (.tsv)"


def read_file(path: Path, n: Mapping[str, int] | None = None, columns: Mapping[str, str] | None = None) -> ReadTables:
    """Return the cells of a file's tables, and what was not read.

    Args:
        path: the file; another ending than those of :data:`FORMS` is read by what stands in it.
        n: images by suite, where the file does not say.
        columns: what headings mean, ``{heading: metric}``; a metric of ``-`` leaves the column out.

    Raises:
        BenchError: the file is missing, no text, too large, holds no table that can be read, or has no such suite, heading or metric.
    """
    found = _read(path, n or {}, columns or {})
    there = dict.fromkeys(cell.suite for cell in found.cells)
    if unknown := [suite for suite in n or {} if suite not in there]:
        names = ", ".join(repr(suite) for suite in there if suite)
        mend = f"It has: {names}." if names else "No suite is named in it; for all its numbers: --n =N."
        raise BenchError(f"{path} has no suite {unknown[0]!r} for --n. {mend}")
    return found


def _read(path: Path, n: Mapping[str, int], columns: Mapping[str, str]) -> ReadTables:
    text = text_of(path)
    if len(text) > LARGEST:
        raise BenchError(f"{path} has {len(text):,} characters, and a table's file at most {LARGEST:,}. Give the tables alone.")
    reader = _BY_SUFFIX.get(path.suffix.lower()) or (None if path.suffix.lower() in (".csv", ".tsv") else _sniffed(text))
    if reader is not None:
        return read_grids(reader(text, str(path)), str(path), n, columns)
    delimiter = _delimiter(path, text)
    if not columns and delimiter == "," and _is_ours(text):
        return ReadTables(read_table(path, n), [])
    return read_grids([_separated(path, text, delimiter)], str(path), n, columns)


def _sniffed(text: str) -> Callable[[str, str], list[PrintedTable]] | None:
    if "\\begin{" in text:
        return latex_tables
    if "<table" in text.lower():
        return html_tables
    return markdown_tables if "|--" in text.replace(" ", "").replace(":", "") else None


def _delimiter(path: Path, text: str) -> str:
    first = text.partition("\n")[0]
    if path.suffix.lower() == ".tsv" or "\t" in first:
        return "\t"
    return ";" if ";" in first and first.count(";") >= first.count(",") else ","


def _is_ours(text: str) -> bool:
    """Return whether a CSV is one of the two strict layouts: its columns have names of published.csv, or none that is known by another."""
    first = next(csv.reader(io.StringIO(text)), [])
    names = [name.strip().lower() for name in first]
    if set(LONG) <= set(names) or "metric" in names:
        return True
    others = [name for name in names if name not in LABELS]
    known = [name for name in others if (found := metric_of(name.rpartition("/")[2])) and by_published(_plain(name)).print_name != found]
    return not known and "method" in names


def _plain(name: str) -> str:
    return name.rpartition("/")[2].partition("[")[0].strip().replace(" ", "_")


def _separated(path: Path, text: str, delimiter: str) -> PrintedTable:
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BenchError(f"{path} is not CSV: {error}.") from error
    kept = [(row, line) for line, row in enumerate(rows, 1) if any(value.strip() for value in row)]
    if len(kept) < 2:
        raise BenchError(f"{path} holds no table: expected a line of headings, and a line a method below it.")
    uneven = next(((line, len(row)) for row, line in kept if len(row) != len(kept[0][0])), None)
    if uneven:
        raise BenchError(f"{path}, line {uneven[0]}: {uneven[1]} values where the header has {len(kept[0][0])} columns.")
    twice = [name for name in kept[0][0] if name.strip() and sum(fold(name) == fold(other) for other in kept[0][0]) > 1]
    if twice:
        raise BenchError(f"{path} has the column {twice[0]!r} twice; every column needs a name of its own.")
    boxes = [[_box(value.strip()) for value in row] for row, _ in kept]
    return fill("", boxes, [line for _, line in kept], 1)


def _box(value: str) -> PrintedCell:
    from leaderboards.lint.read import unbold

    text, bold = unbold(value)
    return PrintedCell(text, bold)
