"""The verb ``bench figure``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.console import say


@in_panel(HelpPanel.READ)
def figure(
    number: Annotated[str, typer.Argument(help="1 (side by side), 4a (lambda), 4b (attacks) or 5 (convergence).")],
    track: Annotated[str, typer.Option("--track", "-t", help="Figures 1 and 4b: the track.")] = "mini",
    board: Annotated[Path | None, typer.Option("--board", "-b", help="Figure 4b: a board; the one that ships where not given.")] = None,
    data: Annotated[list[Path] | None, typer.Option("--data", help="Figures 4a and 5: folders that `bench ablate` wrote; may be repeated.")] = None,
    runs: Annotated[Path, typer.Option("--runs", help="Figure 1: the folder of all runs.")] = Path("runs"),
    suite: Annotated[str, typer.Option("--suite", "-s", help="Figure 1: the suite.")] = "i2p",
    method: Annotated[list[str] | None, typer.Option("--method", "-m", help="Figure 1: a line; may be repeated. Table 5's where not given.")] = None,
    samples: Annotated[int, typer.Option(help="Figure 1: columns.", min=1, max=20)] = 7,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the files.")] = Path("paper"),
) -> None:
    """Draw a figure of the paper from what was measured here, as PNG, PDF, SVG and a caption.

    Example: bench figure 4b --board board --out paper
    """
    from leaderboards.figures.make import Inputs, make_figure

    lines = {"methods": tuple(method)} if method else {}
    files, caption = make_figure(number, out, Inputs(track, board, tuple(data or ()), runs, suite, samples=samples, **lines))
    print(caption)
    say(f"written: {', '.join(str(path) for path in files)}")
