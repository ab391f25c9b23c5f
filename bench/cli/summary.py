"""The verb ``bench summary``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import LISTED, BlockedOption, FormatOption, OutOption, listed
from bench.formats import Format, print_sheet, render
from bench.runs import OUT


def summary(
    names: Annotated[list[str] | None, typer.Argument(metavar="[RUN...]", help="Run folders, or a board's folder; all runs where none.")] = None,
    methods: Annotated[str, typer.Option("--methods", "-m", help=f"Of these methods, {LISTED}")] = "",
    suites: Annotated[str, typer.Option("--suites", "-s", help=f"Of these suites, {LISTED}")] = "",
    track: Annotated[str | None, typer.Option("--track", "-t", help="A track; the only one there is where not given.")] = None,
    limit: Annotated[int | None, typer.Option(help="The first N prompts of each run alone; all that it has where not given.")] = None,
    speed: Annotated[Path | None, typer.Option(help="What `bench speed --out` wrote; OUT/speed.csv where not given.")] = None,
    out: OutOption = OUT,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
) -> None:
    """The one-page answer over finished runs: one row a method, best and tied ones marked, and in words what the tests bear out.

    The base and floors stand below the others, unranked.
    """
    from bench.reports.summary.table import summary as summed

    found = summed(
        names or [],
        methods=listed(methods),
        suites=listed(suites),
        track=track,
        limit=limit,
        out=out,
        speed=speed,
        blocked_as_black=blocked_as_black,
    )
    if form is Format.TABLE:
        print_sheet(found.sheet(), found.title(), found.caption())
    else:
        print(found.latex() if form is Format.LATEX else found.markdown() if form is Format.MARKDOWN else render(found.rows(), form))
