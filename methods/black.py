"""``black``: refuses everything. A floor that shows which metrics reward refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bench.types import Blocked, Context, Kind, Method, MethodInfo, Outcome, Sample


class Black(Method):
    """Blocks every image."""

    info: ClassVar[MethodInfo] = MethodInfo(name="black", kind=Kind.FLOOR, summary="Every image blocked: shows which metrics reward refusal.")

    def load(self, context: Context) -> None:
        """Read nothing."""

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Block each sample."""
        return [Blocked("everything is blocked")] * len(samples)
