"""A board as what ``bench summary`` sums up (entry-point group ``bench.boards``)."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.metrics.catalogue import composite, find_metric
from bench.metrics.columns import Column
from bench.metrics.composites import COMPOSITES
from bench.reports.summary.entries import Entry, Gathered, kind_of
from bench.rules import RULES
from bench.tracks import load_track
from bench.types.sample import KEY
from bench.types.track import Track
from leaderboards.board.build import RUNS
from leaderboards.board.read import SPEED, Board


def gathered(folder: Path, track: str | None) -> Gathered | None:
    """Return what the board in ``folder`` has of a track, or of its only one; None where it is no board.

    Raises:
        BenchError: the board is damaged, or is of several tracks or of others than is asked for.
    """
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
        for method in board.methods(chosen, suite):
            own = rows[rows["method"] == method]
            run = about[suite, own["run_id"].iloc[0]]
            columns = _columns(board, loaded, suite, method, dict(zip(own["metric"], own["unit"], strict=True)))
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
    return Gathered(loaded, entries, [], folder / SPEED)


def _columns(board: Board, track: Track, suite: str, method: str, units: dict[str, str]) -> dict[str, Column]:
    """Return the metrics that the board has of a run: those of single images, and the functions of their means."""
    there = board.metrics()
    frame = board.samples(there, track=track.name, suite=suite, method=method).set_index(KEY).rename_axis([None, None])
    found = {}
    for metric, unit in units.items():
        known = find_metric(metric)
        if metric in there:
            found[metric] = Column(metric, unit, known.share, frame[metric].astype("boolean" if known.share else "float64"))
        elif metric in COMPOSITES and (function := composite(metric, track.centers)) is not None:
            first, *further = (frame[part].astype("float64") for part in known.made_of)
            found[metric] = Column(metric, unit, False, first, further=tuple(further), function=function)
    return found
