"""Scoring: what is missing is computed, what is there is kept. Nothing is generated here.

One pass over a unit's images serves every scorer: an image is decoded once, and an encoder that several scorers read runs once. Scorers compute in
float32 without TF32 on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError
from bench.runs.folder import RunFolder
from bench.runs.scores import ChosenScorer, make_scorer, score_set
from bench.runs.threads import one_thread
from bench.scorers.clip.encoders import LoadedEncoders
from bench.scorers.precision import full_float32
from bench.types import Context, Sample, Scorer
from bench.types.sample import KEY
from bench.types.track import Track

if TYPE_CHECKING:
    from bench.types import Image

CHUNK = 64
"""Images held in memory at once."""


class Scoring:
    """Scorers at work on one run. A scorer is loaded when the first unit needs it.

    Args:
        folder: the run; the caller, or the process that it works for, holds its lock.
        track: gives each scorer its weights.
        planned: from :func:`plan_scorers`.
        device: a torch device string.
    """

    def __init__(self, folder: RunFolder, track: Track, planned: Sequence[ChosenScorer], device: str) -> None:
        self._folder, self._track = folder, track
        self._encoders = LoadedEncoders()
        self._context = Context(track, device, encoders=self._encoders)
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
            images, samples = [_picture(self._folder, row) for row in chunk], [Sample.from_row(row) for row in chunk]
            with self._encoders.remembering(images), full_float32():
                for scorer in loaded:
                    tables[scorer.info.name] += _rows(scorer, images, samples)
        for name, table in tables.items():
            self._folder.commit_scores(self._sets[name], unit, table)

    def _loaded(self, name: str) -> Scorer:
        if name not in self._scorers:
            one_thread()
            scorer = make_scorer(name, self._track)
            scorer.load(self._context)
            self._scorers[name] = scorer
        return self._scorers[name]


def _rows(scorer: Scorer, images: Sequence[Image], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return one row an image, checked."""
    values = list(scorer.score(images, samples))
    if len(values) != len(images):
        raise BenchError(f"The scorer {scorer.info.name!r} returned {len(values)} rows for {len(images)} images; it must return one an image.")
    for value in values:
        if set(value) != set(scorer.info.columns):
            raise BenchError(f"The scorer {scorer.info.name!r} returned columns {sorted(value)}; it declares {sorted(scorer.info.columns)}.")
    return [{**dict(zip(KEY, sample.key, strict=True)), **value} for sample, value in zip(samples, values, strict=True)]


def _picture(folder: RunFolder, row: dict[str, Any]) -> Image:
    """Return the stored picture, which no scorer may write to; for a blocked sample the black one that a user would be shown."""
    image = np.zeros((row["height"], row["width"], 3), dtype=np.uint8) if row["image"] is None else folder.images.get(row["image"])
    image.flags.writeable = False
    return image
