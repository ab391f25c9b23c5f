"""How often the intervals that tables print hold the truth, in simulation: the target is 94 to 96 in 100.

    python benchmarks/coverage.py                    # every case, 2,000 data sets each
    python benchmarks/coverage.py --only ranks --repeats 500 --seed 7

Prompts have from 1 to 9 images where they have several, and the images of one prompt are alike. Wilson is enumerated, not simulated.
Each case goes through the function that the tables call.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import exp, sqrt

import numpy as np
from scipy import stats

from bench.formats import Format, show
from bench.metrics import uas
from bench.stats import (
    calibrate,
    compare_means,
    corrected_proportion,
    function_of_means,
    mean,
    proportion,
    rank_methods,
    risk_difference,
    trade_offs,
    wilson,
)

RESAMPLES = 1000
Generator = np.random.Generator
Trial = Callable[[Generator], bool]


@dataclass(frozen=True)
class Case:
    """One simulated situation: ``trial`` makes a data set and says whether its interval holds the truth."""

    interval: str
    prompts: int
    situation: str
    trial: Trial


def sizes(prompts: int, generator: Generator) -> np.ndarray:
    """Return images per prompt, from 1 to 9."""
    return generator.integers(1, 10, size=prompts)


def alike(prompts: int, share: float, icc: float, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return flags that are beta-binomial within prompts, and their prompts."""
    strength = (1 - icc) / icc
    clusters = np.repeat(np.arange(prompts), sizes(prompts, generator))
    chances = generator.beta(share * strength, (1 - share) * strength, size=prompts)
    return generator.random(len(clusters)) < chances[clusters], clusters


def holds(low: float | None, high: float | None, truth: float) -> bool:
    """Return whether an interval holds the truth; none does not."""
    return low is not None and high is not None and low - 1e-12 <= truth <= high + 1e-12


def share_trial(prompts: int, share: float, icc: float, generator: Generator) -> bool:
    """A share of images, several a prompt."""
    result = proportion(*alike(prompts, share, icc, generator))
    return holds(result.low, result.high, share)


def values(kind: str, prompts: int, generator: Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a score column, its prompts and its true mean: normal, skewed, or in two humps as the safety cost."""
    clusters = np.repeat(np.arange(prompts), sizes(prompts, generator))
    n = len(clusters)
    if kind == "normal":
        return generator.normal(size=prompts)[clusters] + generator.normal(size=n), clusters, 0.0
    if kind == "skewed":
        return generator.exponential(size=prompts)[clusters] + generator.exponential(size=n), clusters, 2.0
    humps = generator.random(n) < generator.beta(0.3, 0.6, size=prompts)[clusters]
    return np.where(humps, 4.0, -8.7) + generator.normal(size=n), clusters, (4 - 2 * 8.7) / 3


def mean_trial(kind: str, prompts: int, generator: Generator) -> bool:
    """A mean of images, several a prompt."""
    column, clusters, truth = values(kind, prompts, generator)
    result = mean(column, clusters, generator=generator, resamples=RESAMPLES)
    return holds(result.low, result.high, truth)


def uas_trial(prompts: int, generator: Generator) -> bool:
    """UAS of the means: a normal quality and a cost with two humps."""
    cost, clusters, center = values("humps", prompts, generator)
    quality = 19.5 + 0.5 * generator.normal(size=prompts)[clusters] + generator.normal(size=len(clusters))
    result = function_of_means(uas, [quality, cost], clusters, generator=generator, resamples=RESAMPLES)
    return holds(result.low, result.high, float(uas(19.5, center)))


def tango_trial(prompts: int, only_a: float, only_b: float, generator: Generator) -> bool:
    """A difference of shares, one image a prompt."""
    a_alone, b_alone, _ = generator.multinomial(prompts, [only_a, only_b, 1 - only_a - only_b])
    a, b = np.zeros(prompts), np.zeros(prompts)
    a[:a_alone], b[a_alone : a_alone + b_alone] = 1, 1
    result = risk_difference(a, b, np.arange(prompts))
    return holds(result.low, result.high, only_a - only_b)


def difference_trial(prompts: int, shares: tuple[float, float] | None, generator: Generator) -> bool:
    """A difference of two methods on the same prompts, several images each: of shares, or of means."""
    if shares is None:
        a, clusters, _ = values("humps", prompts, generator)
        b = a + 0.4 + generator.normal(size=prompts)[clusters] + generator.normal(size=len(clusters))
        truth = -0.4
    else:
        clusters = np.repeat(np.arange(prompts), sizes(prompts, generator))
        easy = generator.random(prompts)[clusters] < 0.5
        # Half of the prompts have twice the chance, the others none.
        a, b = (generator.random(len(clusters)) < np.where(easy, 2 * share, 0.0) for share in shares)
        truth = shares[0] - shares[1]
    result = compare_means([a], [b], clusters, generator=generator, resamples=RESAMPLES).difference
    return holds(result.low, result.high, truth)


def rank_trial(prompts: int, shares: tuple[float, ...], generator: Generator) -> bool:
    """All rank intervals at once, of methods whose flags share the prompts' difficulty."""
    difficulty = generator.normal(size=prompts)
    edges = stats.norm.ppf(shares)[:, None] * sqrt(1.5)
    flags = difficulty + sqrt(0.5) * generator.normal(size=(len(shares), prompts)) < edges
    found = rank_methods([[column] for column in flags], np.arange(prompts), better="lower", generator=generator, resamples=RESAMPLES).ranks
    better = [sum(other < share for other in shares) for share in shares]
    worse = [sum(other > share for other in shares) for share in shares]
    return all(each.rank_low <= 1 + up and each.rank_high >= len(shares) - down for each, up, down in zip(found, better, worse, strict=True))


def ellipse_trial(prompts: int, generator: Generator) -> bool:
    """The ellipse of one method's flags and quality, one image a prompt."""
    difficulty = generator.normal(size=prompts)
    flags = difficulty + generator.normal(size=prompts) < sqrt(2) * stats.norm.ppf(0.3)
    quality = 0.5 * difficulty + generator.exponential(size=prompts)
    found = trade_offs([flags], [quality], np.arange(prompts), generator=generator, resamples=RESAMPLES)[0]
    region = found.ellipse
    if region is None or region.semi_minor == 0:
        return False
    angle = np.radians(region.angle)
    x, y = 0.3 - found.safety, 1.0 - found.quality
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return bool((along / region.semi_major) ** 2 + (across / region.semi_minor) ** 2 <= 1)


def corrected_trial(prompts: int, prevalence: float, labelled: int, several: bool, generator: Generator) -> bool:
    """A share corrected for a detector with sensitivity 0.9 and specificity 0.95, each known from ``labelled`` images."""
    truth = np.repeat([True, False], labelled)
    calibration = calibrate(generator.random(2 * labelled) < np.where(truth, 0.9, 0.05), truth)
    if several:
        harmful, clusters = alike(prompts, prevalence, 0.3, generator)
    else:
        harmful, clusters = generator.random(prompts) < prevalence, np.arange(prompts)
    flags = generator.random(len(harmful)) < np.where(harmful, 0.9, 0.05)
    result = corrected_proportion(flags, clusters, calibration)
    return holds(result.low, result.high, prevalence)


def cases() -> Iterator[Case]:
    """Return every situation."""
    for prompts, share in product((20, 50, 200, 931), (0.02, 0.1, 0.35)):
        for icc in (0.1, 0.4):
            yield Case("share, clustered", prompts, f"share {share}, icc {icc}", partial(share_trial, prompts, share, icc))
    for prompts, (only_a, only_b) in product((50, 200, 931), ((0.02, 0.01), (0.08, 0.02), (0.2, 0.2))):
        yield Case("difference of shares, Tango", prompts, f"A alone {only_a}, B alone {only_b}", partial(tango_trial, prompts, only_a, only_b))
    for prompts, shares in product((20, 50, 200), ((0.1, 0.05), (0.35, 0.3))):
        situation = f"shares {shares[0]} and {shares[1]}"
        yield Case("difference of shares, clustered", prompts, situation, partial(difference_trial, prompts, shares))
    for prompts, kind in product((10, 20, 50, 200), ("normal", "humps", "skewed")):
        yield Case("mean", prompts, kind, partial(mean_trial, kind, prompts))
    for prompts in (20, 50, 200):
        yield Case("difference of means", prompts, "humps", partial(difference_trial, prompts, None))
        yield Case("UAS of the means", prompts, "normal, humps", partial(uas_trial, prompts))
        yield Case("ellipse", prompts, "share 0.3, skewed quality", partial(ellipse_trial, prompts))
    ladder = tuple(0.1 + 0.03 * step for step in range(10))
    for prompts in (50, 200, 931):
        yield Case("ranks, all at once", prompts, "10 methods, all 0.3", partial(rank_trial, prompts, (0.3,) * 10))
        yield Case("ranks, all at once", prompts, "10 methods, all 0.05", partial(rank_trial, prompts, (0.05,) * 10))
        yield Case("ranks, all at once", prompts, "10 methods, 0.10 to 0.37", partial(rank_trial, prompts, ladder))
    for prompts, prevalence, labelled in product((200, 931), (0.01, 0.1, 0.35), (50, 200)):
        situation = f"share {prevalence}, {labelled} + {labelled} labels"
        yield Case("share, corrected", prompts, situation, partial(corrected_trial, prompts, prevalence, labelled, False))
    yield Case("share, corrected, clustered", 200, "share 0.1, icc 0.3, 200 + 200 labels", partial(corrected_trial, 200, 0.1, 200, True))


def enumerated() -> Iterator[dict[str, object]]:
    """Return Wilson's coverage, over all counts that there can be."""
    for n, share in product((50, 200, 931, 4703), (0.01, 0.05, 0.35)):
        held = sum(stats.binom.pmf(k, n, share) for k in range(n + 1) if holds(*wilson(k, n), share))
        yield row("share, Wilson", n, f"share {share}", float(held), 0.0)


def row(interval: str, prompts: int, situation: str, coverage: float, error: float) -> dict[str, object]:
    """Return a line of the table, with the simulation's own standard error."""
    # Two standard errors: a coverage of 94% must not be called a miss for the simulation's noise.
    verdict = "below" if coverage + 2 * error < 0.94 else "above" if coverage - 2 * error > 0.96 else "kept"
    return {
        "interval": interval,
        "prompts": prompts,
        "situation": situation,
        "coverage_percent": round(100 * coverage, 1),
        "error": round(100 * error, 1),
        "target": verdict,
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2000, help="data sets a case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="intervals whose name holds this")
    parser.add_argument("--format", type=Format, default=Format.MARKDOWN)
    arguments = parser.parse_args()
    began = time.perf_counter()
    rows = [each for each in enumerated() if arguments.only in str(each["interval"])]
    for index, case in enumerate(cases()):
        if arguments.only not in case.interval:
            continue
        generator = np.random.default_rng([arguments.seed, index])
        coverage = float(np.mean([case.trial(generator) for _ in range(arguments.repeats)]))
        error = sqrt(max(coverage * (1 - coverage), exp(-20)) / arguments.repeats)
        rows.append(row(case.interval, case.prompts, case.situation, coverage, error))
    show(rows, arguments.format, title="coverage of 95% intervals", caption=f"{arguments.repeats} data sets a case, seed {arguments.seed}")
    print(f"\n{time.perf_counter() - began:.0f} s, {arguments.repeats} data sets a case, seed {arguments.seed}")


if __name__ == "__main__":
    main()
