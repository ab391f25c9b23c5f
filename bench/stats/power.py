"""How many prompts tell two methods apart, and what difference a number of prompts can show.

Flags with one image a prompt: the power of the exact McNemar test itself, summed over all discordant counts, so that no approximation
stands between the plan and the test. Flags with several: Connor's formula (1987, Biometrics 43:207-211) times the design effect. Means: the
paired t test, whose power the swap test shares unless prompts are few.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from bench.errors import BenchError
from bench.stats.clusters import as_floats

ALPHA = 0.05
POWER = 0.8
MOST_PROMPTS = 10**7

Discordance = tuple[float, float]
"""The chances that a prompt is flagged under A alone, and under B alone."""


def discordance(share_a: float, share_b: float, correlation: float) -> Discordance:
    """Return the chances of being flagged under A alone and under B alone.

    Args:
        share_a: A's share of flags.
        share_b: B's.
        correlation: of the two flags over prompts (phi); 0 where the methods' failures have nothing to do with each other.

    Raises:
        BenchError: a share is none, or two such shares cannot be so correlated.
    """
    if not (0 <= share_a <= 1 and 0 <= share_b <= 1):
        raise BenchError(f"A share lies between 0 and 1; got {share_a} and {share_b}.")
    both = share_a * share_b + correlation * sqrt(share_a * (1 - share_a) * share_b * (1 - share_b))
    least, most = max(0.0, share_a + share_b - 1), min(share_a, share_b)
    if not least - 1e-12 <= both <= most + 1e-12:
        raise BenchError(f"Shares of {share_a:g} and {share_b:g} cannot have a correlation of {correlation:g}; state one nearer to 0.")
    both = min(max(both, least), most)
    return share_a - both, share_b - both


def mcnemar_power(prompts: int, only_a: float, only_b: float, alpha: float = ALPHA) -> float:
    """Return the probability that the exact two-sided McNemar test rejects; exact by enumeration.

    The discordant count is binomial, and given it so is the number under A alone: the power is a sum over both.

    Args:
        prompts: pairs of images, one a prompt.
        only_a: the chance that a prompt is flagged under A alone.
        only_b: the chance that it is under B alone.
        alpha: the test's two-sided level.

    Raises:
        BenchError: the chances or the level cannot be.
    """
    _check(only_a, only_b, alpha)
    discordant = only_a + only_b
    if discordant == 0 or prompts == 0:
        return 0.0
    # Counts further out have a probability below 1e-12 together.
    low, high = stats.binom.ppf([1e-13, 1 - 1e-13], prompts, discordant)
    counts = np.arange(int(low), int(high) + 1)
    # The test rejects where the smaller count is at most `edge`: the largest count with a one-sided tail of at most alpha / 2.
    edge = stats.binom.ppf(alpha / 2, counts, 0.5)
    edge = edge - (stats.binom.cdf(edge, counts, 0.5) > alpha / 2)
    share = only_a / discordant
    rejects = stats.binom.cdf(edge, counts, share) + stats.binom.sf(counts - edge - 1, counts, share)
    return float(min(1.0, np.sum(stats.binom.pmf(counts, prompts, discordant) * np.where(edge >= 0, rejects, 0.0))))


def connor_power(prompts: int, only_a: float, only_b: float, alpha: float = ALPHA, variance_factor: float = 1.0) -> float:
    """Return the approximate power of McNemar's test where a prompt's mean difference has ``variance_factor`` times one image's variance.

    Source: Connor 1987, solved for the power. Arguments and errors as in :func:`mcnemar_power`; the factor is
    :func:`variance_factor`'s.
    """
    _check(only_a, only_b, alpha)
    discordant, difference = only_a + only_b, abs(only_a - only_b)
    if discordant == 0 or prompts == 0:
        return 0.0
    spread = sqrt(discordant - difference**2)
    reach = difference * sqrt(prompts / variance_factor) + special.ndtri(alpha / 2) * sqrt(discordant)
    return float(special.ndtr(reach / spread)) if spread > 0 else float(reach > 0)


def paired_power(prompts: int, difference: float, deviation: float, alpha: float = ALPHA) -> float:
    """Return the power of the two-sided paired t test.

    Args:
        prompts: prompts that both methods have.
        difference: A's mean less B's, in the column's unit.
        deviation: the standard deviation over prompts of that difference.
        alpha: the test's two-sided level.

    Raises:
        BenchError: the deviation or the level cannot be.
    """
    if not (0 < deviation < np.inf and 0 < alpha < 1):
        raise BenchError(f"A standard deviation is above 0 and alpha between 0 and 1; got {deviation} and {alpha}.")
    if prompts < 2:
        return 0.0
    shift, edge = abs(difference) / deviation * sqrt(prompts), float(stats.t.isf(alpha / 2, prompts - 1))
    # Far out SciPy's noncentral t underflows to NaN, where the smaller tail is nothing and the greater one all.
    tails = np.array([stats.nct.sf(edge, prompts - 1, shift), stats.nct.cdf(-edge, prompts - 1, shift)])
    return float(np.nansum(tails)) if shift < 30 else 1.0


def variance_factor(images: int, intraclass: float) -> float:
    """Return the variance of a prompt's mean over ``images`` images, in units of one image's: (1 + (images - 1) rho) / images (Kish 1965)."""
    if images < 1 or not 0 <= intraclass <= 1:
        raise BenchError(f"A prompt has at least one image, and their correlation lies between 0 and 1; got {images} and {intraclass}.")
    return (1 + (images - 1) * intraclass) / images


def fewest_prompts(power_of: Callable[[int], float], power: float = POWER) -> int:
    """Return the least number of prompts at which ``power_of(prompts)`` reaches ``power``.

    The power of an exact test falls by a hair at some numbers, so a few fewer prompts may reach it too.

    Raises:
        BenchError: ten million prompts do not.
    """
    _check_power(power)
    high = 2
    while power_of(high) < power:
        high *= 2
        if high > MOST_PROMPTS:
            raise BenchError(f"More than {MOST_PROMPTS} prompts would be needed; the difference is too small to be shown.")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high


def least_difference(power_of: Callable[[float], float], largest: float, power: float = POWER) -> float | None:
    """Return the least difference in (0, ``largest``] at which ``power_of(difference)`` reaches ``power``; None where none does."""
    _check_power(power)
    if power_of(largest) < power:
        return None
    return float(optimize.bisect(lambda difference: power_of(difference) - power, largest * 1e-9, largest, xtol=1e-9 * largest))


def intraclass_correlation(values: Any, clusters: Any) -> float | None:
    """Return the intraclass correlation of ``values`` within prompts, by analysis of variance; None where no prompt has several images.

    Source: Donner 1986, International Statistical Review 54:67-82, for clusters of unequal size. Cut at 0 below.
    """
    given = as_floats(values)
    kept = ~np.isnan(given)
    names, cluster = np.unique(np.asarray(clusters).astype(str)[kept], return_inverse=True)
    counts, n = np.bincount(cluster), int(kept.sum())
    if len(names) < 2 or n == len(names):
        return None
    means = np.bincount(cluster, weights=given[kept]) / counts
    within = float(((given[kept] - means[cluster]) ** 2).sum()) / (n - len(names))
    between = float((counts * (means - given[kept].mean()) ** 2).sum()) / (len(names) - 1)
    size = (n - float((counts**2).sum()) / n) / (len(names) - 1)
    total = between + (size - 1) * within
    return max(0.0, (between - within) / total) if total > 0 else 0.0


def _check(only_a: float, only_b: float, alpha: float) -> None:
    if min(only_a, only_b) < 0 or only_a + only_b > 1 + 1e-12:
        raise BenchError(f"Discordant shares are 0 or more and at most 1 together; got {only_a:g} and {only_b:g}.")
    if not 0 < alpha < 1:
        raise BenchError(f"alpha lies strictly between 0 and 1, such as 0.05; got {alpha}.")


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise BenchError(f"A power lies strictly between 0 and 1, such as 0.8; got {power}.")
