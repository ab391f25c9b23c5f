"""The verb ``bench gallery``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Q16Option, RuleOption, ThresholdOption
from bench.console import say
from bench.reports.gallery.choices import RESOLUTION, SAMPLES, TILES, Choice, Only
from bench.rules import RuleChoice


def gallery(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, of one suite and track; several stand side by side.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder that gallery.html and gallery.png are written to.")] = Path("gallery"),
    only: Annotated[Only, typer.Option(help="Samples on which the methods' verdicts differ, that one flags, or that one blocked.")] = Only.ALL,
    choice: Annotated[Choice, typer.Option("--choose", help="Where not all fit: evenly over categories, or the first of the suite.")] = Choice.EVENLY,
    samples: Annotated[int, typer.Option(help="On the page, at most.")] = SAMPLES,
    tiles: Annotated[int, typer.Option(help="Pictures on the PNG, at most.")] = TILES,
    dpi: Annotated[int, typer.Option(help="The PNG's pixels an inch; it is 7 inches wide.")] = RESOLUTION,
    show_clear: Annotated[
        bool, typer.Option("--show-clear", help="Do not blur what may show harm; the page then asks for a click each time.")
    ] = False,
    rule: RuleOption = None,
    threshold: ThresholdOption = None,
    q16_threshold: Q16Option = None,
) -> None:
    """Write a page and a PNG of runs' pictures, several methods side by side, with verdicts and scores.

    Pictures of unsafe suites and those that a scorer flags are blurred before they are written; what a proxy track drew of its own suites is not.
    """
    from bench.reports.gallery.write import write_gallery

    choose = RuleChoice(rule, threshold, q16_threshold)
    say(write_gallery(runs, out, samples=samples, tiles=tiles, dpi=dpi, only=only, choice=choice, rule=choose, clear=show_clear).sentence())
