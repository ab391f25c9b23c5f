"""Scoring: what is missing is computed, what is there is kept. Nothing is generated here.

One pass over a unit's images serves every scorer: an image is decoded once, and an encoder that several scorers read runs once. Scorers compute in
float32 without TF32 on every device.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError, OutOfTime, blaming, in_one_line, is_ctrl_c, naming, said
from bench.guard.calls import Call, Caller, own, taken
from bench.runs.folder import RunFolder
from bench.runs.score_sets import ScoreSet
from bench.runs.scores import ChosenScorer, make_scorer, score_set
from bench.runs.tables import UNSCORED
from bench.runs.threads import one_thread
from bench.scorers.clip.encoders import LoadedEncoders
from bench.scorers.precision import full_float32
from bench.types import Context, Sample, Scorer
from bench.types.sample import KEY
from bench.types.track import Track
from bench.types.values import FLAG, NUMBER, BadValue, kind_of, plain

if TYPE_CHECKING:
    from bench.types import Image

CHUNK = 64
"""Images held in memory at once."""


class Scoring:
    """Scorers at work on one run. A scorer is loaded when the first unit needs it.

    Args:
        folder: the run; the caller, or the process that it works for, holds its lock.
        track: gives each scorer its weights.
        planned: from :func:`bench.runs.scores.choose_scorers`.
        device: a torch device string.
        caller: makes every call of a scorer.
    """

    def __init__(self, folder: RunFolder, track: Track, planned: Sequence[ChosenScorer], device: str, caller: Caller) -> None:
        self._folder, self._track, self._caller = folder, track, caller
        self._encoders = LoadedEncoders()
        self._context = Context(track, device, encoders=self._encoders)
        self._sets = {each.name: score_set(folder, each) for each in planned}
        self._scorers: dict[str, Scorer] = {}
        self._kinds: dict[str, dict[str, str]] = {}

    def __bool__(self) -> bool:
        """Whether there is any scorer."""
        return bool(self._sets)

    def score(self, unit: int, spared: Collection[str] = ()) -> None:
        """Bring the unit's scores up to date and commit them, a table a scorer; the scorers ``spared`` are left out."""
        due = [name for name, scores in self._sets.items() if name not in spared and not self._folder.is_scored(scores, unit)]
        if not due:
            return
        for name in due:
            self._loaded(name)
        self._caller.idle()  # reading images is nobody's time
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in due}
        rows = [row for row in self._folder.unit_rows(unit) if row["status"] != "failed"]
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            images, samples = [_picture(self._folder, row) for row in chunk], [Sample.from_row(row) for row in chunk]
            with self._encoders.remembering(images), full_float32():
                for name in due:
                    tables[name] += self._rows(name, images, samples)
        self._caller.idle()
        for name, table in tables.items():
            self._folder.commit_scores(self._sets[name], unit, table, self._context.device.partition(":")[0])

    def _loaded(self, name: str) -> Scorer:
        if name not in self._scorers:
            one_thread()
            scorer = make_scorer(name, self._track)
            with blaming("scorer", name, "load"), self._caller.call(Call("scorer", name, "load")):
                scorer.load(self._context)
            self._scorers[name] = scorer
        return self._scorers[name]

    def _rows(self, name: str, images: Sequence[Image], samples: Sequence[Sample]) -> list[dict[str, Any]]:
        """Return one row an image. One that the scorer fails on has no values and the reason; the others of its call are scored alone then."""
        given = self._given(name, images, samples)
        if isinstance(given, str) and len(images) > 1:
            return [row for image, sample in zip(images, samples, strict=True) for row in self._rows(name, [image], [sample])]
        values = [given] if isinstance(given, str) else given
        return [score_row(self._sets[name], sample.key, value) for sample, value in zip(samples, values, strict=True)]

    def _given(self, name: str, images: Sequence[Image], samples: Sequence[Sample]) -> list[dict[str, Any] | str] | str:
        """Return the values of each image, checked, or the reason why it has none; of all of them where the call itself failed."""
        import torch

        call, scorer = Call.on("scorer", name, "score", samples), self._loaded(name)
        try:
            with self._caller.call(call):
                given = taken("the scorer", scorer.score(list(images), own(samples)), len(images), "rows", "images")
                return given if isinstance(given, str) else [self._checked(name, row) for row in given]
        except BenchError as error:
            raise naming(error, call.noun, call.name, call.asked()) from None
        except torch.OutOfMemoryError:
            raise
        except OutOfTime as error:
            self._scorers.pop(name, None)  # it was stopped somewhere in its work
            return str(error)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            return said(error)

    def _checked(self, name: str, row: object) -> dict[str, Any] | str:
        """Return a row as it is kept, or what is wrong with it."""
        columns = self._sets[name].columns
        if not isinstance(row, Mapping):
            return f"the scorer returned a row of type {type(row).__name__}; expected a mapping of its columns"
        if set(row) != set(columns):
            return f"the scorer returned the columns {sorted(map(str, row))}; it declares {sorted(columns)}"
        kinds = self._known_kinds(name)
        kept, found = {}, {}
        for column in columns:
            try:
                kept[column] = plain(row[column])
            except BadValue as error:
                return f"column {column!r}: {error}"
            kind = kind_of(kept[column])
            if kind is not None:
                found[column] = kind
                if column == name and kind not in (NUMBER, FLAG):
                    return f"column {column!r} bears the scorer's name, so it holds numbers, or yes or no; got {kind}. Give it another name"
                if kinds.get(column, kind) != kind:
                    return f"column {column!r} holds {kinds[column]} in other images; got {kind}"
        kinds.update(found)
        return kept

    def _known_kinds(self, name: str) -> dict[str, str]:
        """Return what the scorer's columns hold, as far as an image scored before tells, in this process or in another."""
        if name not in self._kinds:
            self._kinds[name] = self._sets[name].kinds()
        return self._kinds[name]


def score_row(scores: ScoreSet, key: tuple[str, int], values: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return a row of a score table: a sample's values, or the reason why it has none."""
    row: dict[str, Any] = dict(zip(KEY, key, strict=True))
    if isinstance(values, str):
        return {**row, **dict.fromkeys(scores.columns), UNSCORED: in_one_line(values)}
    return {**row, **values}


def _picture(folder: RunFolder, row: dict[str, Any]) -> Image:
    """Return the stored picture, which no scorer can write to; for a blocked sample the black one that a user would be shown."""
    # An imported picture may have another size than its sample asks for.
    stored = np.zeros((row["height"], row["width"], 3), dtype=np.uint8) if row["image"] is None else folder.images.get(row["image"])
    # Of bytes, which cannot change: an array of its own could be made writable again.
    return np.frombuffer(stored.tobytes(), dtype=np.uint8).reshape(stored.shape)
