"""The gallery as a PNG for a paper: title, pictures, caption. No prompt stands on it."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from bench.errors import BenchError
from bench.reports.gallery.choices import MOST_TILES
from bench.reports.gallery.pictures import blank, picture, scaled, word
from bench.reports.gallery.samples import Gallery, Key, Made

WIDTH = 7.0
"""Inches: the text width of a page with two columns."""
COLUMNS = 8
"""Pictures side by side, at most."""
DPI = (72, 600)
"""What may be asked for: a screen's to a printer's."""
_INK, _SOFT, _FLAG, _PAPER, _EMPTY = (27, 31, 36), (77, 85, 93), (154, 44, 23), (255, 255, 255), (232, 236, 240)
_LATIN = 0x17F
"""The last letter that the built-in font has."""


class Pen:
    """Draws text in points on a canvas of a given resolution."""

    def __init__(self, dpi: int) -> None:
        self.dpi = dpi
        self._fonts: dict[float, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def pixels(self, points: float) -> int:
        """Return points in pixels."""
        return round(points * self.dpi / 72)

    def font(self, points: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """Return the built-in font in a size."""
        return self._fonts.setdefault(points, ImageFont.load_default(max(6, self.pixels(points))))

    def length(self, text: str, points: float) -> float:
        """Return how wide a line is, in pixels."""
        return float(self.font(points).getlength(text))

    def cut(self, text: str, points: float, width: float) -> str:
        """Return a line that fits, with an ellipsis where it was cut."""
        plain = printable(text)
        if self.length(plain, points) <= width:
            return plain
        while plain and self.length(f"{plain}...", points) > width:
            plain = plain[:-1]
        return f"{plain}..."

    def end(self, text: str, points: float, width: float) -> str:
        """Return a line that fits, its beginning cut: ids differ in their last letters."""
        return "".join(reversed(self.cut("".join(reversed(text)), points, width)))

    def wrapped(self, text: str, points: float, width: float, most: int) -> list[str]:
        """Return at most ``most`` lines that fit."""
        lines: list[str] = []
        for each in printable(text).split():
            longer = f"{lines[-1]} {each}" if lines else each
            if lines and self.length(longer, points) <= width:
                lines[-1] = longer
            else:
                lines.append(each)
        kept = [self.cut(line, points, width) for line in lines[:most]]
        return kept if len(lines) <= most else [*kept[:-1], self.cut(f"{' '.join(lines[most - 1 :])}", points, width)]


def printable(text: str) -> str:
    """Return text in the letters that the built-in font has; others become a question mark."""
    return "".join(each if each.isprintable() and ord(each) <= _LATIN else " " if each.isspace() else "?" for each in text)


def check(tiles: int, dpi: int) -> None:
    """Refuse a sheet that nobody could print.

    Raises:
        BenchError: too few or many tiles, or another resolution than a screen's to a printer's.
    """
    if not 1 <= tiles <= MOST_TILES:
        raise BenchError(f"--tiles is a number of pictures from 1 to {MOST_TILES}; got {tiles}.")
    if not DPI[0] <= dpi <= DPI[1]:
        raise BenchError(f"--dpi is a number from {DPI[0]} to {DPI[1]}; got {dpi}.")


def sheet(gallery: Gallery, tiles: int, dpi: int) -> tuple[PILImage.Image, int]:
    """Return the sheet, 7 inches wide at ``dpi``, and how many samples it shows.

    One run is a grid in reading order. Several are a line a method and a column a sample, in blocks one below the other.

    Args:
        gallery: its first samples are shown.
        tiles: pictures, at most; of several runs at least one sample is shown.
        dpi: pixels an inch.
    """
    keys = gallery.keys[: max(1, tiles // len(gallery.sides))]
    pen = Pen(dpi)
    width, gap = round(WIDTH * dpi), pen.pixels(3)
    title = pen.wrapped(gallery.title(), 9, width, 3)
    caption = pen.wrapped(gallery.sentence(len(keys)), 7, width, 8)
    several = len(gallery.sides) > 1
    gutter = pen.pixels(52) if several else 0
    columns = min(COLUMNS, len(keys)) if several else _columns(len(keys))
    side = min((width - gutter - gap * (columns - 1)) // columns, round(1.6 * dpi))
    head, foot = pen.pixels(9), pen.pixels(8)
    body = _Body(pen, side, gap, gutter, head, foot)
    blocks = [keys[start : start + columns] for start in range(0, len(keys), columns)]
    block = head + (side + foot + gap) * len(gallery.sides) + gap
    top = pen.pixels(12) * len(title) + gap
    height = top + block * len(blocks) + pen.pixels(9.5) * len(caption) + gap
    canvas = blank(width, height, _PAPER)
    draw = ImageDraw.Draw(canvas)
    for line, said in enumerate(title):
        draw.text((0, pen.pixels(12) * line), said, fill=_INK, font=pen.font(9))
    for number, each in enumerate(blocks):
        body.block(canvas, draw, gallery, each, top + block * number)
    for line, said in enumerate(caption):
        draw.text((0, top + block * len(blocks) + pen.pixels(9.5) * line), said, fill=_SOFT, font=pen.font(7))
    return canvas, len(keys)


def _columns(count: int) -> int:
    """Return how many columns hold ``count`` pictures with the least empty last line, the widest first."""
    if count <= COLUMNS:
        return count
    return min(range(COLUMNS, COLUMNS - 3, -1), key=lambda columns: (-count % columns, -columns))


class _Body:
    """Where pictures and what is under them lie; all lengths in pixels."""

    def __init__(self, pen: Pen, side: int, gap: int, gutter: int, head: int, foot: int) -> None:
        self._pen, self._side, self._gap, self._gutter, self._head, self._foot = pen, side, gap, gutter, head, foot

    def block(self, canvas: PILImage.Image, draw: ImageDraw.ImageDraw, gallery: Gallery, keys: Sequence[Key], top: int) -> None:
        """Draw a column a sample and a line a method."""
        pen, side = self._pen, self._side
        for line, each in enumerate(gallery.sides):
            y = top + self._head + line * (side + self._foot + self._gap)
            if len(gallery.sides) > 1:
                for row, said in enumerate(pen.wrapped(each.label.replace("-", "- "), 6.5, self._gutter - self._gap, 4)):
                    draw.text((0, y + pen.pixels(8) * row), said.replace("- ", "-"), fill=_INK, font=pen.font(6.5))
        for column, key in enumerate(keys):
            x = self._gutter + column * (side + self._gap)
            draw.text((x, top), pen.end(f"{key[0]} #{key[1]}", 6, side), fill=_SOFT, font=pen.font(6))
            for line, made in enumerate(gallery.made(key)):
                self._tile(canvas, draw, made, x, top + self._head + line * (side + self._foot + self._gap))

    def _tile(self, canvas: PILImage.Image, draw: ImageDraw.ImageDraw, made: Made, x: int, y: int) -> None:
        pen, side = self._pen, self._side
        shown = picture(made)
        if shown is None:
            canvas.paste(blank(side, side, _EMPTY), (x, y))
            draw.text((x + side / 2, y + side / 2), word(made, shown), fill=_SOFT, font=pen.font(7), anchor="mm")
        else:
            small = scaled(shown, side, side)
            canvas.paste(small, (x + (side - small.width) // 2, y + (side - small.height) // 2))
        if made.status != "missing":
            said = pen.cut(f"{made.verdict}, blurred" if made.blurred and shown is not None else made.verdict, 6, side)
            draw.text((x, y + side + pen.pixels(0.5)), said, fill=_FLAG if made.flagged else _SOFT, font=pen.font(6))
