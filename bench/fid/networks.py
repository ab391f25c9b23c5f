"""Which network's features a distance is made of, and how a table calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import BenchError
from bench.registry import scorers
from bench.runs.spec import digest
from bench.scorers.features import FeatureScorer
from bench.types.track import Track


@dataclass(frozen=True, slots=True)
class Network:
    """A network with the weights that were run.

    Attributes:
        kind: the scorer that keeps its features.
        fingerprint: of the scorer, its version, parameters and weights: only features with the same one compare.
        weights_sha256: of the weights' file; of several, one hash over theirs.
    """

    kind: type[FeatureScorer]
    fingerprint: str
    weights_sha256: str

    @property
    def label(self) -> str:
        """What a table calls it: its name and the start of its weights' hash."""
        return f"{self.kind.network} {self.weights_sha256[:8]}"


def find_network(track: Track, name: str | None = None) -> type[FeatureScorer]:
    """Return the scorer called ``name``, or where it is None the first of the track's that keeps features.

    Raises:
        BenchError: it keeps none, or the track has none.
    """
    known = [each for each, kind in scorers.items() if issubclass(kind, FeatureScorer)]
    chosen = name or next((each for each in track.scorers if each in known), None)
    if chosen is None:
        raise BenchError(f"The track {track.name} has no scorer that keeps features. Name one with --scorer: {', '.join(known)}.")
    kind = scorers.get(chosen)
    if not issubclass(kind, FeatureScorer):
        raise BenchError(f"The scorer {chosen!r} keeps no features. Scorers that do: {', '.join(known)}.")
    return kind


def hash_of(weights: Mapping[str, str]) -> str:
    """Return one hash for a scorer's ``{file: sha256}``: the file's own where there is one."""
    return next(iter(weights.values())) if len(weights) == 1 else digest(dict(weights))
