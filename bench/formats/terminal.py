"""A table on a terminal: as wide as that is, with every name whole. What does not fit is left out, and said.

Text of several words is wrapped between words. Where a table is still too wide, columns are left out from the right, then intervals, and at last
the longest names lose their middle; the first column of names and the first number stay. Off a terminal, in a pipe or a file, nothing is left out.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.formats.text import Format, Row, merged, render

GAP = 2
"""Blanks between columns."""
LEAST_TEXT, LEAST_NAME = 20, 8
"""Letters that a wrapped text, and a shortened name, keep."""
CAPTION = 100
"""The widest line of a caption where there is no terminal to say."""
_NAMES = ("method", "label", "run")
"""Headings of columns that hold names, which are never wrapped, however many words they have."""
_WORDS = 4
"""Of a cell that is text: a name has fewer."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as text.

    Attributes:
        heads: one a column; a heading may have several lines.
        cells: one line a row.
        plain: the same cells without their intervals; empty where they have none.
        feet: how many of the last lines a rule sets apart.
        intervals_first: leave out every interval before any column.
        turns: one a column: where columns are left out, those of the highest turn first, of one turn the rightmost, and those of turn 0 only once
            there are no intervals left; all of one turn, before the intervals, where empty.
        left_out: columns that were left out to fit a terminal.
        without_interval: columns whose intervals were left out, likewise.
        shortened: columns whose names were shortened, likewise.
    """

    heads: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    plain: tuple[tuple[str, ...], ...] = ()
    feet: int = 0
    intervals_first: bool = False
    turns: tuple[int, ...] = ()
    left_out: tuple[str, ...] = field(default=())
    without_interval: tuple[str, ...] = ()
    shortened: tuple[str, ...] = ()

    def column(self, index: int) -> list[str]:
        """Return a column's cells."""
        return [line[index] for line in self.cells]

    def numeric(self, index: int) -> bool:
        """Return whether a column holds numbers, which stand at the right and are never wrapped."""
        column = self.column(index)
        words = any(len(cell.split()) >= _WORDS for cell in column)  # a sentence may begin with a number
        return bool(column) and not words and all(cell[:1].isdigit() or cell[:1] in ("-", "–", "+", "") for cell in column)

    def prose(self, index: int) -> bool:
        """Return whether a column holds text, which may be wrapped between words, or has lines already."""
        return (
            not self.numeric(index)
            and self.heads[index] not in _NAMES
            and any(len(cell.split()) >= _WORDS or "\n" in cell for cell in self.column(index))
        )

    def natural(self, index: int) -> int:
        """Return the letters that a column takes where nothing is wrapped."""
        return max(_width(line) for text in (self.heads[index], *self.column(index)) for line in text.split("\n"))

    def least(self, index: int) -> int:
        """Return the fewest letters that a column can be printed in: a text's longest word, else all of it."""
        if not self.prose(index):
            return self.natural(index)
        words = (word for cell in (self.heads[index], *self.column(index)) for word in cell.split())
        return max(LEAST_TEXT, *map(_width, words)) if self.cells else LEAST_TEXT

    def width(self) -> int:
        """Return the letters of the narrowest table that leaves nothing out."""
        return sum(self.least(index) for index in range(len(self.heads))) + GAP * (len(self.heads) - 1)


def show(rows: Sequence[Row], form: Format, title: str = "", caption: str = "", later: Sequence[str] = ()) -> None:
    """Print ``rows`` to standard output; title and caption go to the terminal's table alone.

    Of the columns ``later``, by their headings, a narrow terminal leaves out the last first, before any interval.
    """
    if form is not Format.TABLE:
        print(render(rows, form))
        return
    if not rows:
        print_sheet(Sheet((), ()), title, "nothing to show")
        return
    heads, cells = merged(rows)
    plain = merged([{key: value for key, value in row.items() if not key.endswith(("_low", "_high"))} for row in rows])
    turns = tuple(later.index(head) + 1 if head in later else 0 for head in heads) if later else ()
    print_sheet(Sheet(tuple(heads), tuple(map(tuple, cells)), tuple(map(tuple, plain[1])) if plain[0] == heads else (), turns=turns), title, caption)


def print_sheet(sheet: Sheet, title: str = "", caption: str = "") -> None:
    """Print a table to standard output, fitted to the terminal where there is one."""
    room = terminal_width()
    shown = sheet if room is None else fitted(sheet, room)
    styles = ("\x1b[1m", "\x1b[0m") if _styled() else ("", "")
    said = [*_left_out(shown, room), *(caption.split("\n") if caption else [])]
    blocks = [title] if title else []
    blocks += ["\n".join(lines(shown, room, styles))] if shown.heads else []
    width = min(room or CAPTION, CAPTION)
    blocks += ["\n".join(line for each in said for line in textwrap.wrap(each, width, break_on_hyphens=False) or [""])] if said else []
    print("\n\n".join(blocks))


def _left_out(sheet: Sheet, room: int | None) -> list[str]:
    """Return the sentence that says what a terminal of ``room`` columns does not show, and how to see it."""
    intervals = [each for each in sheet.without_interval if each not in sheet.left_out]
    parts = [
        ", ".join(sheet.left_out),
        f"intervals of {', '.join(intervals)}" if intervals else "",
        f"the whole of {', '.join(sheet.shortened)}" if sheet.shortened else "",
    ]
    said = "; ".join(part for part in parts if part)
    return [f"Not shown at {room} columns: {said}. A wider terminal, a pipe or --format csv has it."] if said else []


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is, or that the variable COLUMNS asks for; None in a pipe or a file."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdecimal() and int(asked):
        return int(asked)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(sheet: Sheet, room: int) -> Sheet:
    """Return the table as it fits into ``room`` columns, with what was left out of it."""
    first = next((index for index in range(1, len(sheet.heads)) if sheet.numeric(index)), 0)
    while sheet.width() > room:
        spare = [index for index in range(len(sheet.heads) - 1, first, -1) if not sheet.prose(index)]
        texts = [index for index in range(len(sheet.heads) - 1, 1, -1) if sheet.prose(index)]
        cut = [index for index in range(len(sheet.heads)) if sheet.plain and sheet.column(index) != [line[index] for line in sheet.plain]]
        later = [index for index in spare if sheet.turns and sheet.turns[index]]
        columns_first = not sheet.intervals_first and (not sheet.turns or bool(later))
        if first and spare and (columns_first or not cut):
            sheet = _without(sheet, max(later, key=lambda index: sheet.turns[index]) if later else spare[0])
        elif cut:
            sheet = _without_interval(sheet, cut[-1])
        elif texts:
            sheet = _without(sheet, texts[0])
        else:
            return _shortened(sheet, room)
    return sheet


def lines(sheet: Sheet, room: int | None, styles: tuple[str, str] = ("", "")) -> list[str]:
    """Return the table's lines, as wide as ``room`` at most, or as wide as they are."""
    widths = [sheet.natural(index) for index in range(len(sheet.heads))]
    over = sum(widths) + GAP * (len(widths) - 1) - room if room is not None else 0
    for index in sorted(range(len(widths)), key=lambda index: -widths[index]) if over > 0 else []:
        taken = min(over, widths[index] - sheet.least(index))
        widths[index], over = widths[index] - max(0, taken), over - max(0, taken)
    heads = [head.split("\n") for head in sheet.heads]
    depth = max(map(len, heads))
    above = [[""] * (depth - len(head)) + head for head in heads]
    ruler = "─" * min(sum(widths) + GAP * (len(widths) - 1), room or sys.maxsize)
    found = [f"{styles[0]}{_line(sheet, widths, [head[row] for head in above])}{styles[1]}" for row in range(depth)] + [ruler]
    for number, line in enumerate(sheet.cells):
        found += [ruler] if sheet.feet and number == len(sheet.cells) - sheet.feet and number else []
        wrapped = [_wrapped(cell, width) if sheet.prose(index) else [cell] for index, (cell, width) in enumerate(zip(line, widths, strict=True))]
        for row in range(max(map(len, wrapped))):
            found.append(_line(sheet, widths, [cell[row] if row < len(cell) else "" for cell in wrapped]))
    return found


def _line(sheet: Sheet, widths: Sequence[int], cells: Sequence[str]) -> str:
    padded = []
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        blank = " " * (width - _width(cell))
        padded.append(blank + cell if sheet.numeric(index) else cell + blank)
    return (" " * GAP).join(padded).rstrip()


def _wrapped(cell: str, width: int) -> list[str]:
    return [part for line in cell.split("\n") for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]]


def _without(sheet: Sheet, index: int) -> Sheet:
    left_out = (*sheet.left_out, sheet.heads[index].replace("\n", " "))
    cells, plain = (tuple(line[:index] + line[index + 1 :] for line in part) for part in (sheet.cells, sheet.plain))
    heads, turns = sheet.heads[:index] + sheet.heads[index + 1 :], sheet.turns[:index] + sheet.turns[index + 1 :]
    return replace(sheet, heads=heads, cells=cells, plain=plain, turns=turns, left_out=left_out)


def _without_interval(sheet: Sheet, index: int) -> Sheet:
    cells = tuple((*line[:index], plain[index], *line[index + 1 :]) for line, plain in zip(sheet.cells, sheet.plain, strict=True))
    return replace(sheet, cells=cells, without_interval=(*sheet.without_interval, sheet.heads[index].replace("\n", " ")))


def _shortened(sheet: Sheet, room: int) -> Sheet:
    """Return the table with the middle of its longest names left out: those of the widest columns, the first column's last."""
    over = sheet.width() - room
    said: list[str] = []
    for index in sorted((each for each in range(len(sheet.heads)) if not sheet.numeric(each)), key=lambda each: (each == 0, -sheet.least(each))):
        width = max(LEAST_NAME, sheet.least(index) - over)
        if over > 0 and width < sheet.least(index):
            over -= sheet.least(index) - width
            words = [line[index].split(" ") if sheet.prose(index) else [line[index]] for line in sheet.cells]
            names = [" ".join(short(word, width) for word in each) for each in words]
            sheet = replace(sheet, cells=tuple((*line[:index], name, *line[index + 1 :]) for line, name in zip(sheet.cells, names, strict=True)))
            said.append(sheet.heads[index].replace("\n", " "))
    return replace(sheet, shortened=(*sheet.shortened, *said))


def short(name: str, width: int) -> str:
    """Return a name in ``width`` letters: of a path the end, of another name both ends."""
    if _width(name) <= width:
        return name
    if "/" in name:
        return f"…{name[-(width - 1) :]}"
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _styled() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
