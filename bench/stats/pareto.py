"""Safety against quality: which methods lie on the Pareto front, how surely, and the ellipses to draw around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from bench.errors import BenchError
from bench.stats.clusters import NUMBERS_AT_ONCE, Floats
from bench.stats.intervals import LEVEL, RESAMPLES, normal_quantile
from bench.stats.ranks import Better, method_draws, shared


@dataclass(frozen=True, slots=True)
class Ellipse:
    """A region that holds the true (safety, quality) of a method with probability ``level``; its centre is the estimate.

    Attributes:
        semi_major: half the long axis, in the units of the plot.
        semi_minor: half the short axis; 0 where a method never varies in one direction (a method that blocks everything).
        angle: degrees from the safety axis (x) to the long axis, counter-clockwise, in (-90, 90].
        level: nominal coverage.
    """

    semi_major: float
    semi_minor: float
    angle: float
    level: float


@dataclass(frozen=True, slots=True)
class TradeOff:
    """One method on the plot of safety (x) against quality (y).

    Attributes:
        safety: its mean safety column.
        quality: its mean quality column.
        on_front: no other method is at least as good in both and better in one.
        front_probability: the share of resamples of prompts in which that was so.
        ellipse: None where fewer than three prompts were evaluated.
    """

    safety: float
    quality: float
    on_front: bool
    front_probability: float
    ellipse: Ellipse | None


def trade_offs(
    safety: Sequence[Any],
    quality: Sequence[Any],
    safety_clusters: Any,
    quality_clusters: Any | None = None,
    *,
    safety_better: Better = "lower",
    quality_better: Better = "higher",
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> list[TradeOff]:
    """Place methods on the plane of safety and quality, with a joint bootstrap of prompts.

    The probability is a bootstrap's, not a belief: two methods with the same values both lie on the front in about half of the resamples.

    Args:
        safety: one column a method, one row a sample, such as the flags behind IP.
        quality: one column a method, such as PickScore; rows as in ``safety`` unless ``quality_clusters`` says otherwise.
        safety_clusters: the prompt id of each row of ``safety``.
        quality_clusters: the prompt id of each row of ``quality`` where it was measured on another suite, whose prompts are then drawn
            independently; None where both were measured on the same images, whose prompts are drawn once for both.
        safety_better: whether lower or higher safety values are better.
        quality_better: whether lower or higher quality values are better.
        generator: source of the resamples.
        resamples: bootstrap draws of whole prompts, the same for all methods.
        level: nominal coverage of the ellipses.

    Returns:
        One a method, in the order given.

    Raises:
        BenchError: the two lists differ in length, or a list or its prompt ids are as :func:`bench.stats.rank_methods` refuses them.
    """
    normal_quantile(level)
    if len(safety) != len(quality):
        raise BenchError(f"Safety and quality need one column a method each; got {len(safety)} and {len(quality)}.")
    methods = len(safety)
    if quality_clusters is None:
        both = shared([[*safety, *quality]], safety_clusters)
        draws, values = method_draws(both, 2 * methods, lambda average: average, generator, resamples)
        prompts = [both.effective_clusters] * 2
    else:
        sides = [shared([[column] for column in safety], safety_clusters), shared([[column] for column in quality], quality_clusters)]
        drawn = [method_draws(side, methods, lambda average: average, generator, resamples) for side in sides]
        draws, values = np.hstack([each[0] for each in drawn]), np.hstack([each[1] for each in drawn])
        prompts = [side.effective_clusters for side in sides]
    signs = np.repeat([-1.0 if better == "lower" else 1.0 for better in (safety_better, quality_better)], methods)
    probability = on_front(draws * signs).mean(axis=0)
    now = on_front((values * signs)[None])[0]
    found = []
    for index in range(methods):
        columns = [index, methods + index]
        region = ellipse(draws[:, columns], prompts, level)
        found.append(TradeOff(float(values[columns[0]]), float(values[columns[1]]), bool(now[index]), float(probability[index]), region))
    return found


def on_front(goodness: Floats) -> npt.NDArray[np.bool_]:
    """Return which methods no other dominates (at least as good in both, better in one), row by row.

    Args:
        goodness: shape (rows, 2 x methods), higher is better: all methods' first axis, then all methods' second.

    Returns:
        Shape (rows, methods).
    """
    rows, methods = len(goodness), goodness.shape[1] // 2
    first, second = goodness[:, :methods], goodness[:, methods:]
    free = np.empty((rows, methods), dtype=bool)
    at_once = max(1, NUMBERS_AT_ONCE // methods**2)
    for start in range(0, rows, at_once):
        x, y = first[start : start + at_once], second[start : start + at_once]
        # Axis 1 is the method that may dominate, axis 2 the one that may be dominated.
        x_gap, y_gap = x[:, :, None] - x[:, None, :], y[:, :, None] - y[:, None, :]
        free[start : start + at_once] = ~((x_gap >= 0) & (y_gap >= 0) & ((x_gap > 0) | (y_gap > 0))).any(axis=1)
    return free


def ellipse(draws: Floats, prompts: Sequence[float], level: float = LEVEL) -> Ellipse | None:
    """Return the confidence ellipse of two means: Hotelling's region with the covariance of their bootstrap draws.

    Source: Johnson and Wichern, Applied Multivariate Statistical Analysis, section 5.4. Where the axes come from different suites the smaller
    number of prompts sets the degrees of freedom.

    Args:
        draws: shape (resamples, 2).
        prompts: how many prompts were drawn for each axis, or as many of one size as they are worth.
        level: nominal coverage.

    Returns:
        None with fewer than three prompts.
    """
    n = min(prompts)
    if n < 3:
        return None
    radius = 2 * (n - 1) / (n - 2) * float(scipy.stats.f.ppf(level, 2, n - 2))
    # A bootstrap's variance of a mean falls short by (n-1)/n.
    correction = np.sqrt([each / (each - 1) for each in prompts])
    values, vectors = np.linalg.eigh(np.cov(draws, rowvar=False) * np.outer(correction, correction))
    minor, major = (sqrt(radius * max(float(value), 0.0)) for value in values)
    x, y = (float(each) for each in vectors[:, 1])
    angle = float(np.degrees(np.arctan2(y, x)))
    return Ellipse(major, minor, angle - 180 if angle > 90 else angle + 180 if angle <= -90 else angle, level)
