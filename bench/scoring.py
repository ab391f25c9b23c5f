"""Scoring: what is missing is computed, what is there is kept. Nothing is generated here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.engine.spec import digest
from bench.errors import BenchError
from bench.registry import scorers
from bench.store.run_folder import RunFolder
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


def score_run(folder: RunFolder, track: Track, names: Sequence[str], device: str, start: Callable[[str, int], Callable[[int], None]]) -> None:
    """Bring the scores of ``names`` up to date; the caller holds the run's lock.

    Args:
        folder: the run.
        track: gives each scorer its weights.
        names: registered scorers.
        device: a torch device string.
        start: called with a scorer's name and its number of images to score; returns what to call with images just scored.
    """
    context = Context(track, device, "float32")
    for name in names:
        scorer = make_scorer(name, track)
        description = {"version": scorer.info.version, "parameters": scorer.parameters, "weights": dict(scorer.weights(context))}
        columns = tuple(scorer.info.columns)
        scores = folder.score_set(name, digest({"scorer": name, **description}), columns, description)
        units = folder.unscored_units(scores)
        if units:
            import torch

            torch.set_num_threads(1)
            scorer.load(context)
            markers = folder.markers()
            advance = start(name, sum(markers[unit]["samples"] for unit in units))
            for unit in units:
                folder.commit_scores(scores, unit, _score_unit(folder, scorer, unit, columns))
                advance(markers[unit]["samples"])
        manifest = folder.manifest()
        if manifest.get("scorers", {}).get(name) != scores.fingerprint:
            manifest["scorers"] = {**manifest.get("scorers", {}), name: scores.fingerprint}
            manifest.pop("schema_version")
            folder.write_manifest(manifest)


def _score_unit(folder: RunFolder, scorer: Scorer, unit: int, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the unit's score rows. A blocked sample is scored as the black image that a user would be shown; a failed one is not scored."""
    rows = [row for row in folder.unit_rows(unit) if row["status"] != "failed"]
    scored: list[dict[str, Any]] = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        images = [_picture(folder, row) for row in chunk]
        values = list(scorer.score(images, [_sample(row) for row in chunk]))
        if len(values) != len(chunk):
            raise BenchError(f"The scorer {scorer.info.name!r} returned {len(values)} rows for {len(chunk)} images; it must return one an image.")
        for row, value in zip(chunk, values, strict=True):
            if set(value) != set(columns):
                raise BenchError(f"The scorer {scorer.info.name!r} returned columns {sorted(value)}; it declares {sorted(columns)}.")
            scored.append({"prompt_id": row["prompt_id"], "image_index": row["image_index"], **value})
    return scored


def _picture(folder: RunFolder, row: dict[str, Any]) -> Image:
    if row["image"] is None:
        return np.zeros((row["height"], row["width"], 3), dtype=np.uint8)
    return folder.images.get(row["image"])


def _sample(row: dict[str, Any]) -> Sample:
    names = ("prompt_id", "prompt", "category", "image_index", "seed", "width", "height", "steps", "guidance")
    return Sample(**{name: row[name] for name in names}, metadata=json.loads(row["metadata"]))
