"""One scorer's results in a run: a note of what it was, and for each unit a table and, written last, the marker that hashes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.errors import BenchError, Damaged
from bench.files.atomic import write_atomic
from bench.files.hashes import hash_json
from bench.files.signed import write_signed
from bench.runs.models import ScoreMarker, ScorerNote, read_document
from bench.runs.tables import UNSCORED, kinds_in, read_notes, read_table, write_scores
from bench.types.sample import KEY

_NOTE = "scorer.json"
_TELLING = 8
"""Score tables that are asked what a scorer's columns hold; in most runs the first one tells."""
_OF = "samples_sha256"
_BY = "fingerprint"
"""In a score table: by whom. Tables without it are older than their markers, and have none."""


@dataclass(frozen=True, slots=True)
class ScoreSet:
    """One scorer's results within a run.

    Attributes:
        folder: where they are.
        scorer: the registry name.
        fingerprint: hash of the scorer's name, version, parameters and weights.
        columns: its raw columns.
    """

    folder: Path
    scorer: str
    fingerprint: str
    columns: tuple[str, ...]

    @classmethod
    def place(cls, scores: Path, scorer: str, fingerprint: str) -> Path:
        """Return the folder of a scorer's results under ``scores``."""
        return scores / f"{scorer}-{fingerprint[:8]}"

    def within(self, scores: Path) -> ScoreSet:
        """Return the results of the same scorer under another run's ``scores``, whether they are there or not."""
        return replace(self, folder=self.place(scores, self.scorer, self.fingerprint))

    @classmethod
    def read(cls, folder: Path) -> ScoreSet:
        """Return the results in ``folder``.

        Raises:
            Damaged: their note is missing or damaged.
        """
        note = _note(folder)[0]
        return cls(folder, note["scorer"], note["fingerprint"], tuple(note["columns"]))

    @classmethod
    def every(cls, scores: Path) -> list[ScoreSet]:
        """Return the results under ``scores`` whose note can be read, by folder name."""
        found = []
        for file in sorted(scores.glob(f"*/{_NOTE}")):
            try:
                found.append(cls.read(file.parent))
            except Damaged:
                continue  # who needs them asks for them by name
        return found

    def describe(self, description: Mapping[str, Any]) -> None:
        """Write the note where it is not there, damaged, of a version without a hash, or says anything else."""
        wanted = {"scorer": self.scorer, "fingerprint": self.fingerprint, "columns": list(self.columns), **description}
        try:
            note, hashed = _note(self.folder)
        except Damaged:
            note, hashed = {}, False
        if not hashed or hash_json({name: value for name, value in note.items() if name in wanted}) != hash_json(wanted):
            write_signed(self.folder / _NOTE, wanted)

    def note(self) -> dict[str, Any]:
        """Return what is written of the scorer: name, fingerprint, columns, version, parameters, weights' hashes.

        Raises:
            Damaged: it is missing or damaged.
        """
        return _note(self.folder)[0]

    def note_is_hashed(self) -> bool:
        """Return whether the note carries its hash."""
        return _note(self.folder)[1]

    def table(self, unit: int) -> Path:
        """Return where the rows of ``unit`` are."""
        return self.folder / f"{unit:05d}.parquet"

    def kinds(self) -> dict[str, str]:
        """Return what each column holds (:func:`bench.types.values.kind_of`), as far as the first units that were scored tell."""
        found: dict[str, str] = {}
        for path in sorted(self.folder.glob("*.parquet"))[:_TELLING]:
            found = {**kinds_in(path), **found}
            if len(found) == len(self.columns):
                break
        return found

    def _marker(self, unit: int) -> Path:
        return self.folder / f"{unit:05d}.json"

    def commit(self, unit: int, rows: Sequence[Mapping[str, Any]], samples_sha256: str, device: str = "") -> None:
        """Write one unit's score rows, then the marker that completes them; ``device`` is the kind that they were computed on."""
        self.forget(unit)
        content = write_scores(self.table(unit), rows, self.columns, {_OF: samples_sha256, _BY: self.fingerprint})
        marker = {
            "table_sha256": hashlib.sha256(content).hexdigest(),
            _OF: samples_sha256,
            _BY: self.fingerprint,
            "rows": len(rows),
            UNSCORED: sum(bool(row.get(UNSCORED)) for row in rows),
            **({"device": device} if device else {}),
        }
        write_signed(self._marker(unit), marker)

    def take(self, other: ScoreSet, unit: int) -> None:
        """Write one unit's scores as another folder of the same run has them, the note where there is none, and the marker last."""
        if not (self.folder / _NOTE).exists():
            write_atomic(self.folder / _NOTE, (other.folder / _NOTE).read_bytes())
        self.forget(unit)
        for mine, theirs in ((self.table(unit), other.table(unit)), (self._marker(unit), other._marker(unit))):
            write_atomic(mine, theirs.read_bytes())

    def forget(self, unit: int) -> None:
        """Forget that ``unit`` was scored, so that the next run scores it again."""
        self._marker(unit).unlink(missing_ok=True)

    def device(self, unit: int) -> str:
        """Return the kind of device that a unit was scored on; empty where its marker does not say."""
        with suppress(Damaged):
            return str((self._read_marker(unit) or {}).get("device", ""))
        return ""

    def unscored(self, unit: int) -> int:
        """Return how many images of a unit the scorer gave nothing for; why is in the table. A marker that cannot be read says nothing."""
        try:
            marker = self._read_marker(unit)
        except Damaged:
            return 0
        return 0 if marker is None else int(marker.get(UNSCORED, 0))

    def is_of(self, unit: int, samples_sha256: str) -> bool:
        """Return whether a unit was scored, from exactly that sample table: a quick look, which does not read the scores.

        Raises:
            Damaged: its marker is damaged.
        """
        marker = self._read_marker(unit)
        return self.is_old(unit, samples_sha256) if marker is None else self._says(marker, samples_sha256)

    def is_old(self, unit: int, samples_sha256: str) -> bool:
        """Return whether a unit's scores are of that sample table and older than their markers, so that nothing proves their bytes."""
        if self._marker(unit).exists():
            return False
        notes = read_notes(self.table(unit))
        return notes.get(_OF) == samples_sha256 and _BY not in notes

    def stands(self, unit: int, samples_sha256: str) -> bool:
        """Return whether a unit's scores are of that sample table and, byte by byte, what was written."""
        try:
            marker = self._read_marker(unit)
            if marker is None or not self._says(marker, samples_sha256):
                return False
            content = self.table(unit).read_bytes()
        except (Damaged, FileNotFoundError):
            return False
        return bool(hashlib.sha256(content).hexdigest() == marker["table_sha256"])

    def wrong(self, unit: int, samples_sha256: str, keys: Sequence[tuple[str, int]]) -> str:
        """Return what is wrong with a unit's scores; empty where they are whole, of that sample table, or not there yet.

        Args:
            unit: its number.
            samples_sha256: of its sample table.
            keys: of the samples that are to be scored, in order.
        """
        try:
            marker = self._read_marker(unit)
            if marker is None or not self._says(marker, samples_sha256):
                return ""
            table = self.rows(unit)
        except BenchError as error:
            return str(error)
        if list(zip(*(table[name].to_pylist() for name in KEY), strict=True)) != list(keys) or marker["rows"] != len(keys):
            return f"The scores in {self.table(unit)} are not of the samples of their unit."
        if set(table.column_names) - {UNSCORED} != {*KEY, *self.columns}:
            return f"The scores in {self.table(unit)} have other columns than the scorer's note says."
        return ""

    def rows(self, unit: int, *, vectors: bool = True) -> pa.Table:
        """Return a unit's score rows, proven to be what was written; those that are older than their markers as they are.

        Raises:
            Damaged: the table is missing, or not what was written.
        """
        marker = self._read_marker(unit)
        return read_table(self.table(unit), vectors=vectors, sha256=None if marker is None else marker["table_sha256"])

    def _read_marker(self, unit: int) -> dict[str, Any] | None:
        if not self._marker(unit).exists():
            return None
        return read_document(self._marker(unit), ScoreMarker, "score marker", str(self.folder))[0]

    def _says(self, marker: Mapping[str, Any], samples_sha256: str) -> bool:
        return bool(marker[_OF] == samples_sha256 and marker[_BY] == self.fingerprint)


def _note(folder: Path) -> tuple[dict[str, Any], bool]:
    return read_document(folder / _NOTE, ScorerNote, "scorer description", str(folder))
