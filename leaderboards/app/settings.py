"""What the page was started with: the arguments after ``--`` of Streamlit's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leaderboards.board.build import RUNS
from leaderboards.board.read import SHIPPED

HERE = Path("board")
"""Where ``bench board`` writes by default."""

HOW_TO = "Make one from finished runs with `bench board --runs runs --out board`, then start `bench leaderboard --board board`."


@dataclass(frozen=True)
class Settings:
    """What the page was started with.

    Attributes:
        board: the board's folder; None where none was named and none is found.
        runs: the folder of all runs, which need not be there.
        show_clear: True where a session may show pictures of unsafe suites clear.
    """

    board: Path | None
    runs: Path = Path("runs")
    show_clear: bool = False


def read(arguments: Sequence[str]) -> Settings:
    """Return the settings that ``arguments`` give; a board that is not named is looked for."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--board", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--show-clear", action="store_true")
    given = parser.parse_args(list(arguments))
    return Settings(given.board or default_board(), given.runs, given.show_clear)


def default_board() -> Path | None:
    """Return the shipped board, else ``./board``, else None."""
    return next((folder for folder in (SHIPPED / "mini", HERE) if (folder / RUNS).is_file()), None)
