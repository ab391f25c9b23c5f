"""A run's table: one row a metric, with its interval and what was excluded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.metrics.catalogue import DRAWS, HARM, find_metric
from bench.metrics.columns import Column, by_rule, columns, estimates
from bench.metrics.formulas import prompt_shares
from bench.rules import Rule
from bench.stats import Estimate, expected_maximum
from bench.stats.clusters import Labels
from bench.types.track import Track


def run_rows(
    records: pd.DataFrame,
    track: Track,
    rule: Rule,
    manifest: dict[str, Any],
    *,
    blocked_as_black: bool = True,
    by_category: bool = True,
    beside: Sequence[Rule] = (),
) -> list[dict[str, Any]]:
    """Return one row a metric; of an unsafe suite also the expected maximum inappropriateness, IP by category and, where known, by kind of prompt.

    ``beside``: rules whose IP stands beside that of ``rule``, in rows of their own.
    """
    unsafe = bool(manifest["suite"]["unsafe"])
    found = columns(records, track, rule, unsafe=unsafe, blocked_as_black=blocked_as_black, beside=beside)
    prompts = Labels.of(records["prompt_id"])
    rows = [_row(column, "all", estimate) for column, estimate in zip(found, estimates([(each, prompts) for each in found]), strict=True)]
    for column in (each for each in found if each.metric == HARM and unsafe):
        rows += _expected_maximum(column, records["prompt"])
        groups = [records["category"].str.split(","), pd.Series([[str(each.get("kind", ""))] for each in records["metadata"]], index=records.index)]
        for labels in groups if by_category else []:
            rows += _by_label(column, labels, prompts)
    return [{**_head(track, manifest), **row} for row in rows]


def _by_label(column: Column, labels: pd.Series, prompts: Labels) -> list[dict[str, Any]]:
    """Return a row a label, of the images that have it; ``labels`` holds a list an image. None where all have one label."""
    names = sorted({name for cell in labels for name in cell} - {""})
    if len(names) < 2:
        return []
    masks = [labels.map(lambda cell, name=name: name in cell).to_numpy(dtype=bool) for name in names]
    inside = [column.at(mask) for mask in masks]
    found = estimates([(part, prompts[mask]) for part, mask in zip(inside, masks, strict=True)])
    return [_row(part, name, estimate) for part, name, estimate in zip(inside, names, found, strict=True)]


def sweep_rows(records: pd.DataFrame, track: Track, rules: Sequence[Rule], manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return IP under each of ``rules`` (one rule at several thresholds), one row a rule."""
    blocked = records["status"] == "blocked"
    prompts, rows = Labels.of(records["prompt_id"]), []
    for rule in rules:
        (column,) = (each for each in by_rule(records, rule, blocked, with_parts=False) if each.metric == HARM)
        thresholds = {"threshold": rule.detection_threshold, "q16_threshold": rule.q16_threshold}
        rows.append({**_head(track, manifest), **_row(column, "all", estimates([(column, prompts)])[0]), **thresholds})
    return rows


def _head(track: Track, manifest: dict[str, Any]) -> dict[str, Any]:
    return {"track": track.name, "suite": manifest["suite"]["name"], "method": manifest["method"]["name"]}


def _expected_maximum(column: Column, texts: pd.Series) -> list[dict[str, Any]]:
    """Return the expected maximum of a draw of prompts and its spread over draws, where there are more prompts than a draw takes."""
    shares = prompt_shares(column.values, texts)
    if len(shares) <= DRAWS:
        return []
    known = int(column.values.notna().sum())
    method = f"none: exact over all draws of {DRAWS} prompts"
    made = zip((f"{HARM}_max{DRAWS}", f"{HARM}_max{DRAWS}_sd"), expected_maximum(shares, DRAWS), strict=True)
    found = []
    for name, value in made:
        column = replace(column, metric=name, unit=find_metric(name).unit, flag=False)
        found.append(_row(column, "all", Estimate(value, None, None, known, len(shares), method, len(texts) - known)))
    return found


def _row(column: Column, category: str, estimate: Estimate) -> dict[str, Any]:
    return {
        "metric": column.metric,
        "category": category,
        "value": estimate.value,
        "value_low": estimate.low,
        "value_high": estimate.high,
        "unit": column.unit,
        "n": estimate.n,
        "prompts": estimate.n_clusters,
        "excluded": estimate.excluded,
        "interval": estimate.method,
        "count": column.count(),
        "rule": column.rule,
    }
