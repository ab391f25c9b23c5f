"""One list of rows, five ways to print it: a terminal table, JSON, CSV, Markdown, LaTeX.

A row is a flat dict with snake_case keys. Where ``x``, ``x_low`` and ``x_high`` are all there, the printed
forms show one cell ``x [low, high]``; JSON and CSV keep the three.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


class Table(list[dict[str, Any]]):
    """Rows: a list of dictionaries that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        """Return the rows as an HTML table, every text in it escaped."""
        return html_table(self)


def _plain(value: Any) -> Any:
    """Return a JSON-able value; what is missing is None, never NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _number(value: Any) -> str:
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


def _merged(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return headings and cells with every interval folded into its number's cell."""
    keys = _keys(rows)
    folded = {f"{key}_{end}" for key in keys for end in ("low", "high") if f"{key}_low" in keys and f"{key}_high" in keys}
    shown = [key for key in keys if key not in folded]

    def cell(row: Row, key: str) -> str:
        text = _number(_plain(row.get(key)))
        low, high = _plain(row.get(f"{key}_low")), _plain(row.get(f"{key}_high"))
        return text if low is None or high is None else f"{text} [{_number(low)}, {_number(high)}]"

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


def _latex(text: str) -> str:
    return text.translate(LATEX)


_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\|<"})


def _markdown(text: str) -> str:
    """Return text that no name in it can turn into a cell, a link or markup."""
    return text.translate(_MARKDOWN).replace("](", "]\\(")


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
    headings, cells = _merged(rows)
    if form is Format.MARKDOWN:
        lines = [headings, ["---"] * len(headings), *(map(_markdown, row) for row in cells)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if form is Format.LATEX:
        body = [" & ".join(map(_latex, line)) + r" \\" for line in cells]
        head = " & ".join(map(_latex, headings)) + r" \\"
        return "\n".join([rf"\begin{{tabular}}{{{'l' * len(headings)}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"])
    raise BenchError(f"Unknown format {form!r}; expected one of: {', '.join(Format)}.")


def html_table(rows: Sequence[Row], title: str = "", caption: str = "") -> str:
    """Return ``rows`` as an HTML table, title and caption in it; no text in them can become markup."""
    headings, cells = _merged(rows)
    head = "".join(f"<th>{html.escape(each)}</th>" for each in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(each)}</td>' for each in line)}</tr>" for line in cells)
    over = f"<caption>{html.escape(title)}</caption>" if title else ""
    under = f"<p>{html.escape(caption)}</p>" if caption else ""
    return f"<table>{over}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{under}" if rows else "<p>nothing to show</p>"


def show(rows: Sequence[Row], form: Format, title: str = "", caption: str = "") -> None:
    """Print ``rows`` to standard output; title and caption go to the terminal's table alone."""
    if form is not Format.TABLE:
        print(render(rows, form))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    headings, cells = _merged(rows)
    table = Table(
        title=Text(title, "table.title") if title else None,  # a path may hold what rich takes for markup
        caption=Text(caption, "table.caption") if caption else None,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for index, heading in enumerate(headings):
        numeric = all(row[index][:1].isdigit() or row[index][:1] in "-–+" for row in cells) if cells else False
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    console.print(table if rows else Text("nothing to show"))


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
