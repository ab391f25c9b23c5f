"""Reads the tables of Markdown and HTML files, with the standard library's parser: no page is fetched, no script is run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from bench.errors import BenchError
from leaderboards.lint.grid import PrintedCell, PrintedTable, fill

_DELIMITER = re.compile(r"\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?\s*)?\|?\s*|\s*\|\s*:?-+:?\s*\|?\s*")
_HEAVY = re.compile(r"font-weight\s*:\s*(bold|[6-9]00)", re.IGNORECASE)
_STRONG = re.compile(r"\*\*(.+?)\*\*|__(.+?)__|<(?:b|strong)>(.+?)</(?:b|strong)>", re.IGNORECASE)


def markdown_tables(source: str, place: str) -> list[PrintedTable]:
    """Return every pipe table of a Markdown file; HTML tables in it are read too.

    Raises:
        BenchError: there is none.
    """
    lines, grids, at = source.splitlines(), [], 0
    while at < len(lines) - 1:
        if "|" in lines[at] and _DELIMITER.fullmatch(lines[at + 1]) and "-" in lines[at + 1]:
            end = at + 2
            while end < len(lines) and "|" in lines[end]:
                end += 1
            kept = [at, *range(at + 2, end)]
            grids.append(fill("", [_pipes(lines[each]) for each in kept], [each + 1 for each in kept], 1))
            at = end
        else:
            at += 1
    if not grids and re.search(r"<table\b", source, re.IGNORECASE):
        return html_tables(source, place)
    if not grids:
        raise BenchError(f"{place} holds no Markdown table: expected lines such as `| Method | IP |` with `|---|---|` below the first.")
    return grids


def _pipes(line: str) -> list[PrintedCell]:
    cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|"))
    if not cells[-1].strip() and len(cells) > 1:
        cells.pop()
    return [_markdown(cell.replace("\\|", "|").strip()) for cell in cells]


def _markdown(cell: str) -> PrintedCell:
    bold = bool(_STRONG.search(cell))
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", _STRONG.sub(lambda match: next(part for part in match.groups() if part), cell))
    text = re.sub(r"<su[pb]>.*?</su[pb]>|<[^<>]*>|\[\^[^\]]*\]", "", text)
    text = re.sub(
        r"(?<![\w*])[*_](\S(?:.*?\S)?)[*_](?![\w*])|`([^`]*)`|~~([^~]*)~~",
        lambda match: next(part for part in match.groups() if part is not None),
        text,
    )
    text = text.replace(r"\pm", "±").replace(r"\uparrow", "↑").replace(r"\downarrow", "↓").replace("$", "")
    return PrintedCell(" ".join(_entities(re.sub(r"\\([%*_&#|\\])", r"\1", text)).split()), bold)


def _entities(text: str) -> str:
    from html import unescape

    return unescape(text)


def html_tables(source: str, place: str) -> list[PrintedTable]:
    """Return every innermost-first table of an HTML file that has rows.

    Raises:
        BenchError: there is none.
    """
    reader = _TableReader()
    reader.feed(source)
    reader.close()
    if not reader.grids:
        raise BenchError(f"{place} holds no HTML table: expected <table> with rows of <td>.")
    return reader.grids


class _OpenTable:
    """A table that is being read."""

    def __init__(self) -> None:
        self.rows: list[list[PrintedCell]] = []
        self.lines: list[int] = []
        self.heads: list[bool] = []
        self.name = ""
        self.cell: list[str] | None = None
        self.bold = self.caption = False
        self.spans = (1, 1)
        self.head = self.in_head = False


class _TableReader(HTMLParser):
    """Collects tables; a table inside a cell is one of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.grids: list[PrintedTable] = []
        self._open: list[_OpenTable] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a table, a row, a cell or a mark."""
        if tag in ("script", "style", "sup", "sub"):
            self._hidden += 1
        if tag == "table":
            self._open.append(_OpenTable())
        if not self._open:
            return
        here, said = self._open[-1], dict(attrs)
        if tag == "thead":
            here.in_head = True
        elif tag == "tr":
            self._end_cell()
            here.rows.append([])
            here.lines.append(self.getpos()[0])
            here.heads.append(here.in_head)
        elif tag in ("td", "th"):
            self._end_cell()
            if not here.rows:
                here.rows.append([])
                here.lines.append(self.getpos()[0])
                here.heads.append(here.in_head)
            here.cell, here.bold, here.head = [], False, tag == "th"
            here.spans = (_span(said.get("colspan")), _span(said.get("rowspan")))
        elif tag == "br" and here.cell is not None:
            here.cell.append(" ")
        if here.cell is not None and (tag in ("b", "strong") or _HEAVY.search(said.get("style") or "")):
            here.bold = here.bold or not here.head

    def handle_endtag(self, tag: str) -> None:
        """Close what is open."""
        if tag in ("script", "style", "sup", "sub"):
            self._hidden = max(0, self._hidden - 1)
        if not self._open:
            return
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag == "thead":
            self._open[-1].in_head = False
        elif tag == "table":
            done = self._open.pop()
            rows = [(row, line, head) for row, line, head in zip(done.rows, done.lines, done.heads, strict=True) if any(box.text for box in row)]
            if rows:
                heads = next((place for place, (_, _, head) in enumerate(rows) if not head), len(rows))
                self.grids.append(fill("", [row for row, _, _ in rows], [line for _, line, _ in rows], heads or None))

    def handle_data(self, data: str) -> None:
        """Keep a cell's text."""
        if self._open and self._open[-1].cell is not None and not self._hidden:
            self._open[-1].cell.append(data)

    def _end_cell(self) -> None:
        here = self._open[-1]
        if here.cell is not None:
            here.rows[-1].append(PrintedCell(" ".join("".join(here.cell).split()), here.bold, *here.spans))
            here.cell = None


def _span(said: str | None) -> int:
    return int(said) if said and said.isdecimal() and len(said) < 6 and int(said) > 0 else 1
