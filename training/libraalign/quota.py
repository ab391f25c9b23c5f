"""How many pairs of a kind are wanted: units are made in order until they are there, and what is beyond is taken away at the end.

Which pairs stay depends on the units' order alone, so shards, or a build that was interrupted, end in the same bytes as one that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.libraalign.dataset import Part


@dataclass(frozen=True)
class Quota:
    """The units of one part that give pairs of one kind, and the most pairs that are wanted of them.

    Attributes:
        part: where the units are.
        units: their numbers, rising.
        kind: of the pairs that count; None for all.
        most: pairs; None for all that the units give.
    """

    part: Part
    units: Sequence[int]
    kind: str | None = None
    most: int | None = None

    def waiting(self) -> list[int]:
        """Return the units that are not finished and have fewer pairs before them than are wanted, as far as is known."""
        found: list[int] = []
        pairs = 0
        for unit in self.units:
            if self._full(pairs):
                break
            if self.part.done(unit):
                pairs += self._count(unit)
            else:
                found.append(unit)
        return found

    def wants(self, unit: int) -> bool:
        """Return whether the finished units before ``unit`` hold fewer pairs than are wanted."""
        return self.most is None or not self._full(sum(self._count(each) for each in self.units if each < unit and self.part.done(each)))

    @property
    def what(self) -> str:
        """What is counted, in words."""
        return f"{self.part.name} pairs" if self.kind is None else f"{self.kind} pairs"

    def made(self) -> int:
        """Return the pairs of the kind in all finished units."""
        return sum(self._count(unit) for unit in self.units if self.part.done(unit))

    def cut(self) -> None:
        """Take away what is beyond the pairs that are wanted, once nothing is waiting: it may be done again at any time."""
        pairs = 0
        for unit in self.units if self.most is not None else ():
            if not self.part.done(unit):
                continue
            if self._full(pairs):  # another shard made it before it could know
                self.part.remove(unit)
                continue
            count = self._count(unit)
            if self.most is not None and pairs + count > self.most:
                self.part.cut(unit, self.kind, self.most - pairs)
            pairs += count

    def _full(self, pairs: int) -> bool:
        return self.most is not None and pairs >= self.most

    def _count(self, unit: int) -> int:
        kinds = self.part.marker(unit)["kinds"]
        return int(sum(kinds.values()) if self.kind is None else kinds.get(self.kind, 0))
