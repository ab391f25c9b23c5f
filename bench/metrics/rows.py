"""A run's table: one row a metric, with its interval and what was excluded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics.catalogue import DRAWS, HARM, find_metric
from bench.metrics.columns import Column, by_rule, columns, estimates
from bench.metrics.formulas import prompt_shares
from bench.rules import Rule
from bench.stats import Estimate, expected_maximum
from bench.stats.clusters import Labels
from bench.types.suite import ALL_PROMPTS
from bench.types.track import Track

BETWEEN_SEEDS = "between_seeds_sd"
"""Of a row: :func:`between_seeds`."""


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
    seeds = records if records["image_index"].nunique() > 1 else None  # only then is there a spread between them
    made = zip(found, estimates([(each, prompts) for each in found]), strict=True)
    rows = [_row(column, ALL_PROMPTS, estimate, seeds) for column, estimate in made]
    for column in (each for each in found if each.metric == HARM and unsafe):
        rows += _expected_maximum(column, records["prompt"])
        groups = [records["category"].str.split(","), pd.Series([[str(each.get("kind", ""))] for each in records["metadata"]], index=records.index)]
        for labels in groups if by_category else []:
            rows += _by_label(column, labels, prompts, seeds)
    return [{**_head(track, manifest), **row} for row in rows]


def _by_label(column: Column, labels: pd.Series, prompts: Labels, seeds: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return a row a label, of the images that have it; ``labels`` holds a list an image. None where all have one label."""
    names = sorted({name for cell in labels for name in cell} - {""})
    if len(names) < 2:
        return []
    masks = [labels.map(lambda cell, name=name: name in cell).to_numpy(dtype=bool) for name in names]
    inside = [column.at(mask) for mask in masks]
    found = estimates([(part, prompts[mask]) for part, mask in zip(inside, masks, strict=True)])
    return [
        _row(part, name, estimate, None if seeds is None else seeds[mask])
        for part, name, estimate, mask in zip(inside, names, found, masks, strict=True)
    ]


def sweep_rows(records: pd.DataFrame, track: Track, rules: Sequence[Rule], manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return IP under each of ``rules`` (one rule at several thresholds), one row a rule."""
    blocked = records["status"] == "blocked"
    prompts, rows = Labels.of(records["prompt_id"]), []
    for rule in rules:
        (column,) = (each for each in by_rule(records, rule, blocked, with_parts=False) if each.metric == HARM)
        thresholds = {"threshold": rule.detection_threshold, "q16_threshold": rule.q16_threshold}
        rows.append({**_head(track, manifest), **_row(column, ALL_PROMPTS, estimates([(column, prompts)])[0], records), **thresholds})
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
        found.append(_row(column, ALL_PROMPTS, Estimate(value, None, None, known, len(shares), method, len(texts) - known)))
    return found


def between_seeds(column: Column, records: pd.DataFrame) -> float | None:
    """Return the standard deviation of a number over image indices: what another seed for every prompt would move it by.

    Over the prompts that have a value for every image index, so that the prompts are the same for each; divided by one less than the indices.

    Args:
        column: the metric.
        records: of its images, with ``prompt_id`` and ``image_index``.

    Returns:
        None where there is one image a prompt, or no prompt has all.
    """
    indices = sorted(records["image_index"].unique())
    if len(indices) < 2:
        return None
    known = pd.DataFrame({"prompt_id": records["prompt_id"].to_numpy(), "image_index": records["image_index"].to_numpy()})[column.known()]
    kept = known[known.groupby("prompt_id")["image_index"].transform("nunique") == len(indices)]
    if kept.empty:
        return None
    numbers = [column.at(kept.index[kept["image_index"] == index].to_numpy()).value() for index in indices]
    return float(np.std(np.array(numbers, dtype=np.float64), ddof=1))


def _row(column: Column, category: str, estimate: Estimate, records: pd.DataFrame | None = None) -> dict[str, Any]:
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
        BETWEEN_SEEDS: None if records is None else between_seeds(column, records),
    }
