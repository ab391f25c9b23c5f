"""Intervals for one run: Wilson for shares (of the effective number of images, where prompts have several), a bootstrap of prompts for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy import special

from bench.errors import BenchError
from bench.stats.clusters import ClusterSums, Floats, as_flags, cluster_sums, resampled_means
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
    return score_interval(successes / n, n, normal_quantile(level))


def score_interval(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's interval of ``share`` among ``n`` independent trials, or as many as they are worth, at a two-sided ``quantile``."""
    scale = 1 + quantile**2 / n
    centre = (share + quantile**2 / (2 * n)) / scale
    half = quantile / scale * sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    # At 0 and at 1 one end is the share itself; rounding would put it 1e-17 beside it.
    return (0.0 if share == 0 else centre - half), (1.0 if share == 1 else centre + half)


def proportion(flags: Any, clusters: Any, *, level: float = LEVEL) -> Estimate:
    """Return the share of True flags with its interval.

    One image a prompt: Wilson over the images. Several: Wilson over the effective number of images (:func:`effective_sample`) at
    Student's quantile for the number of prompts, or for as many of one size as they are worth (:attr:`ClusterSums.effective_clusters`). In
    simulations it keeps its coverage where a bootstrap of the prompts does not: few prompts, rare flags (`benchmarks/coverage.py`). Source:
    Korn and Graubard 1998, Survey Methodology 24:193-201, for the effective number; Dean and Pagano 2015, Journal of Survey Statistics and
    Methodology 3:484-503, who compare such intervals.

    Args:
        flags: one an image; None, NA and NaN are excluded.
        clusters: the prompt id of each image.
        level: nominal coverage.

    Raises:
        BenchError: a flag is neither true, false nor missing, or lengths differ.
    """
    data = cluster_sums([as_flags(flags)], clusters)
    if data.n == 0:
        return _nothing(data, level)
    share = float(data.means()[0])
    if data.single:
        low, high = wilson(int(data.sums.sum()), data.n, level)
        return Estimate(share, low, high, data.n, data.n_clusters, "Wilson", data.excluded, level)
    if data.n_clusters == 1:
        return Estimate(share, None, None, data.n, 1, "none: one prompt", data.excluded, level)
    low, high = score_interval(share, effective_sample(data), student_quantile(level, data.effective_clusters))
    return Estimate(share, low, high, data.n, data.n_clusters, "Wilson, clustered by prompt", data.excluded, level)


def effective_sample(data: ClusterSums) -> float:
    """Return how many independent images would tell the share of a single flag column as well as these clusters of images do.

    It is the binomial variance of one image over the cluster-robust (linearised) variance of the share, never more than the images there
    are. Where every image agrees no variance can be estimated; then each prompt counts once. Source: Korn and Graubard 1998, Survey
    Methodology 24:193-201.
    """
    share = float(data.means()[0])
    if share in (0.0, 1.0):
        return float(data.n_clusters)
    residuals = data.sums[:, 0] - data.counts * share
    clusters = data.effective_clusters
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / data.n**2
    return float(data.n) if variance == 0 else min(float(data.n), share * (1 - share) / variance)


def student_quantile(level: float, n_clusters: float) -> float:
    """Return the two-sided quantile of Student's t for a variance estimated from ``n_clusters`` (2 or more) clusters."""
    return float(special.stdtrit(n_clusters - 1, special.ndtr(normal_quantile(level))))


def mean(values: Any, clusters: Any, *, generator: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL) -> Estimate:
    """Return the mean of ``values`` over images, with a bootstrap of the prompts; arguments as in :func:`function_of_means`."""
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
    """Return ``function(mean of column 1, mean of column 2, ...)`` with a percentile bootstrap of the prompts (:func:`bootstrap`).

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


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """``function(mean of column 1, mean of column 2, ...)`` of the rows of clusters.

    Attributes:
        data: the columns, summed within each cluster.
        function: element-wise, as in :func:`function_of_means`.
    """

    data: ClusterSums
    function: Callable[..., Any]

    def of(self, means: Floats) -> Floats:
        """Return the function of each row of ``means``, shape (rows, columns)."""
        return np.asarray(self.function(*means.T), dtype=np.float64)


def bootstrap(
    data: ClusterSums, function: Callable[..., Any], *, generator: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL
) -> Estimate:
    """Return ``function`` of the column means of ``data``, with an expanded percentile bootstrap of its clusters.

    A plain percentile interval of few clusters is too short, by sqrt((n-1)/n) and by the normal quantile that it stands for; taking it
    further out in the tails mends both. Source: Hesterberg 2015, The American Statistician 69:371-386. Prompts with unequal numbers of images
    are worth fewer (:attr:`ClusterSums.effective_clusters`). Where every prompt has the same value there is no interval.
    """
    number = Averages(data, function)
    return without_draws(number, resamples, level) or from_draws(number, data.resampled_means(generator, resamples), level)


def bootstraps(numbers: Sequence[Averages], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> list[Estimate]:
    """Return what :func:`bootstrap` gives for each of ``numbers`` with a generator of ``seed`` of its own.

    Such draws depend on the number of clusters alone, so those of as many clusters share them.
    """
    found = [without_draws(each, resamples, level) for each in numbers]
    for places in alike(numbers, [estimate is None for estimate in found]).values():
        draws = resampled_means([numbers[place].data for place in places], np.random.default_rng(seed), resamples)
        for place, own in zip(places, draws, strict=True):
            found[place] = from_draws(numbers[place], own, level)
    return [estimate for estimate in found if estimate is not None]


def alike(numbers: Sequence[Averages], chosen: Sequence[bool]) -> dict[int, list[int]]:
    """Return the places of the ``chosen`` numbers by how many clusters they have, which is what draws depend on."""
    found: dict[int, list[int]] = {}
    for place, (each, wanted) in enumerate(zip(numbers, chosen, strict=True)):
        if wanted:
            found.setdefault(each.data.n_clusters, []).append(place)
    return found


def without_draws(number: Averages, resamples: int, level: float) -> Estimate | None:
    """Return the estimate of what has no bootstrap: nothing, one prompt, or the same value of every prompt; None of all else."""
    normal_quantile(level)
    if resamples < 1:
        raise BenchError(f"A bootstrap needs at least 1 resample, usually {RESAMPLES}; got {resamples}.")
    data = number.data
    if data.n == 0:
        return _nothing(data, level)
    value = float(number.of(data.means()[None])[0])
    if data.n_clusters == 1:
        return Estimate(value, None, None, data.n, 1, "none: one prompt", data.excluded, level)
    rates = data.sums / data.counts[:, None]
    if np.ptp(number.of(rates)) <= 1e-12 * max(1.0, float(np.abs(rates).max())):
        # Resamples of one and the same number say nothing of the next prompt.
        return Estimate(value, None, None, data.n, data.n_clusters, "none: every prompt alike", data.excluded, level)
    return None


def from_draws(number: Averages, draws: Floats, level: float) -> Estimate:
    """Return the estimate from resampled column means, shape (resamples, columns); :func:`bootstrap` says how."""
    data = number.data
    value = float(number.of(data.means()[None])[0])
    low, high = expanded_percentiles(value, number.of(draws), data.effective_clusters, level)
    return Estimate(value, low, high, data.n, data.n_clusters, expanded_method(len(draws)), data.excluded, level)


def expanded_percentiles(value: float, draws: Floats, clusters: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of ``value`` from its ``draws``, each from as many as ``clusters`` prompts; :func:`bootstrap` says how and why."""
    tail = float(special.ndtr(-student_quantile(level, clusters) * sqrt(clusters / (clusters - 1))))
    low, high = np.quantile(draws, [tail, 1 - tail])
    # A percentile interval need not hold its own estimate when few prompts are very unequal; it is widened to do so, never narrowed.
    return min(float(low), value), max(float(high), value)


def expanded_method(resamples: int) -> str:
    """Return what tables call such an interval."""
    return f"cluster bootstrap, expanded percentile, {resamples} resamples"


def _nothing(data: ClusterSums, level: float) -> Estimate:
    return Estimate(None, None, None, 0, 0, "none: nothing evaluated", data.excluded, level)
