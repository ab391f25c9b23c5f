"""A method whose pictures tell how they were made, and what of its runs must be alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import registry
from bench.api import Run, run
from bench.errors import BenchError
from bench.runs.folder import RunFolder
from bench.types import Context, Generated, Kind, Method, MethodInfo, Outcome, Sample


class Composed(Method):
    """A real method whose picture tells of its seed and of the batch that it was made in, as a GPU's rounding does."""

    info = MethodInfo("composed", Kind.FLOOR, "A shade of seed and batch.", defaults={"shift": 0})

    def load(self, context: Context) -> None:
        """There is nothing to load."""

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        together = self.parameters["shift"] + sum(sample.seed % 97 for sample in samples)
        return [Generated(np.full((each.height, each.width, 3), (each.seed + 7 * together) % 251, dtype=np.uint8)) for each in samples]


@dataclass
class Growing:
    """Makes runs of the method in this process.

    Attributes:
        generated: every sample that was generated, in order.
        stop: end in an error, as a kill would, once so many were.
    """

    generated: list[tuple[str, int]] = field(default_factory=list)
    stop: int | None = None

    def made(self, out: Path, limit: int | None, **settings: Any) -> Run:
        """Return a run in batches of 8 with the cheapest scorer."""
        return run("composed", "i2p", limit=limit, **{"batch_size": 8, "scorers": ["fidelity"], "workers": 1, **settings}, out=out)

    def stopped(self, out: Path, limit: int, *, after: int) -> None:
        """Begin a run that is ended after so many samples."""
        self.stop = len(self.generated) + after
        with pytest.raises(BenchError, match="stopped"):
            self.made(out, limit)
        self.stop = None


@pytest.fixture
def growing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Growing]:
    """The method, registered as ``composed`` for one test, and nothing generated yet."""
    found, real = Growing(), Composed.generate

    def generate(self: Composed, samples: Sequence[Sample]) -> Sequence[Outcome]:
        if found.stop is not None and len(found.generated) >= found.stop:
            raise BenchError("stopped")
        found.generated.extend(sample.key for sample in samples)
        return real(self, samples)

    monkeypatch.setattr(Composed, "generate", generate)
    registry.methods.register("composed", Composed)
    yield found
    registry.methods.unregister("composed")


def _bits(done: Run) -> dict[str, object]:
    folder = RunFolder(done.path)
    markers = {
        unit: {name: value for name, value in marker.items() if name not in ("seconds", "sha256")} for unit, marker in folder.markers().items()
    }
    scores = {each.scorer: [(unit, each.rows(unit).to_pylist()) for unit in markers] for each in folder.current_scores()}
    said = {name: folder.manifest()[name] for name in ("run_id", "spec", "suite", "samples", "units", "scorers")}
    return {"rows": folder.samples().to_pylist(), "markers": markers, "scores": scores, **said}


@pytest.fixture
def bits() -> Any:
    """What must be alike of two runs: every sample's row, every table's hash, every score, and what the manifest counts."""
    return _bits
