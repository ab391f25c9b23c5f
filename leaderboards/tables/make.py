"""One function for every table: by its number, from the board or the data set that it needs."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.tracks import load_track
from leaderboards.tables.build import board_of, numbers, paper_table
from leaderboards.tables.cells import PaperTable
from leaderboards.tables.datasets import data_of, dataset_table
from leaderboards.tables.layout import LAYOUTS

NUMBERS = ("1", *LAYOUTS)


def make_table(number: str, track: str = "mini", *, board: Path | None = None, data: Path | None = None) -> PaperTable:
    """Return a table of the paper with what was measured beside it.

    Args:
        number: ``1``, ``2``, ``3`` or ``5``.
        track: a track's name, or the path of its YAML file.
        board: a board's folder; the one that ships for the track where None.
        data: of Table 1, a folder that ``bench train libraalign`` wrote; where None the track's (:func:`~leaderboards.tables.datasets.data_of`).

    Raises:
        BenchError: unknown table, track or board, or an option that the table does not take.
        NotAvailable: DuckDB is not installed.
    """
    if number not in NUMBERS:
        raise BenchError(f"The paper's tables that can be made are {', '.join(NUMBERS)}; got {number!r}. Example: bench table 2.")
    if number == "1":
        if board is not None:
            raise BenchError("Table 1 counts a data set, not runs: give --data FOLDER, the folder that `bench train libraalign` wrote.")
        return dataset_table(data or data_of(load_track(track).name))
    if data is not None:
        raise BenchError(f"--data goes with Table 1; Table {number} is made from runs: give --board FOLDER, which `bench board` made.")
    loaded = load_track(track)
    return paper_table(number, loaded, numbers(board_of(loaded.name, board), loaded.name))
