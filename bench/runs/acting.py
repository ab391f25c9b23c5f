"""On how many samples a method acted: counted unit by unit from its outcomes, summed for a run's manifest, said in tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.types import Blocked, Generated, Outcome

ACTED = "acted"
"""Of a unit's marker and of a run's manifest; absent where the method does not say, or the harness that made them did not ask."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What a method did of its own.

    Attributes:
        samples: on how many it acted: at some step, or by refusing.
        of: how many were generated or blocked.
        steps: at how many denoising steps, of all these samples together.
    """

    samples: int
    of: int
    steps: int

    def sentence(self, method: str) -> str:
        """Return what a reader of the table must know; empty where the method acted on every sample."""
        if self.samples == self.of:
            return ""
        others = "the other images are the base's" if self.samples else "these are the base's images"
        return f"{method} acted on {self.samples} of {self.of} samples: {others}."


def count(outcomes: Sequence[Outcome | str]) -> Acted | None:
    """Return the counts of some outcomes, failures left out; None where an image does not say."""
    steps = [each.acted for each in outcomes if isinstance(each, Generated)]
    blocked = sum(isinstance(each, Blocked) for each in outcomes)
    known = [int(each) for each in steps if each is not None]
    if len(known) < len(steps):
        return None
    return Acted(sum(each > 0 for each in known) + blocked, len(known) + blocked, sum(known))


def together(parts: Sequence[Acted | None]) -> Acted | None:
    """Return the counts of several parts of a run as one; None where one does not say, or there is none."""
    known = [each for each in parts if each is not None]
    if not known or len(known) < len(parts):
        return None
    return Acted(*(sum(getattr(each, name) for each in known) for name in ("samples", "of", "steps")))


def total(markers: Iterable[Mapping[str, Any]]) -> Acted | None:
    """Return the counts of a run from its units' markers; None where one does not say, or there is none."""
    entries = [marker.get(ACTED) for marker in markers]
    return together([None if each is None else Acted(**each) for each in entries])
