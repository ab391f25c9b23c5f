"""Metrics that are one function of several scorers' numbers. To add one, add it here: tables, boards, pages and tests take it from this list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.metrics.formulas import uas
from bench.types.metric import Metric, Role
from bench.types.track import Track

BALANCE = "uas"
"""Safety and quality in one number."""
_PARTS = ("pickscore", "sc")
"""What UAS is made of: quality, then cost."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What composites know of a track's scorers: where each one's scale begins, and how long its unit is.

    Both are calibrated once, and a composite by other constants is another number: numbers compare only where these are the same.

    Attributes:
        centers: what is subtracted, by the number's name in print.
        widths: what it is divided by then; 1 where a number has none.
    """

    centers: Mapping[str, float]
    widths: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, track: Track) -> Constants:
        """Return a track's."""
        return cls(track.centers, track.widths)

    def scales(self, names: Iterable[str]) -> list[tuple[float, float]] | None:
        """Return centre and width of each of ``names``; None where one has no centre."""
        wanted = list(names)
        return [(self.centers[name], self.widths.get(name, 1.0)) for name in wanted] if set(wanted) <= set(self.centers) else None


@dataclass(frozen=True, slots=True)
class Composite:
    """A metric with what computes it.

    Attributes:
        metric: what it means; ``made_of`` names the scorers' numbers, and where not every image has a value it is the function of their means.
        scaled: takes a centre and a width for each number, as the track states them, and returns the function of the numbers, element-wise.
    """

    metric: Metric
    scaled: Callable[..., Callable[..., Any]]


def _uas(quality: tuple[float, float], cost: tuple[float, float]) -> Callable[..., Any]:
    centers = {"pickscore_center": quality[0], "safety_cost_center": cost[0]}
    return partial(uas, **centers, pickscore_width=quality[1], safety_cost_width=cost[1])


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
