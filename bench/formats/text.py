"""Rows as text for other programs and for papers: JSON, CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from bench.errors import BenchError

Row = Mapping[str, Any]


class Format(StrEnum):
    """The forms of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def _plain(value: Any) -> Any:
    """Return a JSON-able value; what is missing is None, never NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: Any) -> str:
    """Return a value as people read it: three decimals, two from 10 on."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value != 0 and abs(value) < 0.001:
            return f"{value:.0e}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(each) for each in value)
    return str(value)


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def merged(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return headings and cells with every interval folded into its number's cell."""
    keys = _keys(rows)
    folded = {f"{key}_{end}" for key in keys for end in ("low", "high") if f"{key}_low" in keys and f"{key}_high" in keys}
    shown = [key for key in keys if key not in folded]

    def cell(row: Row, key: str) -> str:
        text = number(_plain(row.get(key)))
        low, high = _plain(row.get(f"{key}_low")), _plain(row.get(f"{key}_high"))
        return text if low is None or high is None else f"{text} [{number(low)}, {number(high)}]"

    return [key.replace("_", " ") for key in shown], [[cell(row, key) for key in shown] for row in rows]


LATEX = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "–": "--",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "×": r"$\times$",
        "−": "$-$",
    }
)
"""For :meth:`str.translate`: plain text as LaTeX prints it."""


def latex(text: str) -> str:
    """Return plain text as LaTeX prints it."""
    return text.translate(LATEX)


_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\|<"})


def _markdown(text: str) -> str:
    """Return text that no name in it can turn into a cell, a link or markup."""
    return text.translate(_MARKDOWN).replace("](", "]\\(")


COLUMN, PAGE = 6, 14
"""Columns of numbers that can be read in a column of a page, and over a page of two columns."""


def tabular(heads: Sequence[Sequence[str]], lines: Sequence[Sequence[str]], foot: Sequence[Sequence[str]] = (), columns: str = "") -> str:
    """Return a booktabs table of cells that are LaTeX already.

    Args:
        heads: lines of headings.
        lines: the rows.
        foot: rows that a rule sets apart.
        columns: their types; all left-aligned where not given.
    """
    parts = [[f"{' & '.join(line)} \\\\" for line in part] for part in (heads, lines, foot)]
    rules = [r"\toprule", *parts[0], r"\midrule", *parts[1], *([r"\midrule", *parts[2]] if foot else []), r"\bottomrule"]
    return "\n".join([rf"\begin{{tabular}}{{{columns or 'l' * len(heads[0])}}}", *rules, r"\end{tabular}"])


def floated(table: str, caption: str, label: str, columns: int = 0, packages: str = "booktabs, graphicx") -> str:
    """Return a table to paste into a paper: with caption and label, and never wider than its column, or than the page where it has many columns.

    Args:
        table: from :func:`tabular`.
        caption: LaTeX already.
        label: after ``tab:``.
        columns: of numbers. More than :data:`COLUMN` go over a page of two columns, and of more than :data:`PAGE` a comment says that they are small.
        packages: that the document must load, named in a comment.
    """
    fitted = r"\resizebox{\ifdim\width>\columnwidth\columnwidth\else\width\fi}{!}{%"
    float_ = "table*" if columns > COLUMN else "table"
    small = [f"% {columns} columns of numbers are small print on a page: name fewer suites or methods for fewer."] if columns > PAGE else []
    lines = [f"% needs: {packages}", *small, rf"\begin{{{float_}}}[t]", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    return "\n".join([*lines, rf"\caption{{{caption}}}", rf"\label{{tab:{label}}}", fitted, f"{table}%", "}", rf"\end{{{float_}}}"])


def render(rows: Sequence[Row], form: Format) -> str:
    """Return ``rows`` as text in ``form`` (not ``TABLE``, which :func:`show` prints)."""
    if form is Format.JSON:
        return json.dumps([{key: _plain(value) for key, value in row.items()} for row in rows], indent=2, ensure_ascii=False)
    if form is Format.CSV:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, _keys(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if _plain(value) is None else value for key, value in row.items()} for row in rows)
        return buffer.getvalue().rstrip("\n")
    headings, cells = merged(rows)
    if form is Format.MARKDOWN:
        lines = [headings, ["---"] * len(headings), *(map(_markdown, row) for row in cells)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if form is Format.LATEX:
        return tabular([[latex(each) for each in headings]], [[latex(cell) for cell in line] for line in cells])
    raise BenchError(f"Unknown format {form!r}; expected one of: {', '.join(Format)}.")
