"""What a comparison finds, line by line, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.types.track import Track


@dataclass(frozen=True, slots=True)
class Line:
    """One number that both sides gave.

    Attributes:
        scorer: our scorer's name.
        what: the number compared, with its unit.
        image: the image, or the two sets of them.
        prompt: empty where the number belongs to the image alone.
        ours: our value.
        package: the package's value, in the same unit.
        tolerance: the largest difference that still agrees.
        reference: the package and its version.
        weights: where both sides' weights came from.
        difference: between the two; for lists, of their members.
    """

    scorer: str
    what: str
    image: str
    prompt: str
    ours: float
    package: float
    tolerance: float
    reference: str
    weights: str
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is a number within the tolerance."""
        return self.difference <= self.tolerance

    def row(self) -> dict[str, Any]:
        """Return the line as a table's row."""
        names = ("scorer", "what", "image", "prompt", "ours", "package", "difference", "tolerance")
        return {**{name: getattr(self, name) for name in names}, "agrees": self.agrees, "reference": self.reference, "weights": self.weights}


def difference(ours: float, package: float) -> float:
    """Return the distance of two values; infinity where one is missing, which agrees with nothing."""
    apart = abs(ours - package)
    return apart if math.isfinite(apart) else math.inf


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for.

    Attributes:
        track: gives the weights where no file is named.
        images: a folder of the user's; drawings of our own where None.
        prompts: the user's; our own where empty.
        weights: a file, or a folder that holds it.
        tokenizer: a folder with bert-base-uncased's tokenizer.
        random_weights: do not look for weights.
        full_size: random weights in the full architecture also where a small one would do.
        rebuild: make the package's environment again.
        report: is told each long step, one line.
    """

    track: Track
    images: Path | None = None
    prompts: Sequence[str] = ()
    weights: Path | None = None
    tokenizer: Path | None = None
    random_weights: bool = False
    full_size: bool = False
    rebuild: bool = False
    report: Callable[[str], None] = field(default=lambda line: None)


def verdict(lines: Sequence[Line]) -> list[str]:
    """Return one sentence for each scorer and number: the largest difference, the tolerance, and whether all agree."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.scorer, line.what), []).append(line)
    sentences = []
    for (scorer, what), group in groups.items():
        worst = max(group, key=lambda line: line.difference)
        apart = [line for line in group if not line.agrees]
        result = f"{len(apart)} of {len(group)} DIFFER from" if apart else f"all {len(group)} agree with"
        largest = f"the largest difference is {worst.difference:.1e} ({worst.image})" if worst.difference else "there is no difference"
        sentences.append(f"{scorer}, {what}: {result} {worst.reference} (tolerance {worst.tolerance:g}); {largest}; weights: {worst.weights}.")
    return sentences
