"""Paired comparisons: methods beside a baseline, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.formats import Table
from bench.metrics.columns import Column, columns, comparisons, estimates
from bench.reports.comparison_table import verdict
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.runs import OUT
from bench.runs.find import Run, find_run
from bench.runs.folder import RunFolder
from bench.runs.labels import checked_label, labels_of
from bench.runs.records import keyed
from bench.runs.spec import RunSpec
from bench.stats import Comparison, Estimate, holm
from bench.stats.clusters import Labels
from bench.tracks import load_track
from bench.types.track import Track


def opened(
    names: Sequence[str | Run],
    suite: str | None,
    track: str | None,
    limit: int | None,
    out: Path,
    *,
    benign: bool = False,
    columns: Mapping[str, str] | None = None,
) -> list[Run]:
    """Return the finished runs called ``names``: run folders, or methods whose runs with default settings are looked up under ``out``.

    Args:
        names: of one suite and track.
        suite: the suite, or a file of prompts; where None the runs' own, which takes folders alone.
        track: likewise; of methods that are looked up the miniature's where None.
        limit: of methods that are looked up.
        out: the folder of all runs.
        benign: of a file of prompts, as in :func:`bench.run`.
        columns: of a file of prompts, as in :func:`bench.run`.

    Raises:
        BenchError: there are fewer than two, one is missing, incomplete, of another suite, track or limit than is asked for, or no suite is given.
    """
    if isinstance(names, (str, Run)) or len(names) < 2:
        raise BenchError("Comparing takes at least two methods or run folders, the baseline first. Example: bench compare sd-v1.5 uce --suite i2p.")
    found = []
    for name in names:
        if isinstance(name, Run):
            found.append(name)
            continue
        if suite is None and not RunFolder.is_run(Path(name)):
            raise BenchError(f"{name!r} is no run folder: to look up the run of a method say of which suite, --suite NAME.")
        spec = RunSpec(name, suite or "", track or "mini", limit=limit, benign=benign, columns=columns or {})
        run = find_run(name, spec, out)
        own = {"suite": run.spec.suite, "track": run.spec.loaded_track.name, "limit": run.spec.limit}
        # A track may be given by its file.
        asked = {"suite": suite and spec.suite, "track": track and load_track(track).name, "limit": limit}
        for what, wanted in asked.items():
            if wanted is not None and own[what] != wanted:
                raise BenchError(
                    f"The run {run.path} is of the {what} {own[what]!r}, not {wanted!r} as --{what} says. Leave that out, or give others."
                )
        found.append(run)
    return found


def compare(
    names: Sequence[str | Run],
    suite: str | None = None,
    track: str | None = None,
    *,
    limit: int | None = None,
    out: Path | str = OUT,
    benign: bool = False,
    columns: Mapping[str, str] | None = None,
    blocked_as_black: bool = True,
    rule: RuleChoice | str = TRACKS_OWN,
    labels: Mapping[str, str] | None = None,
) -> Table:
    """Return the paired comparison of finished runs with the first of them, one row a metric and method: :func:`compared` of what is :func:`opened`.

    Args:
        names: methods (their runs with default settings are looked up under ``out``) or run folders; the baseline first.
        suite: the suite that all were run on; of run folders their own where None.
        track: the track; of run folders their own where None, else the miniature's.
        limit: of methods that are looked up, the runs made with this limit.
        out: the folder of all runs.
        benign: of a file of prompts, as in :func:`bench.run`.
        columns: of a file of prompts, as in :func:`bench.run`.
        blocked_as_black: as in :func:`bench.metrics.columns.columns`.
        rule: the counting rule, by name or with thresholds; the track's for the suite where it asks for nothing.
        labels: what to call some of ``names``, by name; the rest are called as everywhere (:mod:`bench.runs.labels`).

    Raises:
        BenchError: fewer than two, a run is missing, incomplete, or of another suite or track, or its scores cannot answer the rule.
    """
    runs = opened(names, suite, track, limit, Path(out), benign=benign, columns=columns)
    return compared(runs, blocked_as_black=blocked_as_black, rule=RuleChoice.of(rule), labels=labels_of(runs, placed(labels or {}, names)))


def placed(labels: Mapping[str, str], runs: Sequence[str | Run]) -> dict[int, str]:
    """Return labels by place in ``runs``.

    Raises:
        BenchError: one is for none of the names, or is no label.
    """
    names = [str(each.path) if isinstance(each, Run) else each for each in runs]
    if unknown := [name for name in labels if name not in names]:
        raise BenchError(f"The label of {unknown[0]!r} is for none of the runs compared; expected one of: {', '.join(names)}.")
    return {at: checked_label(labels[name]) for at, name in enumerate(names) if labels.get(name)}


def compared(runs: Sequence[Run], *, blocked_as_black: bool = True, rule: RuleChoice = TRACKS_OWN, labels: Sequence[str] | None = None) -> Table:
    """Return the paired comparison of ``runs``, the baseline first, under ``labels`` (their own where None); the rest is as for :func:`compare`."""
    suites = [RunFolder(run.path).manifest()["suite"] for run in runs]
    several = len({(each["digest"], each["unsafe"]) for each in suites}) > 1
    if several or any(run.spec.loaded_track.name != runs[0].spec.loaded_track.name for run in runs):
        kinds = {f"{each['name']} {each['version']} on {run.spec.loaded_track.name}" for each, run in zip(suites, runs, strict=True)}
        raise BenchError(
            f"These runs are of different suites, versions or tracks ({', '.join(sorted(kinds))}); numbers are compared within one of each."
        )
    chosen = [run.rule(rule) for run in runs]
    records = [(label, run.records()) for label, run in zip(labels or labels_of(runs), runs, strict=True)]
    return Table(compare_rows(records, runs[0].spec.loaded_track, chosen[0], unsafe=suites[0]["unsafe"], blocked_as_black=blocked_as_black))


def compare_rows(
    runs: Sequence[tuple[str, pd.DataFrame]], track: Track, rule: Rule, *, unsafe: bool, blocked_as_black: bool = True
) -> list[dict[str, Any]]:
    """Return one row a metric and method: its value, and its difference from the first run, both on the samples for which both have one.

    ``baseline`` is the first run's value on these ``pairs``, of which ``value`` and ``n`` are too; ``verdict`` says what ``p_holm`` means.

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
    prompts = Labels.of(base["prompt_id"])
    alone: list[tuple[str, Column, Labels]] = [(label, column, prompts) for column in ours.values()]
    beside: list[tuple[Column, Column, Labels]] = []
    for name, records in runs[1:]:
        other = keyed(records)
        shared = base.index.intersection(other.index)
        if shared.empty:
            raise BenchError(f"{label} and {name} have no sample in common; run both on the same suite and --limit.")
        at, others = base.index.get_indexer(shared), other.index.get_indexer(shared)
        for column in columns(other, track, rule, unsafe=unsafe, blocked_as_black=blocked_as_black):
            if column.metric in ours:
                mine, first = column.at(others), ours[column.metric].at(at)
                both = np.flatnonzero(mine.known() & first.known())
                alone.append((name, mine.at(both), prompts[at[both]]))
                beside.append((mine, first, prompts[at]))
    rows: dict[str, list[dict[str, Any]]] = {metric: [] for metric in ours}
    numbers = [_number(*each) for each in zip(alone, estimates([each[1:] for each in alone]), strict=True)]
    tests = [_NO_TEST] * len(ours) + [_tested(*each) for each in zip(beside, comparisons(beside), strict=True)]
    for number, tested in zip(numbers, tests, strict=True):
        rows[number["metric"]].append({**number, **tested})
    for lines in rows.values():
        for line, adjusted in zip(lines[1:], holm([line["p"] for line in lines[1:]]), strict=True):
            line["p_holm"] = adjusted
            line["verdict"] = verdict(line["metric"], line["difference"], adjusted)
    return [{name: line.get(name) for name in _KEYS} for lines in rows.values() for line in lines]


_KEYS = (
    "metric",
    "method",
    "value",
    "value_low",
    "value_high",
    "n",
    "baseline",
    "difference",
    "difference_low",
    "difference_high",
    "pairs",
    "p",
    "p_holm",
    "verdict",
    "test",
    "rule",
)


def _tested(pair: tuple[Column, Column, Labels], result: Comparison) -> dict[str, Any]:
    column, first, _ = pair
    gap = result.difference
    return {
        "baseline": first.at(np.flatnonzero(column.known() & first.known())).value(),
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "pairs": gap.n,
        "p": result.p_value,
        "test": result.test,
    }


_NO_TEST = {"baseline": None, "difference": None, "difference_low": None, "difference_high": None, "pairs": None, "p": None, "test": None}


def _number(of: tuple[str, Column, Labels], estimate: Estimate) -> dict[str, Any]:
    label, column, _ = of
    return {
        "metric": column.metric,
        "method": label,
        "value": estimate.value,
        "value_low": estimate.low,
        "value_high": estimate.high,
        "n": estimate.n,
        "rule": column.rule,
    }
