"""Reads a board with DuckDB: only the columns and rows that are asked for leave the file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.errors import BenchError, NotAvailable, first_line
from bench.metrics.composites import Constants
from bench.reports.speeds import COLUMNS, read_speeds
from bench.tracks import load_track
from leaderboards.board.build import CONSTANTS, ROWS, SAMPLES, read_runs

if TYPE_CHECKING:
    import duckdb

SHIPPED = Path(__file__).parent.parent / "results"
HEAD = ("track", "suite", "method", "prompt_id", "image_index", "category", "kind", "status")
"""Columns of the sample rows that are no metric."""
SPEED = "speed.csv"
"""Beside a board's own files: what ``bench speed --out BOARD/speed.csv`` measured."""


class Board:
    """A board on disk.

    Args:
        folder: as ``bench board`` wrote it.

    Raises:
        BenchError: there is no board, or another version of the harness wrote it.
        NotAvailable: DuckDB is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = read_runs(folder)
        for name in (SAMPLES, ROWS):
            if not (folder / name).is_file():
                raise BenchError(f"The board {folder} has no {name}. Make it again: `bench board --out {folder}`.")
        if find_spec("duckdb") is None:
            raise NotAvailable("Reading a board needs DuckDB. Install it: pip install 't2i-safety-bench[leaderboard]'.")

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        return duckdb.connect()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Return the answer to ``sql`` over the tables ``samples`` and ``rows``.

        Args:
            sql: with ``?`` where a value belongs; values never stand in the text.
            parameters: the values.

        Raises:
            BenchError: a file of the board is damaged.
        """
        import duckdb

        text = sql.replace("{samples}", "read_parquet($samples)").replace("{rows}", "read_parquet($rows)")
        named = {"samples": str(self.folder / SAMPLES), "rows": str(self.folder / ROWS)}
        used = {name: value for name, value in named.items() if f"${name}" in text}
        for index, value in enumerate(parameters):
            text = text.replace("?", f"$p{index}", 1)
            used[f"p{index}"] = value
        try:
            return self._connection.execute(text, used).df()
        except duckdb.Error as error:
            reason = first_line(error)[:200]
            raise BenchError(f"The board {self.folder} is damaged: {reason}. Make it again: `bench board --out {self.folder}`.") from error

    def rows(self, **where: Any) -> pd.DataFrame:
        """Return the board's numbers, one row each, where every named column has the given value."""
        conditions = " and ".join(f"{quoted(column)} = ?" for column in where) or "true"
        return self.query(f"select * from {{rows}} where {conditions}", list(where.values()))

    def samples(self, metrics: Sequence[str], **where: Any) -> pd.DataFrame:
        """Return sample rows with ``metrics``, where every named column has the given value, in the order of prompts and images."""
        wanted = ", ".join(quoted(column) for column in (*HEAD, *metrics))
        conditions = " and ".join(f"{quoted(column)} = ?" for column in where) or "true"
        return self.query(f"select {wanted} from {{samples}} where {conditions} order by prompt_id, image_index", list(where.values()))

    def methods(self, track: str, suite: str) -> list[str]:
        """Return the methods that were run on a suite, by name."""
        found = self.query("select distinct method from {rows} where track = ? and suite = ? order by method", [track, suite])
        return [str(name) for name in found["method"]]

    def suites(self, track: str) -> list[str]:
        """Return the suites that a track has numbers of, by name."""
        return [str(name) for name in self.query("select distinct suite from {rows} where track = ? order by suite", [track])["suite"]]

    def tracks(self) -> list[str]:
        """Return the tracks that there are numbers of."""
        return [str(name) for name in self.query("select distinct track from {rows} order by track")["track"]]

    def speed(self, track: str) -> pd.DataFrame:
        """Return what ``bench speed`` measured of a track's methods: ``method``, ``seconds``, ``ratio`` with its interval, and on which device.

        Empty where the board has no such file. Another machine gives other numbers; their ratio to the base's is what compares.

        Raises:
            BenchError: the file is damaged.
        """
        file = self.folder / SPEED
        found = read_speeds(file) if file.is_file() else pd.DataFrame(columns=list(COLUMNS))
        return found[found["track"] == track].reset_index(drop=True)

    def constants(self, track: str) -> Constants:
        """Return the centres and widths that the board's composites of a track were computed by, whatever the track states by now.

        A board that does not say is older than widths: it has the track's centres. Where neither says, there are none.
        """
        said = next((run[CONSTANTS] for run in self.runs if run["track"] == track and CONSTANTS in run), None)
        if said is not None:
            return Constants(said["centers"], said["widths"])
        try:
            return Constants(load_track(track).centers)
        except BenchError:  # a track that is not known here
            return Constants({})

    def metrics(self) -> list[str]:
        """Return the metrics that the sample rows hold."""
        described = self.query("describe select * from {samples}")
        return [str(name) for name in described["column_name"] if name not in HEAD]


def quoted(column: str) -> str:
    """Return a column's name as SQL has it."""
    return '"' + column.replace('"', '""') + '"'
