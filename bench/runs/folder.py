"""One run on disk: manifest, sample tables, completion markers, images, scores; and its place among all runs. Nothing else spells these names.

A run lies in OUT/<track>/<suite>/<method>-<first 8 of its id>/:

manifest.json                          what the run is and what made it
samples/00012.parquet                  one row a sample of unit 12
units/00012.json                       its completion marker, written last: the table's hash and the counts
images/ab/<sha256 of the pixels>.png   lossless
scores/<scorer>-<fingerprint>/         scorer.json, and 00012.parquet made from exactly that sample table
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.errors import BenchError
from bench.files.atomic import mendable, read_json, sweep, write_json
from bench.files.hashes import sha256
from bench.runs.acting import ACTED, Acted
from bench.runs.images import ImageStore
from bench.runs.tables import SAMPLES, UNSCORED, joined, kinds_in, read_notes, read_table, write_scores, write_table

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
STATUSES = ("generated", "blocked", "failed")
_NOTE = "scorer.json"
_TELLING = 8
"""Score tables that are asked what a scorer's columns hold; in most runs the first one tells."""


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

    def note(self) -> dict[str, Any]:
        """Return what is written of the scorer: name, fingerprint, columns, version, parameters, weights' hashes.

        Raises:
            BenchError: it is missing or damaged.
        """
        return read_json(self.folder / _NOTE, "scorer description")

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


class RunFolder:
    """A run folder, existing or to be made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images = ImageStore(path / "images")

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Return an existing run.

        Raises:
            BenchError: there is none, or another version of the harness wrote it.
        """
        folder = cls(path)
        if not folder.exists():
            raise BenchError(f"{path} is not a run folder (no {MANIFEST}). List runs with `bench status`, or make one with `bench run`.")
        folder.manifest()
        return folder

    @classmethod
    def of(cls, out: Path, track: str, suite: str, method: str, run_id: str) -> RunFolder:
        """Return the folder of a run under ``out``, the folder of all runs, whether it is there or not."""
        name = re.sub(r"[^\w.-]+", "-", method)[:80]  # a method named with its weights may hold a path
        return cls(out / track / suite / f"{name}-{_short(run_id)}")

    @staticmethod
    def is_run(path: Path) -> bool:
        """Return whether a run was begun in the folder ``path``."""
        return (path / MANIFEST).is_file()

    # -- manifest ---------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Return whether the run was begun."""
        return self.is_run(self.path)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            BenchError: it is damaged or of another version.
        """
        manifest = read_json(self.path / MANIFEST, "manifest")
        if manifest.get("schema_version") != MANIFEST_VERSION:
            raise BenchError(
                f"The run {self.path} has manifest version {manifest.get('schema_version')}; this bench reads version {MANIFEST_VERSION}. "
                "Use the bench that wrote it, or another --out."
            )
        return manifest

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the whole manifest, atomically."""
        write_json(self.path / MANIFEST, {**manifest, "schema_version": MANIFEST_VERSION})

    def update_manifest(self, **changes: Any) -> None:
        """Change entries of the manifest, atomically; nothing is written where all of them are so already.

        Raises:
            BenchError: as :meth:`manifest`.
        """
        before = self.manifest()
        now = {**before, **changes}
        if now != before:
            self.write_manifest(now)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process alone, and sweep what an interrupted one left half written.

        Raises:
            BenchError: another process holds it.
        """
        with mendable(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BenchError(f"Another bench process is working on {self.path}. Wait for it, or give another --out.") from None
            sweep(self.path)
            yield
        finally:
            os.close(handle)

    # -- units ------------------------------------------------------------------------------------------------

    def _table(self, unit: int) -> Path:
        return self.path / "samples" / f"{unit:05d}.parquet"

    @property
    def _markers(self) -> Path:
        return self.path / "units"

    def _marker(self, unit: int) -> Path:
        return self._markers / f"{unit:05d}.json"

    def commit_unit(self, unit: int, rows: Sequence[Mapping[str, Any]], seconds: float, *, split: int = 0, acted: Acted | None = None) -> None:
        """Write a unit's sample table, then its marker. Its images must be written already.

        Args:
            unit: its number.
            rows: its samples.
            seconds: what they took.
            split: how often a batch had to be split.
            acted: on how many samples the method acted; None where it does not say.
        """
        self._marker(unit).unlink(missing_ok=True)
        content = write_table(self._table(unit), rows, SAMPLES, {})
        counts = Counter(str(row["status"]) for row in rows)
        marker = {
            "table_sha256": hashlib.sha256(content).hexdigest(),
            "samples": len(rows),
            **{status: counts.get(status, 0) for status in STATUSES},
            "seconds": round(seconds, 3),
            **({"split": split} if split else {}),
            **({ACTED: asdict(acted)} if acted is not None else {}),
        }
        write_json(self._marker(unit), marker)

    def markers(self) -> dict[int, dict[str, Any]]:
        """Return every readable completion marker, by unit."""
        found = {}
        for path in sorted(self._markers.glob("*.json")):
            try:
                found[int(path.stem)] = json.loads(path.read_text(encoding="utf-8"))
            except (ValueError, OSError):
                continue  # a marker that cannot be read completes nothing; the unit is made again
        return found

    def reopen(self, unit: int) -> None:
        """Forget that ``unit`` was completed, so that the next run makes it again."""
        self._marker(unit).unlink(missing_ok=True)

    def missing_units(self, units: int) -> list[int]:
        """Return the units that must be generated: no marker, failed samples, or files missing or of another size."""
        markers = self.markers()
        return [unit for unit in range(units) if unit not in markers or markers[unit].get("failed") or not self._stands(unit, markers[unit])]

    def _stands(self, unit: int, marker: Mapping[str, Any]) -> bool:
        """Return whether table and images are there with their sizes: a quick look; ``bench verify`` reads every byte."""
        if not self._table(unit).is_file() or not self.is_table_of(unit, marker):
            return False
        rows = self.unit_rows(unit)
        return all(row["image"] is None or self.images.size(row["image"]) == row["image_bytes"] for row in rows)

    def is_table_of(self, unit: int, marker: Mapping[str, Any]) -> bool:
        """Return whether the unit's sample table is, byte by byte, the one that ``marker`` was written for.

        Raises:
            OSError: the table is missing or cannot be read.
        """
        return sha256(self._table(unit)) == marker.get("table_sha256")

    def units_changed(self) -> int:
        """Return when a unit was last finished or reopened, in nanoseconds, for telling whether what was read before still holds.

        Raises:
            OSError: no unit was ever finished.
        """
        return self._markers.stat().st_mtime_ns

    def unit_rows(self, unit: int) -> list[dict[str, Any]]:
        """Return the sample rows of one unit.

        Raises:
            BenchError: the table is missing, damaged or of another schema version.
        """
        rows: list[dict[str, Any]] = read_table(self._table(unit)).to_pylist()
        return rows

    def unit_digest(self, unit: int) -> str:
        """Return the hash of the unit's sample table, as its marker states it."""
        return str(self.markers_of(unit)["table_sha256"])

    def markers_of(self, unit: int) -> dict[str, Any]:
        """Return one unit's marker."""
        return read_json(self._marker(unit), "completion marker")

    def samples(self) -> pa.Table:
        """Return the rows of every completed unit, in order."""
        tables = [read_table(self._table(unit)) for unit in sorted(self.markers())]
        return pa.concat_tables(tables) if tables else SAMPLES.empty_table()

    # -- scores -----------------------------------------------------------------------------------------------

    def score_set(self, scorer: str, fingerprint: str, columns: Sequence[str], description: Mapping[str, Any]) -> ScoreSet:
        """Return where a scorer's results go, made with its description where it is new."""
        folder = self.path / "scores" / f"{scorer}-{fingerprint[:8]}"
        if not (folder / _NOTE).is_file():
            write_json(folder / _NOTE, {"scorer": scorer, "fingerprint": fingerprint, "columns": list(columns), **description})
        return ScoreSet(folder, scorer, fingerprint, tuple(columns))

    def score_sets(self) -> list[ScoreSet]:
        """Return every scorer's results in this run, by folder name."""
        found = []
        for file in sorted((self.path / "scores").glob(f"*/{_NOTE}")):
            note = read_json(file, "scorer description")
            found.append(ScoreSet(file.parent, str(note["scorer"]), str(note["fingerprint"]), tuple(note["columns"])))
        return found

    def unscored_units(self, scores: ScoreSet) -> list[int]:
        """Return the completed units that lack scores: the table is missing or of another sample table, or an image in it has no score."""
        found = ((unit, marker, read_notes(scores.table(unit))) for unit, marker in sorted(self.markers().items()))
        return [unit for unit, marker, notes in found if UNSCORED in notes or not self._fits(notes, marker)]

    def stale_units(self, scores: ScoreSet) -> list[int]:
        """Return the completed units whose scores are missing or were made from another sample table."""
        return [unit for unit, marker in sorted(self.markers().items()) if not self._fits(read_notes(scores.table(unit)), marker)]

    def unscored_images(self, scores: ScoreSet) -> dict[int, int]:
        """Return how many images of each unit the scorer gave nothing for, where there are any; why is in the table."""
        found = {unit: int(read_notes(scores.table(unit)).get(UNSCORED, "0")) for unit in self.markers()}
        return {unit: count for unit, count in found.items() if count}

    def is_scored(self, scores: ScoreSet, unit: int) -> bool:
        """Return whether a completed unit has scores of every image, made from its sample table as it is now."""
        notes = read_notes(scores.table(unit))
        return UNSCORED not in notes and self._fits(notes, self.markers_of(unit))

    @staticmethod
    def _fits(notes: Mapping[str, str], marker: Mapping[str, Any]) -> bool:
        """Return whether a score table with these notes was made from the sample table that ``marker`` was written for."""
        return notes.get("samples_sha256") == str(marker["table_sha256"])

    def commit_scores(self, scores: ScoreSet, unit: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one unit's score rows; the atomic rename is their completion."""
        write_scores(scores.table(unit), rows, scores.columns, {"samples_sha256": self.unit_digest(unit)})

    def scores(self, scores: ScoreSet, *, vectors: bool = True) -> pa.Table | None:
        """Return a scorer's rows of every completed unit that it has scored, or None where there are none; ``vectors`` as in :func:`read_table`."""
        stale = set(self.stale_units(scores))
        tables = [read_table(scores.table(unit), vectors=vectors) for unit in sorted(self.markers()) if unit not in stale]
        # A unit without an image left to score cannot tell what its columns hold.
        tables = [table for table in tables if table.num_rows] or tables[:1]
        return joined(tables) if tables else None


def _short(run_id: str) -> str:
    """Return what a folder's name says of a run's id."""
    return run_id[:8]


def run_folders(out: Path, *, track: str | None = None, suite: str | None = None, run_id: str | None = None) -> list[RunFolder]:
    """Return the folder of every run that was begun under ``out``, by path; nothing is read.

    Args:
        out: the folder of all runs.
        track: of this track alone.
        suite: of this suite alone.
        run_id: whose name says this id; another id may begin alike, so the manifest has the word.
    """
    names = ["*" if name is None else glob.escape(name) for name in (track, suite)]
    run = "*" if run_id is None else f"*-{glob.escape(_short(run_id))}"
    return [RunFolder(manifest.parent) for manifest in sorted(out.glob("/".join([*names, run, MANIFEST])))]
