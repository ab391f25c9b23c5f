"""Reads a published table from CSV: one cell a row, as ``published.csv``, or one method a row. Also the paper's own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.metrics.catalogue import by_published
from leaderboards.lint.cells import Linted
from leaderboards.lint.numbers import read_number
from leaderboards.published import printed
from leaderboards.tables.layout import N_PUBLISHED

LONG = ("method", "metric", "value")
LABELS = ("table", "suite", "method", "n")
_BOLD = re.compile(r"\*\*(.*)\*\*|\\textbf\{(.*)\}|<b>(.*)</b>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_COLUMN = re.compile(r"(?:(?P<suite>[^/\[\]]+)/)?(?P<metric>[^/\[\]]+?)\s*(?:\[(?P<unit>[^\[\]]*)\])?")


def text_of(path: Path) -> str:
    """Return a file's text.

    Raises:
        BenchError: it is missing, no UTF-8, or holds a control character.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BenchError(f"Cannot read {path}: {error.strerror}. Give a file with a table, or --paper for the paper's own numbers.") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} is not UTF-8 text (byte {error.start}). Save it in UTF-8.") from error
    control = _CONTROL.search(text)
    if control:
        line = 1 + text.count("\n", 0, control.start())
        raise BenchError(f"{path}, line {line} holds a control character, {control[0]!r}; a table has none.")
    return text


def read_table(path: Path, n: Mapping[str, int] | None = None) -> list[Linted]:
    r"""Return the cells of a CSV file.

    One cell a row: columns ``method``, ``metric``, ``value``, and where known ``table``, ``suite``, ``unit``, ``n``, ``bold`` (yes or no).
    One method a row: a column ``method``, where known ``table``, ``suite``, ``n``, and one column a metric, headed ``metric [unit]`` or
    ``suite/metric [unit]``. In both, ``**4.40**`` or ``\textbf{4.40}`` is bold, a dash is nothing, and what follows a ± is not read.

    Args:
        path: UTF-8, comma-separated, with a header.
        n: images by suite, where the file does not say.

    Raises:
        BenchError: the file is missing, is no such CSV, or holds a number of images that is none.
    """
    text = text_of(path)
    try:
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise BenchError(f"{path} is not CSV: {error}.") from error
    header = [name.strip() for name in lines[0]] if lines else []
    folded = [name.lower() for name in header]
    if "method" not in folded or len(folded) < 2:
        raise BenchError(
            f"{path} has no column `method` in its first line. Expected one cell a row (method, metric, value; also table, suite, unit, n, bold) "
            "or one method a row (method, then columns such as `ip [percent]`)."
        )
    twice = [name for name in folded if folded.count(name) > 1]
    if twice:
        raise BenchError(f"{path} has the column {twice[0]!r} twice; every column needs a name of its own.")
    long = [name for name in LONG if name in folded]
    if "metric" in folded and len(long) < len(LONG):
        raise BenchError(f"{path} has a column `metric` and no `value`; one cell a row needs both.")
    cells: list[Linted] = []
    for line, values in enumerate(lines[1:], 2):
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            raise BenchError(f"{path}, line {line}: {len(values)} values where the header has {len(header)} columns.")
        row = dict(zip(folded, (value.strip() for value in values), strict=True))
        cells += _long(row, path, line) if len(long) == len(LONG) else _wide(row, header, path, line)
    if not cells:
        raise BenchError(f"{path} holds no cell: a header and nothing below it.")
    return _marked([replace(cell, n=cell.n or (n or {}).get(cell.suite)) for cell in cells])


def _long(row: Mapping[str, str], path: Path, line: int) -> Iterator[Linted]:
    text, unit, bold = _text(row["value"], row.get("unit", ""))
    marked = bold or row.get("bold", "").lower() in ("yes", "true", "1")
    yield _cell(row, row.get("suite", ""), row["metric"], text, unit, _images(row, path, line), marked, line)


def _wide(row: Mapping[str, str], header: Sequence[str], path: Path, line: int) -> Iterator[Linted]:
    for name in header:
        if name.lower() in LABELS:
            continue
        match = _COLUMN.fullmatch(name)
        if match is None:
            raise BenchError(f"{path}: the column {name!r} is none that can be read. Expected `metric [unit]` or `suite/metric [unit]`.")
        text, unit, bold = _text(row[name.lower()], (match["unit"] or "").strip())
        suite = (match["suite"] or row.get("suite", "")).strip()
        yield _cell(row, suite, match["metric"].strip(), text, unit, _images(row, path, line), bold, line)


def _cell(row: Mapping[str, str], suite: str, metric: str, text: str, unit: str, n: int | None, bold: bool, line: int) -> Linted:
    name = metric.lower().replace(" ", "_")
    return Linted(row.get("table", ""), suite, row["method"], by_published(name).print_name, text, unit, n, bold, line)


def unbold(value: str) -> tuple[str, bool]:
    """Return a cell's text without a bold mark around it, and whether there was one."""
    match = _BOLD.fullmatch(value)
    return (next((part for part in match.groups() if part is not None), "") if match else value).strip(), match is not None


def _text(value: str, unit: str) -> tuple[str, str, bool]:
    """Return the number as printed, its unit, and whether it is bold."""
    text, bold = unbold(value)
    read = read_number(text)
    return read.text, unit or ("percent" if read.percent else ""), bold


def _images(row: Mapping[str, str], path: Path, line: int) -> int | None:
    text = row.get("n", "")
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d{0,11}", text):
        raise BenchError(f"{path}, line {line}: n is a number of images, a whole number above 0; got {text!r}.")
    return int(text)


def _marked(cells: list[Linted]) -> list[Linted]:
    """Return the cells with no mark at all where the file marks nothing."""
    return cells if any(cell.bold for cell in cells) else [replace(cell, bold=None) for cell in cells]


def paper_cells() -> list[Linted]:
    """Return every number of the paper, what its text says of the data set standing beside Table 1. Its tables' bold marks are not known."""
    return [
        Linted("1" if cell.table == "text" else cell.table, cell.suite, cell.method, cell.metric, cell.value, cell.unit, N_PUBLISHED.get(cell.suite))
        for cell in printed()
    ]
