"""One list of rows, five ways to print it: a terminal table, JSON, CSV, Markdown, LaTeX.

A row is a flat dict with snake_case keys. Where ``x``, ``x_low`` and ``x_high`` are all there, the printed
forms show one cell ``x [low, high]``; JSON and CSV keep the three.
"""

from __future__ import annotations

from bench.formats.html import Table, html_table
from bench.formats.run_table import RunTable, called, show_table
from bench.formats.terminal import Sheet, print_sheet, show
from bench.formats.text import LATEX, Format, Row, floated, latex, merged, number, render, tabular

__all__ = [
    "LATEX",
    "Format",
    "Row",
    "RunTable",
    "Sheet",
    "Table",
    "called",
    "floated",
    "html_table",
    "latex",
    "merged",
    "number",
    "print_sheet",
    "render",
    "show",
    "show_table",
    "tabular",
]
