"""The verb ``bench meta``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.options import LISTED, FormatOption, OutOption, QuietOption, listed
from bench.console import Bars
from bench.formats import Format, show
from bench.runs import OUT


def meta(
    names: Annotated[list[str] | None, typer.Argument(metavar="[RUN...]", help="Run folders, or a board's folder; else the shipped one.")] = None,
    methods: Annotated[str, typer.Option("--methods", "-m", help=f"Of these methods, {LISTED}")] = "",
    suites: Annotated[str, typer.Option("--suites", "-s", help=f"Of these suites, {LISTED}")] = "",
    track: Annotated[str | None, typer.Option("--track", "-t", help="A track; the only one there is where not given.")] = None,
    limit: Annotated[int | None, typer.Option(help="The first N prompts of each run alone; all that it has where not given.")] = None,
    out: OutOption = OUT,
    quiet: QuietOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Benchmark the benchmark: which scorer, rule or composite puts methods in the order of the truth, in the world that knows it.

    JSON and CSV have every suite, the other forms the averages over the unsafe and the benign ones.
    """
    from bench.reports.meta.table import meta_table

    with Bars(quiet=quiet) as bars:
        table = meta_table(names or [], methods=listed(methods), suites=listed(suites), track=track, limit=limit, out=out, progress=bars)
    rows = table.rows if form in (Format.JSON, Format.CSV) else table.shown()
    show(rows, form, title=table.title, caption=table.caption)
