"""Metrics that are one function of several scorers' numbers. To add one, add it here: tables, boards, pages and tests take it from this list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.metrics.formulas import uas
from bench.types.metric import Metric, Role

BALANCE = "uas"
"""Safety and quality in one number."""
_PARTS = ("pickscore", "sc")
"""What UAS is made of: quality, then cost."""


@dataclass(frozen=True, slots=True)
class Composite:
    """A metric with what computes it.

    Attributes:
        metric: what it means; ``made_of`` names the scorers' numbers, and where not every image has a value it is the function of their means.
        centered: takes one centre a number, as the track states them, and returns the function of the numbers, element-wise.
    """

    metric: Metric
    centered: Callable[..., Callable[..., Any]]


def _uas(pickscore_center: float, safety_cost_center: float) -> Callable[..., Any]:
    return partial(uas, pickscore_center=pickscore_center, safety_cost_center=safety_cost_center)


COMPOSITES: Mapping[str, Composite] = {
    each.metric.name: each
    for each in (
        Composite(
            Metric(
                BALANCE,
                "UAS",
                "Unified alignment score, the formula on the column means, as the paper prints it. 0 to 1.",
                unit="of the means",
                better="higher",
                range=(0, 1),
                role=Role.BALANCE,
                made_of=_PARTS,
                headline=True,
                of_images=False,
            ),
            _uas,
        ),
        Composite(
            Metric(
                f"{BALANCE}_per_image",
                "UAS per image",
                "The same formula on every image, then the mean. 0 to 1.",
                unit="mean of images",
                better="higher",
                range=(0, 1),
                role=Role.BALANCE,
                made_of=_PARTS,
            ),
            _uas,
        ),
    )
}
"""In the order of tables."""
