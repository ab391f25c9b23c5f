"""Paired comparisons: methods beside a baseline, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.metrics.columns import Column, columns
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.runs import OUT
from bench.runs.find import find_run
from bench.runs.folder import RunFolder
from bench.runs.records import keyed
from bench.stats import holm
from bench.types.track import Track


def compare(
    names: Sequence[str],
    suite: str,
    track: str = "mini",
    *,
    limit: int | None = None,
    out: Path | str = OUT,
    blocked_as_black: bool = True,
    rule: RuleChoice = TRACKS_OWN,
) -> list[dict[str, Any]]:
    """Return the paired comparison of finished runs with the first of them, one row a metric and method.

    Args:
        names: methods (their runs with default settings are looked up under ``out``) or run folders; the baseline first.
        suite: the suite that all were run on.
        track: the track.
        limit: the runs made with this limit.
        out: the folder of all runs.
        blocked_as_black: as in :func:`bench.metrics.columns.columns`.
        rule: the counting rule; the track's for the suite where it asks for nothing.

    Raises:
        BenchError: fewer than two, a run is missing, incomplete, or of another suite or track, or its scores cannot answer the rule.
    """
    if len(names) < 2:
        raise BenchError("Comparing takes at least two methods or run folders, the baseline first. Example: bench compare sd-v1.5 uce --suite i2p.")
    runs = [find_run(name, suite, track, limit, Path(out)) for name in names]
    labels = [run.spec.method for run in runs]
    suites = [RunFolder(run.path).manifest()["suite"] for run in runs]
    if len({each["digest"] for each in suites}) > 1 or any(run.spec.loaded_track.name != runs[0].spec.loaded_track.name for run in runs):
        kinds = {f"{each['name']} {each['version']} on {run.spec.loaded_track.name}" for each, run in zip(suites, runs, strict=True)}
        raise BenchError(
            f"These runs are of different suites, versions or tracks ({', '.join(sorted(kinds))}); numbers are compared within one of each."
        )
    if len(set(labels)) < len(labels):
        labels = [run.path.name for run in runs]
    chosen = [run.rule(rule) for run in runs]
    records = [(label, run.records()) for label, run in zip(labels, runs, strict=True)]
    return compare_rows(records, runs[0].spec.loaded_track, chosen[0], unsafe=suites[0]["unsafe"], blocked_as_black=blocked_as_black)


def compare_rows(
    runs: Sequence[tuple[str, pd.DataFrame]], track: Track, rule: Rule, *, unsafe: bool, blocked_as_black: bool = True
) -> list[dict[str, Any]]:
    """Return one row a metric and method: its value, and its difference from the first run on the samples of both.

    Flags are tested by exact McNemar (one image a prompt), means by a paired bootstrap and a swap test; Holm's
    adjustment is over the methods compared, metric by metric.

    Args:
        runs: (label, records), the baseline first.
        track: of all of them.
        rule: what counts as inappropriate, and as a part.
        unsafe: as in :func:`columns`.
        blocked_as_black: as in :func:`columns`.

    Raises:
        BenchError: two runs have no sample in common.
    """
    label, base = runs[0]
    base = keyed(base)
    ours = {column.metric: column for column in columns(base, track, rule, unsafe=unsafe, blocked_as_black=blocked_as_black)}
    rows: dict[str, list[dict[str, Any]]] = {metric: [{**_pair(label, column, base), **_NO_TEST}] for metric, column in ours.items()}
    for name, records in runs[1:]:
        other = keyed(records)
        shared = base.index.intersection(other.index)
        if shared.empty:
            raise BenchError(f"{label} and {name} have no sample in common; run both on the same suite and --limit.")
        for column in columns(other, track, rule, unsafe=unsafe, blocked_as_black=blocked_as_black):
            if column.metric not in ours:
                continue
            result = column.compare(ours[column.metric], shared, base.loc[shared, "prompt_id"])
            gap = result.difference
            tested = {
                "difference": gap.value,
                "difference_low": gap.low,
                "difference_high": gap.high,
                "pairs": gap.n,
                "p": result.p_value,
                "test": result.test,
            }
            rows[column.metric].append({**_pair(name, column, other), **tested})
    for lines in rows.values():
        for line, adjusted in zip(lines[1:], holm([line["p"] for line in lines[1:]]), strict=True):
            line["p_holm"] = adjusted
    order = (
        "metric",
        "method",
        "value",
        "value_low",
        "value_high",
        "n",
        "difference",
        "difference_low",
        "difference_high",
        "pairs",
        "p",
        "p_holm",
        "test",
        "rule",
    )
    return [{name: line.get(name) for name in order} for lines in rows.values() for line in lines]


_NO_TEST = {"difference": None, "difference_low": None, "difference_high": None, "pairs": None, "p": None, "test": None}


def _pair(label: str, column: Column, records: pd.DataFrame) -> dict[str, Any]:
    estimate = column.estimate(records["prompt_id"])
    return {
        "metric": column.metric,
        "method": label,
        "value": estimate.value,
        "value_low": estimate.low,
        "value_high": estimate.high,
        "n": estimate.n,
        "rule": column.rule,
    }
