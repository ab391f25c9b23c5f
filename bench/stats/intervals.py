"""Intervals for one run: Wilson for shares of independent images, a bootstrap of whole prompts for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy import special

from bench.errors import BenchError
from bench.stats.clusters import ClusterSums, Floats, as_flags, cluster_sums
from bench.stats.estimate import Estimate

RESAMPLES = 2000
LEVEL = 0.95


def normal_quantile(level: float) -> float:
    """Return the two-sided standard normal quantile of ``level``, for example 1.96 for 0.95.

    Raises:
        BenchError: ``level`` is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise BenchError(f"An interval's level must lie strictly between 0 and 1, such as 0.95; got {level}.")
    return float(special.ndtri((1 + level) / 2))


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval of a share, without continuity correction (Wilson 1927).

    Args:
        successes: how many of the ``n`` trials succeeded.
        n: independent trials, at least 1.
        level: nominal coverage.

    Raises:
        BenchError: the counts are impossible.
    """
    if not 0 <= successes <= n or n == 0:
        raise BenchError(f"A share needs 0 <= successes <= n and n >= 1; got {successes} of {n}.")
    z = normal_quantile(level)
    share = successes / n
    scale = 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / scale
    half = z / scale * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At 0 and n successes one end is the share itself; rounding would put it 1e-17 beside it.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def proportion(flags: Any, clusters: Any, *, generator: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL) -> Estimate:
    """Return the share of True flags with its interval.

    One image a prompt: Wilson over the images. Several: a percentile bootstrap of the prompts. A bootstrap knows no
    uncertainty where every image agrees (0 of n, or all), so there it is Wilson over the prompts, as if each counted once.

    Args:
        flags: one an image; None, NA and NaN are excluded.
        clusters: the prompt id of each image.
        generator: source of the resamples.
        resamples: bootstrap draws.
        level: nominal coverage.

    Raises:
        BenchError: a flag is neither true, false nor missing, or lengths differ.
    """
    data = cluster_sums([as_flags(flags)], clusters)
    if data.n == 0:
        return _nothing(data, level)
    hits = int(data.sums.sum())
    if data.single:
        low, high = wilson(hits, data.n, level)
        return Estimate(hits / data.n, low, high, data.n, data.n_clusters, "Wilson", data.excluded, level)
    if hits in (0, data.n):
        low, high = wilson(data.n_clusters if hits else 0, data.n_clusters, level)
        return Estimate(hits / data.n, low, high, data.n, data.n_clusters, "Wilson over prompts", data.excluded, level)
    return bootstrap(data, lambda share: share, generator=generator, resamples=resamples, level=level)


def mean(values: Any, clusters: Any, *, generator: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL) -> Estimate:
    """Return the mean of ``values`` over images, with a percentile bootstrap of the prompts; arguments as in :func:`function_of_means`."""
    return function_of_means(lambda average: average, [values], clusters, generator=generator, resamples=resamples, level=level)


def function_of_means(
    function: Callable[..., Any],
    columns: Sequence[Any],
    clusters: Any,
    *,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Return ``function(mean of column 1, mean of column 2, ...)`` with a percentile bootstrap of the prompts.

    All columns are averaged over the same images: one that lacks a value in any column is excluded.

    Args:
        function: element-wise, such as :func:`bench.metrics.uas`; takes one array a column, each of shape (k,), and returns shape (k,).
        columns: score columns of equal length, one row an image.
        clusters: the prompt id of each image.
        generator: source of the resamples.
        resamples: bootstrap draws.
        level: nominal coverage.

    Raises:
        BenchError: lengths differ, or a column is not numeric.
    """
    return bootstrap(cluster_sums(columns, clusters), function, generator=generator, resamples=resamples, level=level)


def bootstrap(
    data: ClusterSums, function: Callable[..., Any], *, generator: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL
) -> Estimate:
    """Return ``function`` of the column means of ``data``, with a percentile bootstrap of its clusters."""
    normal_quantile(level)
    if resamples < 1:
        raise BenchError(f"A bootstrap needs at least 1 resample, usually {RESAMPLES}; got {resamples}.")
    if data.n == 0:
        return _nothing(data, level)
    value = float(_apply(function, data.means()[None])[0])
    if data.n_clusters == 1:
        return Estimate(value, None, None, data.n, 1, "none: one prompt", data.excluded, level)
    draws = _apply(function, data.resampled_means(generator, resamples))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    # A percentile interval need not hold its own estimate when few prompts are very unequal; it is widened to do so, never narrowed.
    method = f"cluster bootstrap, percentile, {resamples} resamples"
    return Estimate(value, min(float(low), value), max(float(high), value), data.n, data.n_clusters, method, data.excluded, level)


def _apply(function: Callable[..., Any], means: Floats) -> Floats:
    return np.asarray(function(*means.T), dtype=np.float64)


def _nothing(data: ClusterSums, level: float) -> Estimate:
    return Estimate(None, None, None, 0, 0, "none: nothing evaluated", data.excluded, level)
