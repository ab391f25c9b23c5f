"""How far a bundle's numbers lie from a board's base and from its best method, on the samples that both have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.metrics.catalogue import better, composite, find_metric
from bench.metrics.columns import Column
from bench.metrics.composites import COMPOSITES, Constants
from bench.runs.records import keyed
from bench.types.sample import KEY
from leaderboards.board.build import Source
from leaderboards.board.read import Board
from leaderboards.submissions.source import bundle_sources

BASE = "sd-v1.5"
"""The unaligned base of every track."""

COLUMNS = ("metric", "value", "from_base", "from_base_low", "from_base_high", "best", "from_best", "from_best_low", "from_best_high")
"""What a terminal shows of one run."""


def differences(bundle: Path, board: Path) -> list[dict[str, Any]]:
    """Return one row a metric of each run of a bundle.

    Args:
        bundle: one whose checks pass.
        board: the board's folder.

    Raises:
        BenchError: there is no board, or the bundle fails a check.
    """
    there = Board(board)
    return [row for source in bundle_sources(bundle) for row in _rows(source, there)]


def _rows(source: Source, board: Board) -> list[dict[str, Any]]:
    track, suite = source.place
    records = keyed(source.records)
    columns = Source(records, source.manifest, source.track, source.rule).columns()
    known = board.rows(track=track, suite=suite, category="all")
    others = {method: _samples(board, track, suite, method) for method in board.methods(track, suite)}
    rows = []
    for column in columns:
        inside = known[known["metric"] == column.metric]
        best = _best(inside, source.method)
        estimate = column.estimate(records["prompt_id"])
        row: dict[str, Any] = {"check": "differences", "about": f"{suite}/{source.method}", "metric": column.metric}
        row |= {"value": estimate.value, "value_low": estimate.low, "value_high": estimate.high, "n": estimate.n, "base": BASE, "best": best}
        for name, other in (("from_base", BASE), ("from_best", best)):
            row |= _compare(name, column, others.get(other or ""), records["prompt_id"], Constants.of(source.track))
        rows.append(row)
    return rows


def _best(rows: pd.DataFrame, but: str) -> str | None:
    """Return the other method with the best value; None where the metric has no better and worse, or nobody else has it."""
    rows = rows[(rows["method"] != but) & rows["value"].notna()]
    way = better(str(rows["metric"].iloc[0])) if len(rows) else None
    if way is None:
        return None
    values = rows.set_index("method")["value"]
    return str(values.idxmin() if way == "lower" else values.idxmax())


def _samples(board: Board, track: str, suite: str, method: str) -> pd.DataFrame:
    return board.samples(board.metrics(), track=track, suite=suite, method=method).set_index(KEY)


def _compare(name: str, column: Column, other: pd.DataFrame | None, prompts: pd.Series, constants: Constants) -> dict[str, Any]:
    """Return the difference from another method's samples; missing where it has none of them, or other ones."""
    found: dict[str, Any] = dict.fromkeys((name, f"{name}_low", f"{name}_high", f"{name}_p"))
    # A board's composites are by its own constants, these by the track's: both sides are made of the parts.
    made = composite(column.metric, constants) if column.metric in COMPOSITES else None
    parts = find_metric(column.metric).made_of if made else (column.metric,)
    if other is None or any(part not in other or other[part].isna().all() for part in parts):
        return found
    shared = column.values.index.intersection(other.index)
    if shared.empty:
        return found
    first, *further = (other[part].astype("boolean" if column.flag else "float64") for part in parts)
    if made and not column.further:
        first, further = made(first, *further), []
    theirs = replace(column, values=first, further=tuple(further)).at(other.index.get_indexer(shared))
    result = column.at(column.values.index.get_indexer(shared)).compare(theirs, prompts.loc[shared])
    gap = result.difference
    return {name: gap.value, f"{name}_low": gap.low, f"{name}_high": gap.high, f"{name}_p": result.p_value}
