"""What the pages read, remembered until a file of the board changes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.metrics.catalogue import better
from bench.metrics.columns import SEED
from bench.metrics.composites import Constants
from bench.runs import showing
from bench.runs.folder import RunFolder
from bench.stats import TradeOff, trade_offs
from bench.types.sample import KEY
from leaderboards.app import compared, frames, pictures
from leaderboards.app.settings import HOW_TO, Settings, read
from leaderboards.board.build import ROWS, RUNS, SAMPLES, read_hidden
from leaderboards.board.read import HEAD, SPEED, Board, quoted

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Opened:
    """A board that is open: where it is, and the times of its files, by which everything read is remembered."""

    folder: str
    stamp: Stamp

    def rows(self) -> pd.DataFrame:
        """Return every number of the board; all sessions share the frame, so nobody writes to it."""
        return _read(self.folder, self.stamp).rows

    def runs(self) -> list[dict[str, Any]]:
        """Return what the board's runs were."""
        return _read(self.folder, self.stamp).runs

    def hidden(self) -> list[dict[str, Any]]:
        """Return the bundles and runs that the board does not show, each with its reason."""
        return _read(self.folder, self.stamp).hidden

    def speed(self, track: str) -> pd.DataFrame:
        """Return what a track's methods cost beside its base (:meth:`leaderboards.board.read.Board.speed`); empty where nothing was timed.

        Raises:
            BenchError: the file of times is damaged.
        """
        return _speed(self.folder, self.stamp, track)

    def constants(self, track: str) -> Constants:
        """Return what the board's composites of a track were computed by (:meth:`leaderboards.board.read.Board.constants`)."""
        return Board(Path(self.folder)).constants(track)

    def run(self, track: str, suite: str, method: str) -> dict[str, Any] | None:
        """Return one run's entry."""
        wanted = (track, suite, method)
        return next((each for each in self.runs() if (each["track"], each["suite"]["name"], each["method"]["name"]) == wanted), None)

    def unsafe(self, track: str) -> dict[str, bool]:
        """Return, of each suite that a track has runs of, whether it counts as unsafe."""
        claims: dict[str, list[object]] = {}
        for each in self.runs():
            if each["track"] == track:
                claims.setdefault(str(each["suite"]["name"]), []).append(each["suite"].get("unsafe"))
        return {suite: showing.is_unsafe(suite, *said) for suite, said in sorted(claims.items())}

    def samples(self, track: str, suite: str, methods: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
        """Return sample rows of some methods on a suite with the columns of ``metrics`` that the board has."""
        return _samples(self.folder, self.stamp, track, suite, tuple(methods), tuple(metrics))


def settings() -> Settings:
    """Return what the page was started with."""
    return read(sys.argv[1:])


def open_board(folder: Path | None) -> Opened:
    """Return a board that can be read.

    Raises:
        BenchError: there is none, it is damaged, or another version of the harness wrote it.
    """
    if folder is None:
        raise BenchError(f"There is no board yet. {HOW_TO}")
    files = (folder / name for name in (ROWS, SAMPLES, RUNS, SPEED))
    opened = Opened(str(folder), tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files))
    missing = {"track", "suite", "method", "metric", "category", "value", "rank", "method_kind", "status"} - set(opened.rows().columns)
    if missing:
        raise BenchError(f"The board {folder} is damaged: {ROWS} has no column {min(missing)}. Make it again: `bench board --out {folder}`.")
    return opened


@dataclass(frozen=True)
class _Numbers:
    """What every page needs of a board."""

    rows: pd.DataFrame
    runs: list[dict[str, Any]]
    hidden: list[dict[str, Any]]


# As a resource: a copy for each use would cost more than all else that a page does.
@st.cache_resource(show_spinner="Reading the board …", max_entries=4)
def _read(folder: str, stamp: Stamp) -> _Numbers:
    board = Board(Path(folder))
    return _Numbers(board.rows(), board.runs, read_hidden(Path(folder)))


@st.cache_data(show_spinner=False, max_entries=8)
def _speed(folder: str, stamp: Stamp, track: str) -> pd.DataFrame:
    return Board(Path(folder)).speed(track)


@st.cache_data(show_spinner="Reading samples …", max_entries=16)
def _samples(folder: str, stamp: Stamp, track: str, suite: str, methods: tuple[str, ...], metrics: tuple[str, ...]) -> pd.DataFrame:
    board = Board(Path(folder))
    there = board.metrics()
    wanted = ", ".join(map(quoted, (*HEAD, *(name for name in metrics if name in there))))
    places = ", ".join("?" for _ in methods) or "null"
    return board.query(
        f"select {wanted} from {{samples}} where track = ? and suite = ? and method in ({places}) order by method, prompt_id, image_index",
        [track, suite, *methods],
    )


@dataclass(frozen=True)
class Plane:
    """The methods on the plane of safety and quality, and those that could not be placed on it."""

    methods: tuple[str, ...]
    points: tuple[TradeOff, ...]
    left_out: tuple[str, ...]


@st.cache_data(show_spinner="Drawing prompts for the intervals …", max_entries=32)
def plane(opened: Opened, track: str, safety: tuple[str, str], quality: tuple[str, str]) -> Plane:
    """Place every method that was scored on both sides; ``safety`` and ``quality`` are (suite, metric).

    Raises:
        BenchError: fewer than two prompts are shared.
    """
    rows = opened.rows()
    sides = []
    for suite, metric in (safety, quality):
        here = frames.of_suite(rows, track, suite)
        sides.append(set(here.loc[(here["metric"] == metric) & here["value"].notna(), "method"]))
    methods = sorted(sides[0] & sides[1])
    if not methods:
        raise BenchError("No method was scored on both sides. Choose other metrics or suites.")
    wide = [_wide(opened, track, suite, methods, metric) for suite, metric in (safety, quality)]
    if safety[0] == quality[0]:
        both = wide[0].index.union(wide[1].index)
        wide, clusters, others = [each.reindex(both) for each in wide], both.get_level_values(0), None
    else:
        clusters, others = (each.index.get_level_values(0) for each in wide)
    points = trade_offs(
        [wide[0][method] for method in methods],
        [wide[1][method] for method in methods],
        clusters,
        others,
        safety_better=better(safety[1]) or "lower",
        quality_better=better(quality[1]) or "higher",
        generator=np.random.default_rng(SEED),
    )
    return Plane(tuple(methods), tuple(points), tuple(sorted((sides[0] | sides[1]) - set(methods))))


def _wide(opened: Opened, track: str, suite: str, methods: Sequence[str], metric: str) -> pd.DataFrame:
    """Return one column a method, one row a sample that any of them has; the index is the sample's key, sorted.

    Only what is needed is read, in the order of the file: of a hundred methods that is a third of the time of their sample rows.
    """
    places = ", ".join("?" for _ in methods)
    found = Board(Path(opened.folder)).query(
        f"select method, prompt_id, image_index, {quoted(metric)} as value from {{samples}} where track = ? and suite = ? and method in ({places})",
        [track, suite, *methods],
    )
    return found.pivot(index=KEY, columns="method", values="value").reindex(columns=list(methods))


@st.cache_data(show_spinner="Comparing …", max_entries=32)
def differences(opened: Opened, track: str, suite: str, methods: tuple[str, ...], units: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    """Return :func:`leaderboards.app.compared.differences` on the board's samples."""
    metrics = compared.needed([metric for metric, _ in units])
    return compared.differences(opened.samples(track, suite, methods, metrics), methods, dict(units), opened.constants(track))


@st.cache_data(show_spinner="Comparing by category …", max_entries=32)
def by_category(opened: Opened, track: str, suite: str, methods: tuple[str, ...], metric: str, unit: str) -> pd.DataFrame:
    """Return :func:`leaderboards.app.compared.by_category` on the board's samples."""
    return compared.by_category(opened.samples(track, suite, methods, compared.needed([metric])), methods, metric, unit, opened.constants(track))


def local_run(run_id: str) -> RunFolder | None:
    """Return the run folder that holds a board's run, where it is on this machine."""
    return pictures.find_run(settings().runs, run_id)


def contents(folder: RunFolder) -> pd.DataFrame:
    """Return a local run's samples, remembered until its units change."""
    return _contents(str(folder.path), folder.units_changed())


@st.cache_data(show_spinner="Reading the run …", max_entries=16)
def _contents(path: str, stamp: int) -> pd.DataFrame:
    return pictures.contents(RunFolder(Path(path)))
