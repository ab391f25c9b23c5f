"""The verb ``bench paper``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.console import Bars, say
from bench.formats import Format, show


@in_panel(HelpPanel.PUBLISH)
def paper(
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the files.")] = Path("paper"),
    board: Annotated[Path | None, typer.Option("--board", "-b", help="A board of the miniature; the one that ships where not given.")] = None,
    limit: Annotated[int, typer.Option(help="Prompts of each suite, in runs that are made for it; 0 for all.", min=0)] = 60,
    runs: Annotated[Path, typer.Option("--runs", help="The folder of all runs.")] = Path("runs"),
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print what was made.")] = Format.TABLE,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make all of the paper's tables and figures on the miniature, and lint its own numbers.

    Ablations (Figures 4a and 5) and the data set's counts (Table 1) are those made here, otherwise those that ship; `make paper` makes them.

    Example: bench paper --board board --out paper
    """
    from leaderboards.paper import make_paper

    with Bars(quiet=quiet) as bars:
        rows = make_paper(out, board, limit or None, runs, bars, say)
    show(rows, form, title=f"the paper on the miniature, in {out}", caption="Every measured number is a proxy.")
    if any(row["missing"] for row in rows):
        raise typer.Exit(1)
