"""Writes a gallery: ``gallery.html`` and ``gallery.png`` in one folder."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.files.atomic import write_atomic
from bench.reports.gallery.choices import MOST_SAMPLES, RESOLUTION, SAMPLES, TILES, Choice, Only
from bench.reports.gallery.page import page
from bench.reports.gallery.samples import gather, open_sides
from bench.reports.gallery.sheet import check, sheet
from bench.rules import TRACKS_OWN, RuleChoice


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        page: the HTML file.
        sheet: the PNG.
        on_page: samples on the page.
        on_sheet: samples on the sheet.
        matching: samples that were asked for.
        total: samples that some run has.
    """

    page: Path
    sheet: Path
    on_page: int
    on_sheet: int
    matching: int
    total: int

    def sentence(self) -> str:
        """Return where what is."""
        of = f"{self.matching} samples" if self.matching == self.total else f"{self.matching} matching samples ({self.total} in all)"
        return f"gallery: {self.page} ({self.on_page} of {of}) and {self.sheet} ({self.on_sheet})"


def write_gallery(
    runs: Sequence[Path],
    out: Path,
    *,
    samples: int = SAMPLES,
    tiles: int = TILES,
    dpi: int = RESOLUTION,
    only: Only = Only.ALL,
    choice: Choice = Choice.EVENLY,
    rule: RuleChoice = TRACKS_OWN,
    clear: bool = False,
) -> Written:
    """Write the gallery of one run, or of several side by side, into ``out``.

    Args:
        runs: run folders, of one suite and track; complete or not.
        out: the folder, made where it is not there.
        samples: on the page, at most.
        tiles: pictures on the sheet, at most.
        dpi: the sheet's pixels an inch.
        only: which samples are taken.
        choice: in which order, where not all can be shown.
        rule: what the verdict counts; the track's for the suite where it asks for nothing.
        clear: show pictures clear that may hold harm.

    Raises:
        BenchError: a number is out of its range, a run is of another suite or track or damaged, or no sample matches.
    """
    check(tiles, dpi)
    if not 1 <= samples <= MOST_SAMPLES:
        raise BenchError(f"--samples is a number from 1 to {MOST_SAMPLES}; got {samples}.")
    sides = open_sides(runs, rule)
    gallery = gather(sides, max(samples, tiles), only=only, choice=choice, clear=clear)
    made, on_page = page(gallery.first_of(samples))
    drawn, on_sheet = sheet(gallery, tiles, dpi)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG", dpi=(dpi, dpi), optimize=True)
    written = Written(out / "gallery.html", out / "gallery.png", on_page, on_sheet, gallery.matching, gallery.total)
    write_atomic(written.page, made.encode("utf-8", "replace"))
    write_atomic(written.sheet, buffer.getvalue())
    return written
