"""The verb ``bench table``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.cli.options import FormatOption
from bench.formats import Format, render


@in_panel(HelpPanel.READ)
def table(
    number: Annotated[str, typer.Argument(help="1 (data sets), 2 (safety and quality), 3 (body parts) or 5 (benign prompts).")],
    track: Annotated[str, typer.Option("--track", "-t", help="The measured numbers' track.")] = "mini",
    board: Annotated[Path | None, typer.Option("--board", "-b", help="A board that `bench board` made; the one that ships where not given.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Table 1: the folder that `bench train libraalign` wrote; the one made here, or whose counts ship, where not given."
        ),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Print a table of the paper: its numbers as printed, and the measured ones beside them in columns of their own.

    LaTeX and Markdown bring the caption along; JSON and CSV have one row a cell, with everything known of it.

    Example: bench table 2 --board board --format latex
    """
    from leaderboards.tables import text
    from leaderboards.tables.make import make_table

    made = make_table(number, track, board=board, data=data)
    if form in (Format.JSON, Format.CSV):
        print(render(made.rows(), form))
    elif form is Format.TABLE:
        text.print_terminal(made)
    else:
        print(text.latex(made) if form is Format.LATEX else text.markdown(made))
