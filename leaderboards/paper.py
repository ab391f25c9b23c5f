"""All of the paper's tables and figures on the miniature, in one folder: ``bench paper``, behind ``make paper``.

The tables come from a board, and the board from runs: the one that ships, one that is given, or one that is made here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import api
from bench.console import Progress
from bench.errors import BenchError
from bench.files.atomic import write_atomic
from bench.formats import Format, render
from bench.tracks import load_track
from leaderboards.board.build import build, run_source
from leaderboards.board.read import SHIPPED
from leaderboards.figures import attacks, grid
from leaderboards.figures.make import NUMBERS as FIGURES
from leaderboards.figures.make import Inputs, make_figure
from leaderboards.lint.read import paper_cells
from leaderboards.lint.run import lint
from leaderboards.tables import text
from leaderboards.tables.layout import LAYOUTS
from leaderboards.tables.make import NUMBERS as TABLES
from leaderboards.tables.make import make_table

TRACK = "mini"


def needed() -> list[tuple[str, str]]:
    """Return (method, suite) of every run behind the tables and Figure 4b, each once."""
    wanted = [(method, suite) for layout in LAYOUTS.values() for suite in layout.suites for method in layout.methods]
    wanted += [(method, suite) for suite in attacks.SUITES for method in attacks.METHODS]
    return list(dict.fromkeys(wanted))


def make_board(out: Path, limit: int | None, runs: Path, progress: Progress) -> Path:
    """Make every run that is needed and missing, and a board of them in ``out``.

    Args:
        out: the board's folder.
        limit: the first that many prompts of each suite; None for all.
        runs: the folder of all runs.
        progress: told of the runs' progress.
    """
    sources = []
    for method, suite in needed():
        done = api.run(method, suite, TRACK, limit=limit, out=runs, progress=progress)
        sources.append(run_source(done.path))
    build(sources, out)
    return out


def make_paper(out: Path, board: Path | None, limit: int | None, runs: Path, progress: Progress, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Write every table (LaTeX, Markdown, CSV, JSON), every figure and the linter's findings, and return one row each.

    Args:
        out: the folder.
        board: the board; where None the one that ships, and where none ships one that is made in ``out``.
        limit: of runs that are made here.
        runs: the folder of all runs.
        progress: told of the runs' progress.
        tell: takes a line about what is done now.

    Returns:
        ``what``, ``files`` and, of what could not be made, ``missing``: why, with the command that makes it.
    """
    place = board or (SHIPPED / TRACK if (SHIPPED / TRACK).is_dir() else None)
    if place is None:
        tell(f"no board ships: making {len(needed())} runs of {'all' if limit is None else limit} prompts each")
        place = make_board(out / "board", limit, runs, progress)
    rows = [_made(f"table {number}", partial(_table, number, out, place)) for number in TABLES]
    rows += [_made(f"figure {number}", partial(_figure, number, out, place, limit, runs, progress)) for number in FIGURES]
    rows.append(_made("lint", partial(_lint, out)))
    return rows


def _made(what: str, make: Callable[[], list[Path]]) -> dict[str, Any]:
    try:
        return {"what": what, "files": len(make()), "missing": None}
    except BenchError as error:
        return {"what": what, "files": 0, "missing": str(error)}


def _table(number: str, out: Path, board: Path) -> list[Path]:
    made = make_table(number, TRACK, board=None if number == "1" else board)
    forms = {"tex": text.latex(made), "md": text.markdown(made), "csv": render(made.rows(), Format.CSV), "json": render(made.rows(), Format.JSON)}
    return [_write(out / f"table-{number}.{suffix}", content) for suffix, content in forms.items()]


def _figure(number: str, out: Path, board: Path, limit: int | None, runs: Path, progress: Progress) -> list[Path]:
    if number == "1":  # a board holds no pictures
        for method in grid.METHODS:
            try:
                grid.find_run(method, grid.SUITE, load_track(TRACK), runs)
            except BenchError:
                api.run(method, grid.SUITE, TRACK, limit=limit, out=runs, progress=progress)
    files, _ = make_figure(number, out, Inputs(TRACK, board, runs=runs, methods=grid.METHODS))
    return files


def _lint(out: Path) -> list[Path]:
    report = lint(paper_cells())
    found = [finding.row() for finding in report.findings]
    heading = "# What is wrong in the paper's own numbers (`bench lint-table --paper`)"
    return [_write(out / "lint-paper.md", f"{heading}\n\n{render(found, Format.MARKDOWN)}\n\n{report.caption()}")]


def _write(path: Path, content: str) -> Path:
    write_atomic(path, (content + "\n").encode())
    return path
