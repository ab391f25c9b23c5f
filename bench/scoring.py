"""Scoring: what is missing is computed, what is there is kept. Nothing is generated here.

One pass over a unit's images serves every scorer: an image is decoded once, and an encoder that several scorers read runs once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.engine.spec import digest
from bench.errors import BenchError
from bench.registry import scorers
from bench.store.run_folder import RunFolder, ScoreSet
from bench.tracks import Track
from bench.types import Context, Sample, Scorer

if TYPE_CHECKING:
    from bench.types import Image

CHUNK = 64
"""Images held in memory at once."""


def make_scorer(name: str, track: Track) -> Scorer:
    """Return the scorer called ``name`` with the parameters that ``track`` gives it.

    Raises:
        BenchError: it is unknown, or does not run on this track.
    """
    kind = scorers.get(name)
    if kind.info.tracks and track.name not in kind.info.tracks:
        raise BenchError(f"The scorer {name!r} does not run on track {track.name!r}; it runs on: {', '.join(kind.info.tracks)}.")
    return kind(**track.scorers.get(name, {}))


@dataclass(frozen=True, slots=True)
class Planned:
    """A scorer with its fingerprint, so that worker processes need not hash its weights again.

    Attributes:
        name: the registry name.
        fingerprint: hash of name, version, parameters and weights.
        description: version, parameters and weights' hashes.
    """

    name: str
    fingerprint: str
    description: Mapping[str, Any]


def plan_scorers(names: Sequence[str], track: Track) -> tuple[Planned, ...]:
    """Return ``names`` with their fingerprints on ``track``; none of them is loaded.

    Raises:
        BenchError: a scorer is unknown, does not run on this track, or its weights are not here.
    """
    context = Context(track)
    planned = []
    for name in dict.fromkeys(names):
        scorer = make_scorer(name, track)
        description = {"version": scorer.info.version, "parameters": scorer.parameters, "weights": dict(scorer.weights(context))}
        known = dict(scorer.known_as(context))
        planned.append(Planned(name, digest({"scorer": name, **description}), {**description, **({"known_as": known} if known else {})}))
    return tuple(planned)


class Scoring:
    """Scorers at work on one run. A scorer is loaded when the first unit needs it.

    Args:
        folder: the run; the caller, or the process that it works for, holds its lock.
        track: gives each scorer its weights.
        planned: from :func:`plan_scorers`.
        device: a torch device string.
    """

    def __init__(self, folder: RunFolder, track: Track, planned: Sequence[Planned], device: str) -> None:
        self._folder, self._track = folder, track
        self._context = Context(track, device)
        self._sets = {each.name: score_set(folder, each) for each in planned}
        self._scorers: dict[str, Scorer] = {}

    def __bool__(self) -> bool:
        """Whether there is any scorer."""
        return bool(self._sets)

    def score(self, unit: int) -> None:
        """Bring the unit's scores up to date and commit them, a table a scorer."""
        due = [name for name, scores in self._sets.items() if not self._folder.is_scored(scores, unit)]
        if not due:
            return
        loaded = [self._loaded(name) for name in due]
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in due}
        rows = [row for row in self._folder.unit_rows(unit) if row["status"] != "failed"]
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            images, samples = [_picture(self._folder, row) for row in chunk], [_sample(row) for row in chunk]
            with self._context.encoders.remembering(images):
                for scorer in loaded:
                    tables[scorer.info.name] += _rows(scorer, images, samples)
        for name, table in tables.items():
            self._folder.commit_scores(self._sets[name], unit, table)

    def _loaded(self, name: str) -> Scorer:
        if name not in self._scorers:
            import torch

            torch.set_num_threads(1)  # sums are then split the same way on every machine
            scorer = make_scorer(name, self._track)
            scorer.load(self._context)
            self._scorers[name] = scorer
        return self._scorers[name]


def score_set(folder: RunFolder, planned: Planned) -> ScoreSet:
    """Return where a scorer's results go in a run."""
    columns = tuple(scorers.get(planned.name).info.columns)
    return folder.score_set(planned.name, planned.fingerprint, columns, planned.description)


def unscored(folder: RunFolder, planned: Sequence[Planned]) -> list[int]:
    """Return the finished units that any of these scorers has not scored."""
    sets = [score_set(folder, each) for each in planned]
    return sorted({unit for scores in sets for unit in folder.unscored_units(scores)})


def make_current(folder: RunFolder, planned: Sequence[Planned]) -> None:
    """State in the manifest that these are the scores to read; other fingerprints stay on disk unread."""
    manifest = folder.manifest()
    now = {**manifest.get("scorers", {}), **{each.name: each.fingerprint for each in planned}}
    if now != manifest.get("scorers"):
        manifest.pop("schema_version")
        folder.write_manifest({**manifest, "scorers": now})


def _rows(scorer: Scorer, images: Sequence[Image], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return one row an image, checked."""
    values = list(scorer.score(images, samples))
    if len(values) != len(images):
        raise BenchError(f"The scorer {scorer.info.name!r} returned {len(values)} rows for {len(images)} images; it must return one an image.")
    for value in values:
        if set(value) != set(scorer.info.columns):
            raise BenchError(f"The scorer {scorer.info.name!r} returned columns {sorted(value)}; it declares {sorted(scorer.info.columns)}.")
    return [{"prompt_id": sample.prompt_id, "image_index": sample.image_index, **value} for sample, value in zip(samples, values, strict=True)]


def _picture(folder: RunFolder, row: dict[str, Any]) -> Image:
    """Return the stored picture, which no scorer may write to; for a blocked sample the black one that a user would be shown."""
    image = np.zeros((row["height"], row["width"], 3), dtype=np.uint8) if row["image"] is None else folder.images.get(row["image"])
    image.flags.writeable = False
    return image


def _sample(row: dict[str, Any]) -> Sample:
    names = ("prompt_id", "prompt", "category", "image_index", "seed", "width", "height", "steps", "guidance")
    return Sample(**{name: row[name] for name in names}, metadata=json.loads(row["metadata"]))
