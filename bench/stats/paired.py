"""Comparing two methods on the same samples: exact McNemar, score interval, paired bootstrap, swap test, Holm, Benjamini-Hochberg.

Only pairs in which both methods have every value count; the others are excluded and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import scipy

from bench.errors import BenchError
from bench.stats.clusters import NUMBERS_AT_ONCE, Floats, as_flags, as_floats, cluster_sums, resampled_means
from bench.stats.estimate import Estimate
from bench.stats.intervals import LEVEL, RESAMPLES, Averages, alike, from_draws, normal_quantile, without_draws


@dataclass(frozen=True, slots=True)
class McNemar:
    """The discordant pairs of two flags and the exact test on them.

    Attributes:
        only_a: pairs flagged under A alone.
        only_b: pairs flagged under B alone.
        n: pairs evaluated.
        excluded: pairs left out because a flag was missing.
        p_value: two-sided; None where no pair was evaluated.
    """

    only_a: int
    only_b: int
    n: int
    excluded: int
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far A lies above B on the same samples.

    Attributes:
        difference: A minus B, with its interval.
        p_value: two-sided, unadjusted; None where there is nothing to test.
        test: the test's name.
    """

    difference: Estimate
    p_value: float | None
    test: str


def mcnemar(a: Any, b: Any, clusters: Any) -> McNemar:
    """Return the exact two-sided McNemar test: a fair-coin binomial test on the discordant pairs.

    Args:
        a: A's flags, one an image.
        b: B's flags for the same samples, in the same order.
        clusters: the prompt id of each pair.

    Raises:
        BenchError: a prompt has several pairs (they are not independent), or something is no flag.
    """
    only_a, only_b, n, excluded = _discordant(a, b, clusters)
    p_value = None if n == 0 else 1.0 if only_a + only_b == 0 else float(scipy.stats.binomtest(only_a, only_a + only_b).pvalue)
    return McNemar(only_a, only_b, n, excluded, p_value)


def risk_difference(a: Any, b: Any, clusters: Any, *, level: float = LEVEL) -> Estimate:
    """Return share(A) - share(B) over matched pairs, with Tango's score interval.

    It keeps its coverage where pairs are few or discordance is rare, and it excludes 0 exactly when McNemar's
    uncorrected asymptotic test rejects. Source: Tango 1998, Statistics in Medicine 17:891-908. Arguments and errors as in :func:`mcnemar`.
    """
    only_a, only_b, n, excluded = _discordant(a, b, clusters)
    z = normal_quantile(level)
    if n == 0:
        return Estimate(None, None, None, 0, 0, "none: nothing evaluated", excluded, level)
    value = (only_a - only_b) / n
    low = -1.0 if value == -1 else float(scipy.optimize.bisect(lambda delta: tango_score(only_a, only_b, n, delta) - z, -1, value))
    high = 1.0 if value == 1 else float(scipy.optimize.bisect(lambda delta: tango_score(only_a, only_b, n, delta) + z, value, 1))
    return Estimate(value, low, high, n, n, "Tango score", excluded, level)


def tango_score(only_a: int, only_b: int, n: int, delta: float) -> float:
    """Return the score statistic for the hypothesis that share(A) - share(B) equals ``delta``; standard normal under it."""
    distance = only_a - only_b - n * delta
    if distance == 0:
        return 0.0
    # P(B alone) under the hypothesis is the larger root of 2n x^2 + linear x + constant = 0: the likelihood is greatest there.
    linear = -only_a - only_b + (2 * n - only_a + only_b) * delta
    constant = -only_b * delta * (1 - delta)
    only_b_share = (sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * only_b_share + delta * (1 - delta))
    return distance / sqrt(variance) if variance > 0 else float(np.copysign(np.inf, distance))


def compare_flags(a: Any, b: Any, clusters: Any, *, generator: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL) -> Comparison:
    """Return share(A) - share(B), tested; ``a`` and ``b`` are as in :func:`mcnemar`, the rest as in :func:`compare_means`.

    One image a prompt: Tango's interval and exact McNemar. Several: those would treat images of one prompt as
    independent, so it is :func:`compare_means`, a bootstrap and a swap test of whole prompts.
    """
    if not one_a_cluster(a, b, clusters):
        return compare_means([a], [b], clusters, generator=generator, resamples=resamples, level=level)
    return compare_single_flags(a, b, clusters, level=level)


def one_a_cluster(a: Any, b: Any, clusters: Any) -> bool:
    """Return whether no prompt has several pairs of flags, so that pairs are as independent as prompts."""
    return cluster_sums([as_flags(a), as_flags(b)], clusters).single


def compare_single_flags(a: Any, b: Any, clusters: Any, *, level: float = LEVEL) -> Comparison:
    """Return share(A) - share(B) with Tango's interval and exact McNemar; arguments and errors as in :func:`mcnemar`."""
    return Comparison(risk_difference(a, b, clusters, level=level), mcnemar(a, b, clusters).p_value, "exact McNemar")


def compare_means(
    a: Sequence[Any],
    b: Sequence[Any],
    clusters: Any,
    *,
    generator: np.random.Generator,
    function: Callable[..., Any] = lambda average: average,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Comparison:
    """Return ``function(means of A's columns) - function(means of B's columns)``, tested.

    The interval is a bootstrap of the prompts, drawn for both methods at once. The p-value is of the hypothesis that
    A and B are exchangeable within every prompt: each swap exchanges them for a random half of the prompts, and the
    observed arrangement counts as one of the swaps, so the smallest p-value is 1 / (resamples + 1).

    Args:
        a: A's score columns, one row an image; a single column for a plain difference of means.
        b: B's columns for the same samples, in the same order.
        clusters: the prompt id of each row.
        generator: source of the resamples.
        function: element-wise, one argument a column; the default is the mean itself, for a single column.
        resamples: bootstrap draws, and swaps.
        level: nominal coverage.

    Raises:
        BenchError: A and B differ in columns or length, or a column is not numeric.
    """
    gap = gap_of(a, b, clusters, function)
    fixed = without_draws(gap, resamples, level)
    drawn = None if fixed else gap.data.resampled_means(generator, resamples)
    difference = fixed or from_draws(gap, np.asarray(drawn), level)
    return Comparison(difference, _swap_p_values([gap], generator, resamples)[0], _swapped(resamples))


def compare_gaps(gaps: Sequence[Averages], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> list[Comparison]:
    """Return what :func:`compare_means` gives for each of ``gaps`` with a generator of ``seed`` of its own.

    Gaps of as many clusters share their resamples, and their swaps.

    Args:
        gaps: from :func:`gap_of`.
        seed: of the generators.
        resamples: bootstrap draws, and swaps.
        level: nominal coverage.
    """
    fixed = [without_draws(gap, resamples, level) for gap in gaps]
    without, found = [each is not None for each in fixed], dict[int, Comparison]()
    for drawn in (True, False):  # a gap that draws nothing for its interval swaps from the generator's first number on
        for places in alike(gaps, [each != drawn for each in without]).values():
            generator, together = np.random.default_rng(seed), [gaps[place] for place in places]
            if drawn:
                draws = resampled_means([gap.data for gap in together], generator, resamples)
                for place, own in zip(places, draws, strict=True):
                    fixed[place] = from_draws(gaps[place], own, level)
            for place, p_value in zip(places, _swap_p_values(together, generator, resamples), strict=True):
                found[place] = Comparison(cast("Estimate", fixed[place]), p_value, _swapped(resamples))
    return [found[place] for place in range(len(gaps))]


def gap_of(a: Sequence[Any], b: Sequence[Any], clusters: Any, function: Callable[..., Any] = lambda average: average) -> Averages:
    """Return ``function(means of A's columns) - function(means of B's columns)``; arguments and errors as in :func:`compare_means`."""
    if len(a) != len(b):
        raise BenchError(f"Both methods need the same score columns; got {len(a)} and {len(b)}.")
    columns = len(a)

    def gap(*means: Floats) -> Floats:
        return np.asarray(function(*means[:columns]) - function(*means[columns:]), dtype=np.float64)

    return Averages(cluster_sums([*a, *b], clusters), gap)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's step-down adjusted p-values, in the order given (Holm 1979).

    A missing value (None or NaN) is no test: it stays None and does not count towards the number of tests.

    Raises:
        BenchError: a p-value lies outside [0, 1].
    """
    given, tested = _tested(p_values)
    order = tested[np.argsort(given[tested], kind="stable")]
    steps = given[order] * np.arange(len(order), 0, -1)
    return _in_place(np.minimum(np.maximum.accumulate(steps), 1.0), order, len(given))


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted to control the share of false discoveries, in the order given (Benjamini and Hochberg 1995).

    For screens of many tests, of which some claims may be wrong; where each single claim counts, use :func:`holm`. Missing values
    and errors as there. It holds for independent and for positively dependent tests, such as methods compared with one baseline.
    """
    given, tested = _tested(p_values)
    adjusted = scipy.stats.false_discovery_control(given[tested], method="bh") if len(tested) else given[tested]
    return _in_place(adjusted, tested, len(given))


def _tested(p_values: Sequence[float | None]) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the p-values, and where they are not missing."""
    given = as_floats(p_values)
    tested = np.flatnonzero(~np.isnan(given))
    if ((given[tested] < 0) | (given[tested] > 1)).any():
        raise BenchError(f"p-values lie between 0 and 1; got {[float(p) for p in given[tested]]}.")
    return given, tested


def _in_place(adjusted: Floats, places: npt.NDArray[np.intp], length: int) -> list[float | None]:
    """Return a list of ``length`` that holds ``adjusted`` at ``places`` and None elsewhere."""
    found: list[float | None] = [None] * length
    for place, p_value in zip(places, adjusted, strict=True):
        found[place] = float(p_value)
    return found


def _discordant(a: Any, b: Any, clusters: Any) -> tuple[int, int, int, int]:
    """Return (pairs with A alone, with B alone, all pairs, pairs excluded)."""
    data = cluster_sums([as_flags(a), as_flags(b)], clusters)
    if not data.single:
        raise BenchError("McNemar's test and Tango's interval need one image a prompt; use compare_flags where a prompt has several.")
    gap = data.sums[:, 0] - data.sums[:, 1]
    return int((gap > 0).sum()), int((gap < 0).sum()), data.n, data.excluded


def _swapped(resamples: int) -> str:
    return f"swap test, {resamples} swaps"


def _swap_p_values(gaps: Sequence[Averages], generator: np.random.Generator, resamples: int) -> list[float | None]:
    """Return the swap test's p-value of each gap, None of nothing; all have the same number of clusters and see the same swaps."""
    clusters = gaps[0].data.n_clusters
    if clusters == 0:
        return [None] * len(gaps)
    tests = [_SwapTest.of(gap) for gap in gaps]
    at_once = max(1, NUMBERS_AT_ONCE // clusters)
    for start in range(0, resamples, at_once):
        kept = generator.integers(2, size=(min(at_once, resamples - start), clusters)).astype(np.float64)
        for test in tests:
            test.extreme += test.swapped(kept)
    return [(test.extreme + 1) / (resamples + 1) for test in tests]


@dataclass(slots=True, eq=False)
class _SwapTest:
    """The swaps of one gap, counted."""

    gap: Averages
    apart: Floats
    theirs: Floats
    total: Floats
    threshold: float
    extreme: int = 0

    @classmethod
    def of(cls, gap: Averages) -> _SwapTest:
        columns = gap.data.sums.shape[1] // 2
        ours, theirs = gap.data.sums[:, :columns], gap.data.sums[:, columns:]
        observed = abs(float(gap.of(gap.data.means()[None])[0]))
        # A swap that only repeats the observed arrangement must count as extreme, whatever the order of its additions.
        threshold = observed - 1e-12 * max(1.0, observed)
        return cls(gap, ours - theirs, theirs.sum(axis=0), ours.sum(axis=0) + theirs.sum(axis=0), threshold)

    def swapped(self, kept: Floats) -> int:
        """Return in how many of the swaps the gap is as large as the observed one; ``kept`` says which clusters stay, shape (swaps, clusters)."""
        first = kept @ self.apart + self.theirs
        means = np.column_stack([first, self.total - first]) / self.gap.data.n
        return int((np.abs(self.gap.of(means)) >= self.threshold).sum())
