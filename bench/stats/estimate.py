"""What every printed number carries: its interval, how many images stand behind it, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: the estimate, in the unit of the column it came from; None where nothing was evaluated.
        low: the interval's lower end; None where there is no interval (nothing evaluated, or in a bootstrap a single prompt, or prompts all alike).
        high: its upper end; None as ``low``.
        n: images (in a paired comparison: pairs of images) that were evaluated.
        n_clusters: the prompts that they belong to.
        method: how the interval was made, with its resamples where it has any.
        excluded: images (or pairs) left out because a value was missing.
        level: the interval's nominal coverage.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_clusters: int
    method: str
    excluded: int
    level: float = 0.95
