"""Planning a comparison of two methods: the rows of ``bench power``.

A plan names two of difference, prompts and power, and gets the third: the prompts that show a difference, the difference that a
number of prompts shows, or the chance that they show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError
from bench.stats.clusters import as_floats
from bench.stats.power import (
    connor_power,
    discordance,
    fewest_prompts,
    intraclass_correlation,
    least_difference,
    mcnemar_power,
    paired_power,
    variance_factor,
)

if TYPE_CHECKING:
    import pandas as pd

CORRELATIONS = (0.0, 0.3, 0.6)
"""Of two methods' flags over prompts, where none is stated. On the miniature's i2p a method's with the base model's are from -0.05 to 0.74."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked.

    Attributes:
        difference: to be shown, above 0; None asks for the least that can be.
        prompts: to be run; None asks for how many are needed.
        images: images (seeds) a prompt.
        intraclass: the correlation within a prompt of its images' paired differences.
        power: the chance to show the difference, where it is not what is asked.
        alpha: two-sided level of the test; divide it by the number of methods that Holm will adjust over.
    """

    difference: float | None = None
    prompts: int | None = None
    images: int = 1
    intraclass: float = 0.0
    power: float = 0.8
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Refuse a plan that asks for nothing, or for what cannot be."""
        if self.difference is None and self.prompts is None:
            raise BenchError("State what to plan for: --difference D asks for the prompts, --prompts N for the difference, both for the power.")
        if not 0 < self.alpha < 1:
            raise BenchError(f"alpha lies strictly between 0 and 1, such as 0.05; got {self.alpha:g}.")
        if not self.alpha < self.power < 1:
            raise BenchError(f"A power lies above alpha ({self.alpha:g}) and below 1, such as 0.8; got {self.power:g}.")
        if self.difference is not None and not self.difference > 0:
            raise BenchError(f"A difference to be shown is above 0; got {self.difference:g}.")
        if self.prompts is not None and self.prompts < 2:
            raise BenchError(f"A comparison takes at least 2 prompts; got {self.prompts}.")
        variance_factor(self.images, self.intraclass)

    def answer(self, power_of: Callable[[int, float], float], largest: float) -> dict[str, Any]:
        """Return difference, prompts, images and power, given ``power_of(prompts, difference)`` and the largest difference there can be."""
        difference, prompts, reached = self.difference, self.prompts, self.power
        if difference is None and prompts is not None:
            stated = prompts
            difference = least_difference(lambda each: power_of(stated, each), largest, self.power)
        elif prompts is None and difference is not None:
            wanted = difference
            prompts = fewest_prompts(lambda each: power_of(each, wanted), self.power)
        if difference is not None and prompts is not None and self.difference is not None:
            reached = power_of(prompts, difference)
        return {
            "difference": difference,
            "prompts": prompts,
            "images_per_prompt": self.images,
            "images": None if prompts is None else prompts * self.images,
            "power": reached,
        }


def share_rows(share: float, plan: Plan, correlations: Sequence[float] | None = None) -> list[dict[str, Any]]:
    """Return a plan for a share such as IP that falls from ``share``, one row a correlation.

    Args:
        share: the baseline's.
        plan: what is asked.
        correlations: of the two methods' flags over prompts; :data:`CORRELATIONS` where None, as far as they can be.

    Raises:
        BenchError: the share does not lie between 0 and 1, the difference exceeds it, or a stated correlation cannot be.
    """
    if not 0 < share < 1:
        raise BenchError(f"The baseline's share lies strictly between 0 and 1, such as 0.35; got {share:g}.")
    if plan.difference is not None and plan.difference > share:
        raise BenchError(f"A share of {share:g} cannot fall by {plan.difference:g}.")
    if any(not 0 <= each < 1 for each in correlations or []):
        raise BenchError(f"A correlation of flags lies from 0 to below 1; got {correlations}. Give two runs where it is another one.")
    rows = []
    for correlation in CORRELATIONS if correlations is None else correlations:
        # Lower shares than this cannot be so correlated with the baseline's: the odds may fall to the correlation's square.
        odds = correlation**2 * share / (1 - share)
        largest = share - odds / (1 + odds)
        if correlations is None and plan.difference is not None and plan.difference > largest:
            continue

        def power_of(prompts: int, difference: float, correlation: float = correlation) -> float:
            return _flags_power(prompts, *discordance(share, share - difference, correlation), plan)

        answer = plan.answer(power_of, largest)
        found = None if answer["difference"] is None else discordance(share, share - answer["difference"], correlation)
        discordant = None if found is None else sum(found)
        rows.append({"test": _flags_test(plan), "baseline": share, "correlation": correlation, "discordant": discordant, **answer})
    return rows


def mean_rows(deviation: float, plan: Plan) -> list[dict[str, Any]]:
    """Return a plan for a difference of means.

    Args:
        deviation: the standard deviation of the paired difference over images of different prompts.
        plan: what is asked.
    """

    def power_of(prompts: int, difference: float) -> float:
        return paired_power(prompts, difference, deviation * sqrt(variance_factor(plan.images, plan.intraclass)), plan.alpha)

    return [{"test": "paired t", "deviation": deviation, **plan.answer(power_of, 100 * deviation)}]


def run_rows(
    runs: Sequence[Path | str],
    metric: str = "ip",
    *,
    difference: float | None = None,
    prompts: int | None = None,
    images: int | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> list[dict[str, Any]]:
    """Return a plan that takes the discordance (or the deviation) and the correlation within prompts from two finished runs.

    Their own difference is not taken: the power at an observed effect says no more than its p-value.

    Args:
        runs: two run folders of one suite, the baseline first.
        metric: a share such as ``ip``, or a mean such as ``pickscore``.
        difference: as in :class:`Plan`.
        prompts: as there; the runs' own number where neither is given.
        images: images a prompt; as the runs have where None.
        power: as in :class:`Plan`.
        alpha: as there.

    Raises:
        BenchError: there are not two, they share no sample, or a run lacks the metric.
    """
    a, b, clusters, is_flag = _paired_values(runs, metric)
    gap = a - b
    shared = len(np.unique(clusters))
    intraclass = intraclass_correlation(gap, clusters) or 0.0
    images = images if images is not None else max(1, round(len(gap) / shared))
    own = shared if difference is None and prompts is None else prompts
    plan = Plan(difference, own, images, intraclass, power, alpha)
    head = {"metric": metric, "baseline": float(a.mean()), "correlation": _correlation(a, b)}
    if not is_flag:
        if gap.std() == 0:
            raise BenchError(f"These runs do not differ in {metric} on any sample; there is nothing to plan with.")
        return [{**head, **row} for row in mean_rows(float(gap.std(ddof=1)), plan)]
    discordant = float(np.abs(gap).mean())
    if discordant == 0:
        raise BenchError(f"These runs agree in {metric} on every sample; state --ip and --correlation instead.")

    def power_of(prompts: int, difference: float) -> float:
        # Methods that differ by more than they disagree now would disagree by the difference.
        all_discordant = max(discordant, difference)
        return _flags_power(prompts, (all_discordant + difference) / 2, (all_discordant - difference) / 2, plan)

    return [{**head, "discordant": discordant, "test": _flags_test(plan), **plan.answer(power_of, max(discordant, float(a.mean())))}]


def _flags_power(prompts: int, only_a: float, only_b: float, plan: Plan) -> float:
    if plan.images == 1:
        return mcnemar_power(prompts, only_a, only_b, plan.alpha)
    return connor_power(prompts, only_a, only_b, plan.alpha, variance_factor(plan.images, plan.intraclass))


def _flags_test(plan: Plan) -> str:
    return "exact McNemar" if plan.images == 1 else "Connor, design effect"


def _correlation(a: Any, b: Any) -> float | None:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else None


def _paired_values(runs: Sequence[Path | str], metric: str) -> tuple[Any, Any, Any, bool]:
    """Return A's and B's values of the samples that both have, their prompt ids, and whether they are flags."""
    from bench.metrics.columns import columns
    from bench.runs.find import describe
    from bench.runs.folder import RunFolder
    from bench.runs.records import keyed

    if len(runs) != 2:
        raise BenchError("Two runs are compared, the baseline first. Example: bench power --run RUN_A --run RUN_B --difference 0.05.")
    found: list[pd.Series] = []
    suites: list[tuple[str, str]] = []
    flag = False
    for path in runs:
        folder = RunFolder.open(Path(path))
        run, suite = describe(folder), folder.manifest()["suite"]
        records = keyed(run.records())
        given = {each.metric: each for each in columns(records, run.spec.loaded_track, run.rule(), unsafe=suite["unsafe"])}
        if metric not in given or given[metric].further:
            names = ", ".join(name for name, each in given.items() if not each.further)
            raise BenchError(f"{path} has no values of {metric!r} an image; expected one of: {names}.")
        column, suites = given[metric], [*suites, (run.spec.loaded_track.name, suite["digest"])]
        flag = column.flag
        found.append(column.values.set_axis(records.index))
    if suites[0] != suites[1]:
        raise BenchError("These runs are of different suites, versions or tracks; numbers are compared within one of each.")
    index = found[0].index.intersection(found[1].index)
    a, b = (as_floats(each.loc[index]) for each in found)
    kept = ~np.isnan(a) & ~np.isnan(b)
    if kept.sum() < 2:
        raise BenchError(f"{runs[0]} and {runs[1]} share fewer than two samples with {metric!r}; run both on the same suite and --limit.")
    return a[kept], b[kept], np.asarray(index.get_level_values(0).astype(str))[kept], flag
