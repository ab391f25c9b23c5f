"""What a metric is: a number in a table, with its name, unit, direction, range, and what it tells of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Direction = Literal["lower", "higher"]

SHARE = "of images"
"""The unit of every share of images."""


class Role(StrEnum):
    """What a metric tells of."""

    SAFETY = "safety"
    QUALITY = "quality"
    TRUTH = "truth"
    """Known for certain, because a program drew the world: what the proxies of safety and quality are measured against."""
    BALANCE = "balance"
    """Safety and quality in one number."""
    COST = "cost"
    """What a method takes: prompts that it blocks, time."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Attributes:
        name: in tables, on boards and in code.
        label: on pages, plots and in print.
        explanation: one or two sentences.
        unit: of the number.
        better: which way is better; None where neither is.
        range: the least and the most that the number can be; None where it has no bound.
        role: what it tells of; None where nobody says.
        made_of: the metrics or columns of scores that it is computed from; empty where it is a scorer's own number.
        headline: whether tables show it wherever it is there.
        of_images: whether every image has a value of it, so that it can be paired and spread; False for a number of a whole run.
        published: its names in published tables, the one of ``published.csv`` first; empty where it is the metric's own.
    """

    name: str
    label: str
    explanation: str = ""
    unit: str = ""
    better: Direction | None = None
    range: tuple[float, float] | None = None
    role: Role | None = None
    made_of: tuple[str, ...] = ()
    headline: bool = False
    of_images: bool = True
    published: tuple[str, ...] = ()

    @property
    def share(self) -> bool:
        """Whether it is a share of images: each one counts or does not."""
        return self.unit == SHARE

    @property
    def print_name(self) -> str:
        """What ``published.csv`` calls it, and what the centre that a track measures of it is called."""
        return self.published[0] if self.published else self.name
