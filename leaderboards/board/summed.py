"""A board as what ``bench summary`` sums up (entry-point group ``bench.boards``)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.metrics.catalogue import composite, find_metric
from bench.metrics.columns import Column
from bench.metrics.composites import COMPOSITES, Constants
from bench.reports.summary.entries import Entry, Gathered, kind_of
from bench.rules import RULES
from bench.tracks import load_track
from bench.types.sample import KEY
from bench.types.track import MINIATURE
from leaderboards.board.build import RUNS
from leaderboards.board.read import SHIPPED, SPEED, Board


def gathered(folder: Path | None, track: str | None) -> Gathered | None:
    """Return what the board in ``folder`` has of a track, or of its only one; None where it is no board. The board that ships where None.

    Raises:
        BenchError: the board is damaged, or is of several tracks or of others than is asked for.
    """
    folder = folder or SHIPPED / (track or MINIATURE)
    if not (folder / RUNS).is_file():
        return None
    board = Board(folder)
    tracks = board.tracks()
    chosen = track or (tracks[0] if len(tracks) == 1 else "")
    if chosen not in tracks:
        raise BenchError(f"The board {folder} is of {', '.join(tracks)}; say --track NAME.")
    loaded = load_track(chosen)
    about = {(run["suite"]["name"], run["run_id"]): run for run in board.runs if run["track"] == chosen}
    entries = []
    for suite in board.suites(chosen):
        rows = board.rows(track=chosen, suite=suite, category="all")
        # One reading a suite: a board has many methods, and each reading goes through the whole file.
        frames = dict(tuple(board.samples(board.metrics(), track=chosen, suite=suite).groupby("method", sort=False)))
        for method in board.methods(chosen, suite):
            own = rows[rows["method"] == method]
            run = about[suite, own["run_id"].iloc[0]]
            frame = frames[method].set_index(KEY).rename_axis([None, None])
            columns = _columns(frame, board.constants(chosen), dict(zip(own["metric"], own["unit"], strict=True)))
            kind = str(run["method"].get("kind") or kind_of(method))
            rule = RULES.get(run["rule"])
            said = rule.sentence() if rule else ""
            entries.append(
                Entry(
                    method,
                    kind,
                    suite,
                    bool(run["suite"]["unsafe"]),
                    f"version {run['suite']['version']}",
                    run["suite"]["digest"],
                    columns,
                    said,
                    str(folder),
                )
            )
    return Gathered(loaded, entries, [], folder / SPEED, board.constants(chosen))


def _columns(frame: pd.DataFrame, constants: Constants, units: dict[str, str]) -> dict[str, Column]:
    """Return the metrics that a run's sample rows have: those of single images, and the functions of their means."""
    found = {}
    for metric, unit in units.items():
        known = find_metric(metric)
        if metric in frame:
            found[metric] = Column(metric, unit, known.share, frame[metric].astype("boolean" if known.share else "float64"))
        elif metric in COMPOSITES and (function := composite(metric, constants)) is not None:
            first, *further = (frame[part].astype("float64") for part in known.made_of)
            found[metric] = Column(metric, unit, False, first, further=tuple(further), function=function)
    return found
