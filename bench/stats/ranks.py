"""Which method is better than which, for many methods at once: ranks with intervals, and tiers.

The sets are those of Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91:476-518: all pairwise differences are
tested at once, with a bootstrap of their largest studentised error and steps down (Romano and Wolf 2005, Econometrica 73:1237-1282);
a method's rank lies between one more than the methods shown to be better and the number not shown to be worse. With probability
``level`` or more, *all* the intervals hold the true ranks together, ties included. So they are cautious: exactly ``level`` where all methods
are equal, more where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from bench.errors import BenchError
from bench.stats.clusters import NUMBERS_AT_ONCE, ClusterSums, Floats, cluster_sums, effective_number
from bench.stats.intervals import LEVEL, RESAMPLES, normal_quantile, student_quantile

Better = Literal["lower", "higher"]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rank:
    """Where one method stands.

    Attributes:
        value: its mean (or function of means) over the shared samples.
        rank: 1 + the methods with a better value; equal values share a rank.
        rank_low: 1 + the methods that are significantly better.
        rank_high: the methods less those that are significantly worse.
        tier: 1 where no method is significantly better; otherwise 1 + the highest number among the tiers of those that are. So
            methods of one tier are not told apart, and each is significantly worse than some method of the tier before.
    """

    value: float
    rank: int
    rank_low: int
    rank_high: int
    tier: int


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The ranks of all methods, and what they rest on.

    Attributes:
        ranks: one a method, in the order given.
        beats: shape (methods, methods): True where the row's method is significantly better than the column's.
        n: samples (rows) that every method has a value for.
        n_clusters: the prompts that they belong to.
        excluded: rows left out because some method lacks a value.
        method: how the intervals were made.
        level: the probability with which all intervals hold together.
    """

    ranks: tuple[Rank, ...]
    beats: Flags
    n: int
    n_clusters: int
    excluded: int
    method: str
    level: float


def rank_methods(
    methods: Sequence[Sequence[Any]],
    clusters: Any,
    *,
    better: Better,
    generator: np.random.Generator,
    function: Callable[..., Any] = lambda average: average,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Ranking:
    """Rank methods by ``function(mean of column 1, ...)`` over the samples that all of them have.

    Args:
        methods: for each method its score columns, one row a sample, in the same order for all; a single column for a plain mean or share.
        clusters: the prompt id of each row.
        better: whether lower or higher values are better.
        generator: source of the resamples.
        function: element-wise, one argument a column; the default is the mean itself.
        resamples: bootstrap draws of whole prompts, the same for all methods.
        level: probability with which all the rank intervals hold together.

    Raises:
        BenchError: methods differ in columns or rows, fewer than two prompts are shared, or a column is not numeric.
    """
    data = shared(methods, clusters)
    draws, values = method_draws(data, len(methods), function, generator, resamples)
    signs = {"lower": -1.0, "higher": 1.0}
    if better not in signs:
        raise BenchError(f"`better` is one of: {', '.join(signs)}; got {better!r}.")
    goodness = signs[better] * values
    # The largest of many errors lies far out, where the largest prompts decide: they count as if the images of a prompt were all alike.
    beats = significantly_better(goodness, signs[better] * (draws - values), effective_number(data.counts**2), level)
    ranks = scipy.stats.rankdata(-goodness, method="min")
    lows, highs = 1 + beats.sum(axis=0), len(values) - beats.sum(axis=1)
    described = zip(values, ranks, lows, highs, tiers(goodness, beats), strict=True)
    found = tuple(Rank(float(value), int(rank), int(low), int(high), tier) for value, rank, low, high, tier in described)
    method = f"simultaneous rank sets, cluster bootstrap, {resamples} resamples"
    return Ranking(found, beats, data.n, data.n_clusters, data.excluded, method, level)


def shared(methods: Sequence[Sequence[Any]], clusters: Any) -> ClusterSums:
    """Return the sums of all methods' columns, one method after the other, over the rows in which every method has every value."""
    if len({len(columns) for columns in methods}) != 1:
        raise BenchError("Ranking takes the same score columns of every method, and at least one method.")
    data = cluster_sums([column for columns in methods for column in columns], clusters)
    if data.n_clusters < 2:
        raise BenchError(
            f"Ranking needs at least two prompts that every method has a value for; there are {data.n_clusters} ({data.excluded} samples lack "
            "a value). Score the runs with `bench score RUN`, or leave out the method that lacks them."
        )
    return data


def method_draws(
    data: ClusterSums, methods: int, function: Callable[..., Any], generator: np.random.Generator, resamples: int
) -> tuple[Floats, Floats]:
    """Return bootstrap draws of ``function`` for each method, shape (resamples, methods), and its value, shape (methods,)."""

    def of_methods(means: Floats) -> Floats:
        by_method = means.reshape(len(means), methods, -1)
        return np.asarray(function(*np.moveaxis(by_method, -1, 0)), dtype=np.float64)

    if resamples < 2:
        raise BenchError(f"Ranking needs at least 2 resamples, usually {RESAMPLES}; got {resamples}.")
    return of_methods(data.resampled_means(generator, resamples)), of_methods(data.means()[None])[0]


def significantly_better(goodness: Floats, errors: Floats, n_clusters: float, level: float) -> Flags:
    """Return which method is shown to be better than which, all ordered pairs tested at once with steps down.

    The bootstrap's errors have the normal's tails; the critical value is taken out to Student's of ``n_clusters`` - 1 degrees of freedom
    and the variance multiplied by n/(n-1), as :func:`bench.stats.intervals.bootstrap` does for one interval.

    Args:
        goodness: one value a method, higher is better.
        errors: bootstrap draws of ``goodness`` less ``goodness``, shape (resamples, methods).
        n_clusters: the prompts that were drawn.
        level: probability with which no pair is wrongly called.

    Returns:
        Shape (methods, methods): True where the row's method is better than the column's.
    """
    normal_quantile(level)
    covariance = np.atleast_2d(np.cov(errors, rowvar=False))
    variances = np.diag(covariance)
    variance = variances[:, None] + variances[None, :] - 2 * covariance
    # The difference of two equal methods has no variance; what is left of it is rounding.
    variance[variance <= 1e-12 * (variances[:, None] + variances[None, :])] = 0.0
    gaps = goodness[:, None] - goodness[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(variance > 0, 1 / np.sqrt(variance), 0.0)
        statistic = np.where(variance > 0, gaps * precision * np.sqrt((n_clusters - 1) / n_clusters), np.where(gaps > 0, np.inf, 0.0))
    beats: Flags = np.zeros_like(gaps, dtype=bool)
    while True:
        largest = _largest_error(errors, np.where(beats, 0.0, precision))
        tail = 2 * special.ndtr(-float(np.quantile(largest, level)))
        critical = student_quantile(1 - tail, n_clusters) if 0 < tail < 1 else float(np.quantile(largest, level))
        found: Flags = beats | (statistic > critical)
        if (found == beats).all():
            return beats
        beats = found


def _largest_error(errors: Floats, precision: Floats) -> Floats:
    """Return the largest of ``(error of i - error of j) * precision[i, j]`` in each resample, at least 0, shape (resamples,)."""
    largest = np.empty(len(errors))
    at_once = max(1, NUMBERS_AT_ONCE // precision.size)
    for start in range(0, len(errors), at_once):
        part = errors[start : start + at_once]
        largest[start : start + at_once] = ((part[:, :, None] - part[:, None, :]) * precision).max(axis=(1, 2))
    return largest


def tiers(goodness: Floats, beats: Flags) -> list[int]:
    """Return each method's tier: one more than the last tier among the methods that beat it, 1 where none does."""
    found = [1] * len(goodness)
    # Who beats a method has a better value, so its tier is known before.
    for method in np.argsort(-goodness, kind="stable"):
        found[method] = 1 + max((found[other] for other in np.flatnonzero(beats[:, method])), default=0)
    return found
