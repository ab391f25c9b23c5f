"""Rows as a notebook shows them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from bench.formats.text import Row, merged


class Table(list[dict[str, Any]]):
    """Rows: a list of dictionaries that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        """Return the rows as an HTML table, every text in it escaped."""
        return html_table(self)


def html_table(rows: Sequence[Row], title: str = "", caption: str = "") -> str:
    """Return ``rows`` as an HTML table, title and caption in it; no text in them can become markup."""
    headings, cells = merged(rows)
    head = "".join(f"<th>{html.escape(each)}</th>" for each in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(each)}</td>' for each in line)}</tr>" for line in cells)
    over = f"<caption>{html.escape(title)}</caption>" if title else ""
    under = f"<p>{html.escape(caption)}</p>" if caption else ""
    return f"<table>{over}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{under}" if rows else "<p>nothing to show</p>"
