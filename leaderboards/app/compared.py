"""Methods against each other on the same samples: paired differences, by category, and the samples on which they disagree.

The tests are those of ``bench compare`` (:meth:`bench.metrics.columns.Column.compare`, Holm's adjustment), on a board's sample rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from bench.metrics.catalogue import composite, find_metric
from bench.metrics.columns import Column
from bench.metrics.composites import Constants
from bench.stats import holm
from bench.types.metric import SHARE
from bench.types.sample import KEY

DIFFERENCES = ("metric", "method", "value", "difference", "difference_low", "difference_high", "pairs", "p", "p_holm", "test")


def parts(name: str) -> tuple[str, ...]:
    """Return the sample columns that a metric is computed from: its own where every image has a value of it."""
    found = find_metric(name)
    return (name,) if found.of_images else found.made_of


def needed(metrics: Sequence[str]) -> list[str]:
    """Return the sample columns that ``metrics`` are made of."""
    return list(dict.fromkeys(part for name in metrics for part in parts(name)))


def column(samples: pd.DataFrame, name: str, unit: str, constants: Constants) -> Column:
    """Return one metric of one method's sample rows, as the harness's reports have it.

    Args:
        samples: the rows, by prompt and image.
        name: the metric's; that of the means is made of several columns.
        unit: its unit on the board; values are flags where it is a share.
        constants: those of the board.
    """
    first, *further = (samples[part] for part in parts(name))
    if not further:
        return Column(name, unit, unit == SHARE, first)
    score = composite(name, constants)
    assert score is not None, "a track without centres has no such number to compare"
    return Column(name, unit, False, first, further=tuple(further), function=score)


def differences(samples: pd.DataFrame, methods: Sequence[str], units: Mapping[str, str], constants: Constants) -> pd.DataFrame:
    """Return how far each method lies above the first, metric by metric, on the samples that both have.

    Args:
        samples: sample rows of one suite with the columns :func:`needed` names.
        methods: the baseline first.
        units: of the metrics to compare.
        constants: the board's, of the samples' track.

    Returns:
        The columns :data:`DIFFERENCES`, a row a metric and method; a pair without a shared value is left out.
    """
    frames = {method: _of(samples, method) for method in methods}
    base = frames[methods[0]]
    rows: list[list[object]] = []
    for metric, unit in units.items():
        lines: list[list[object]] = []
        p_values: list[float | None] = []
        ours = column(base, metric, unit, constants)
        for method in methods[1:]:
            shared = base.index.intersection(frames[method].index)
            theirs = column(frames[method], metric, unit, constants)
            if shared.empty or all(each.loc[shared].isna().all() for each in theirs.all_values()):
                continue
            at = [frames[each].index.get_indexer(shared) for each in (method, methods[0])]
            result = theirs.at(at[0]).compare(ours.at(at[1]), shared.get_level_values(0))
            gap = result.difference
            value = theirs.function(*(each.mean() for each in theirs.all_values()))
            lines.append([metric, method, float(value), gap.value, gap.low, gap.high, gap.n, result.p_value, result.test])
            p_values.append(result.p_value)
        rows += [[*line[:-1], adjusted, line[-1]] for line, adjusted in zip(lines, holm(p_values), strict=True)]
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def by_category(samples: pd.DataFrame, methods: Sequence[str], metric: str, unit: str, constants: Constants) -> pd.DataFrame:
    """Return the difference of one metric from the first method, by category: the columns of :func:`differences` and ``category``.

    A sample of several categories counts in each; p-values are not adjusted over categories.
    """
    labels = samples["category"].fillna("").str.split(",")
    found = []
    for name in sorted({each for cell in labels for each in cell} - {""}):
        inside = samples[[name in cell for cell in labels]]
        found.append(differences(inside, methods, {metric: unit}, constants).assign(category=name))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*DIFFERENCES, "category"])


def disagreements(samples: pd.DataFrame, methods: Sequence[str], metric: str) -> pd.DataFrame:
    """Return the samples that every method has a value for and that differ in it, the largest difference first.

    Returns:
        ``prompt_id``, ``image_index``, ``category``, one column a method, and ``gap``: the largest value less the smallest.
    """
    wide = samples.pivot_table(index=KEY, columns="method", values=metric, aggfunc="first", observed=True)
    if not set(methods) <= set(wide.columns):
        return pd.DataFrame(columns=[*KEY, "category", *methods, "gap"])
    wide = wide[list(methods)].dropna()
    wide["gap"] = wide.max(axis=1) - wide.min(axis=1)
    wide = wide[wide["gap"] > 0].sort_values("gap", ascending=False, kind="stable")
    category = samples.drop_duplicates(KEY).set_index(KEY)["category"]
    wide.insert(0, "category", category.reindex(wide.index))
    return wide.reset_index()


def _of(samples: pd.DataFrame, method: str) -> pd.DataFrame:
    return samples[samples["method"] == method].set_index(KEY)
