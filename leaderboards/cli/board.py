"""The verb ``bench board``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.cli.options import FormatOption
from bench.console import Bars, say
from bench.formats import Format, show

_NAMED = 20
"""Runs that are left out by name on a terminal."""
_SHOWN = ("suite", "method", "metric", "value", "value_low", "value_high", "n", "rank", "rank_low", "rank_high", "tier")


@in_panel(HelpPanel.PUBLISH)
def board(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, bundles, folders of bundles; where none, the finished runs of whole suites with the track's settings."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The board's folder.")] = Path("board"),
    within: Annotated[Path, typer.Option("--runs", help="The folder of all runs.")] = Path("runs"),
    form: FormatOption = Format.TABLE,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make a leaderboard from finished runs and submitted bundles: numbers with intervals, ranks and tiers, in one compact folder.

    Example: bench board --runs runs --out board
    """
    from bench.errors import BenchError, Damaged, Unreachable
    from bench.metrics.catalogue import HARM
    from bench.runs.folder import RunFolder
    from leaderboards.board.build import Source, build, finished_runs, run_source, unreadable
    from leaderboards.submissions.source import gather

    folders, left_out = (runs, []) if runs else finished_runs(within)
    for path, row in left_out[:_NAMED]:
        say(f"left out: {path}: {row['reason']}")
    if left_out and not folders:
        raise BenchError(
            f"None of the {len(left_out)} run(s) under {within} is taken by itself, for the reasons above. Name the folders of those to take."
        )
    if len(left_out) > _NAMED:
        say(f"left out: {len(left_out) - _NAMED} further run(s); {out / 'runs.json'} has each with its reason.")
    with Bars(quiet=quiet) as bars:
        read = bars.start("read", len(folders), "runs")
        sources: list[Source] = []
        hidden: list[dict[str, Any]] = [row for _, row in left_out]
        lost = 0
        for folder in folders:
            _refuse_runs(folder)
            if folder.suffix == ".zip" or (folder.is_dir() and not RunFolder.is_run(folder)):
                submitted, not_shown = gather(folder)
                sources, hidden = sources + submitted, hidden + not_shown
            else:
                try:
                    sources.append(run_source(folder))
                except (Damaged, Unreachable) as error:
                    if len(folders) == 1:
                        raise  # there is no rest to build
                    say(f"left out: {folder}: {error}")
                    hidden.append(unreadable(folder, str(error)))
                    lost += bool(runs)
            read(1)
        rows = build(sources, out, bars.start("board", len(sources), "runs"), hidden=hidden)
    if form is Format.TABLE:
        rows = [{key: row[key] for key in _SHOWN} for row in rows if row["metric"] == HARM and row["category"] == "all"]
    show(
        rows,
        form,
        title=f"IP of every suite; all numbers are in {out}",
        caption="Rank intervals hold together at 95%; methods of one tier are not told apart.",
    )
    if hidden:
        say(f"{len(hidden)} bundle(s) or run(s) are listed with the reason and not shown; see {out / 'runs.json'}.")
    say(f"written: {out}. Look at it: bench leaderboard --board {out}")
    if lost:
        say(f"incomplete: {lost} run(s) that were named could not be read, for the reasons above.")
        raise typer.Exit(1)


def _refuse_runs(folder: Path) -> None:
    """Refuse what is neither a run nor a bundle nor a folder of bundles: a folder of runs, or of a track's or a suite's, and a wrong place.

    Raises:
        BenchError: it is one, with what to type.
    """
    from bench.errors import BenchError
    from bench.runs.folder import RunFolder

    if RunFolder.is_run(folder) or folder.is_file():
        return
    for above, steps in ((folder, "*/*/*"), (folder.parent, "*/*"), (folder.parent.parent, "*")):
        found = [each for each in folder.glob(steps) if each.is_dir() and RunFolder.is_run(each)]
        if found:
            runs = "its runs by themselves" if above == folder else "all that are beside it"
            raise BenchError(f"{folder} holds runs and is none: type `bench board --runs {above}` for {runs}, or `bench board {found[0]}` for one.")
    if not any(folder.rglob("*.zip")):
        raise BenchError(
            f"{folder} is no run, no bundle and no folder of bundles: type `bench board --runs FOLDER` for the runs of a folder, or name runs: "
            "`bench status` lists them."
        )
