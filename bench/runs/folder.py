"""One run on disk: manifest, sample tables, completion markers, images, scores; and its place among all runs. Nothing else spells these names.

A run lies in OUT/<track>/<suite>/<method>-<first 8 of its id>/:

manifest.json                          what the run is and what made it
samples/00012.parquet                  one row a sample of unit 12
units/00012.json                       its completion marker, written last: the table's hash and the counts
images/ab/<sha256 of the pixels>.png   lossless
scores/<scorer>-<fingerprint>/         scorer.json, 00012.parquet, and 00012.json: its marker, written last: its hash, and that of the sample table

Every JSON document carries the hash of its own content, and every table has its hash in a marker: no reader trusts a byte that is not proven.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.errors import BenchError, Damaged
from bench.files.atomic import Doing, write_atomic
from bench.files.folder import on_this_machine
from bench.files.signed import VERSION, write_signed
from bench.runs.acting import ACTED, Acted
from bench.runs.images import ImageStore
from bench.runs.lock import locked, locked_for_reading
from bench.runs.models import MEND, STATUSES, Markers, RunManifest, UnitMarker, counts, is_of_run, origin, read_document, short_id
from bench.runs.score_sets import ScoreSet
from bench.runs.tables import SAMPLES, joined, read_table, write_table
from bench.runs.units import Unit
from bench.types.sample import key_of

MANIFEST = "manifest.json"
MANIFEST_VERSION = VERSION
_SAMPLES = "samples"


class RunFolder:
    """A run folder of this machine, existing or to be made."""

    def __init__(self, path: Path) -> None:
        self.path = on_this_machine(path)
        self.images = ImageStore(path / "images")

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Return an existing run.

        Raises:
            Damaged: its manifest is damaged, or was deleted.
            BenchError: there is none, or another version of the harness wrote it.
        """
        folder = cls(path)
        if not cls.is_run(path):
            raise BenchError(f"{path} is not a run folder (no {MANIFEST}). List runs with `bench status`, or make one with `bench run`.")
        folder.manifest()
        return folder

    @classmethod
    def of(cls, out: Path, track: str, suite: str, method: str, run_id: str) -> RunFolder:
        """Return the folder of a run under ``out``, the folder of all runs, whether it is there or not."""
        name = re.sub(r"[^\w.-]+", "-", method)[:80]  # a method named with its weights may hold a path
        return cls(out / track / suite / f"{name}-{short_id(run_id)}")

    @classmethod
    def is_run(cls, path: Path) -> bool:
        """Return whether a run was begun in the folder ``path``, also where its manifest was deleted."""
        folder = cls(path)
        return folder.exists() or (folder.is_named_as_run() and folder.was_begun())

    # -- manifest ---------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Return whether the manifest is there, whole or not."""
        return (self.path / MANIFEST).is_file()

    def is_named_as_run(self) -> bool:
        """Return whether the folder's name is one that :meth:`of` gives: under the folder of all runs there may be other things."""
        return re.search(r"-[0-9a-f]{8}$", self.path.name) is not None

    def was_begun(self) -> bool:
        """Return whether samples or markers lie here, whether the manifest does or not."""
        return any(path.is_dir() for path in (self._markers, self.path / _SAMPLES))

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            Damaged: it is missing or damaged.
            BenchError: it is of another version.
        """
        return self._read_manifest()[0]

    def manifest_is_hashed(self) -> bool:
        """Return whether the manifest carries its hash; errors as :meth:`manifest`."""
        return self._read_manifest()[1]

    def _read_manifest(self) -> tuple[dict[str, Any], bool]:
        return read_document(self.path / MANIFEST, RunManifest, "manifest", f"The run {self.path}")

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the whole manifest with its hash, atomically."""
        write_signed(self.path / MANIFEST, manifest)

    def update_manifest(self, **changes: Any) -> None:
        """Change entries of the manifest, atomically; nothing is written where all of them are so already.

        Raises:
            BenchError: as :meth:`manifest`.
        """
        before, hashed = self._read_manifest()
        now = {**before, **changes}
        if now != before or not hashed:
            self.write_manifest(now)

    def lock(self, doing: Doing = Doing.WRITE) -> AbstractContextManager[None]:
        """Hold the run, as :func:`bench.runs.lock.locked` does."""
        return locked(self.path, doing)

    def lock_for_reading(self) -> AbstractContextManager[bool]:
        """Hold the run also where nothing may be written, as :func:`bench.runs.lock.locked_for_reading` does."""
        return locked_for_reading(self.path)

    # -- units ------------------------------------------------------------------------------------------------

    def _table(self, unit: int) -> Path:
        return self.path / _SAMPLES / f"{unit:05d}.parquet"

    @property
    def _markers(self) -> Path:
        return self.path / "units"

    def _marker(self, unit: int) -> Path:
        return self._markers / f"{unit:05d}.json"

    def commit_unit(self, unit: int, rows: Sequence[Mapping[str, Any]], seconds: float, *, split: int = 0, acted: Acted | None = None) -> None:
        """Write a unit's sample table, then its marker, which says whose it is. Its images and the manifest must be written already.

        Args:
            unit: its number.
            rows: its samples.
            seconds: what they took.
            split: how often a batch had to be split.
            acted: on how many samples the method acted; None where it does not say.
        """
        self._marker(unit).unlink(missing_ok=True)
        manifest = self.manifest()
        content = write_table(self._table(unit), rows, SAMPLES, {})
        marker = {
            "table_sha256": hashlib.sha256(content).hexdigest(),
            **counts(rows),
            "seconds": round(seconds, 3),
            **({"split": split} if split else {}),
            **({ACTED: asdict(acted)} if acted is not None else {}),
            **origin(manifest),
        }
        write_signed(self._marker(unit), marker)

    def take_unit(self, other: RunFolder, unit: int) -> None:
        """Write a unit as another folder of the same run has it, its images first and its marker last; errors as :meth:`unit_rows`."""
        for row in other.unit_rows(unit):
            if row["image"] is not None:
                self.images.take(other.images, str(row["image"]))
        self.reopen(unit)
        for mine, theirs in ((self._table(unit), other._table(unit)), (self._marker(unit), other._marker(unit))):
            write_atomic(mine, theirs.read_bytes())

    def markers(self) -> dict[int, dict[str, Any]]:
        """Return the completion marker of every finished unit, by unit.

        Raises:
            Damaged: one cannot be read, or is of another run than the manifest.
        """
        run_id = self.manifest()["run_id"]
        found = {unit: self.markers_of(unit) for unit in self.marked_units()}
        other = next((unit for unit, marker in found.items() if not is_of_run(marker, run_id)), None)
        if other is not None:
            raise Damaged(f"The marker {self._marker(other)} is of another run than the manifest beside it. {MEND}")
        return found

    def readable_markers(self) -> dict[int, dict[str, Any]]:
        """Return the same without those that cannot be read, which complete nothing."""
        found = {}
        for unit in self.marked_units():
            with suppress(Damaged):
                found[unit] = self.markers_of(unit)
        return found

    def marked_units(self) -> list[int]:
        """Return the units that have a marker, whole or not."""
        return sorted(int(path.stem) for path in self._markers.glob("*.json") if path.stem.isascii() and path.stem.isdecimal())

    def reopen(self, unit: int) -> None:
        """Forget that ``unit`` was completed, so that the next run makes it again."""
        self._marker(unit).unlink(missing_ok=True)

    def missing_units(self, units: Sequence[Unit]) -> list[int]:
        """Return which of ``units`` must be generated.

        They have no readable marker, failed samples, not all of the samples, or files missing, of another size or another table.
        """
        run_id = self.manifest()["run_id"]
        markers = {unit: marker for unit, marker in self.readable_markers().items() if is_of_run(marker, run_id)}
        there = {unit.index for unit in units if unit.index in markers and not markers[unit.index]["failed"]}
        return [unit.index for unit in units if unit.index not in there or not self._stands(unit, markers[unit.index])]

    def _stands(self, unit: Unit, marker: Mapping[str, Any]) -> bool:
        """Return whether the table is what was written and counted, and the images have their sizes: ``bench verify`` reads every byte of them."""
        try:
            rows = self.unit_rows(unit.index)
        except Damaged:
            return False
        if counts(rows) != {name: marker[name] for name in counts(())}:
            return False
        # It was made when fewer prompts were asked for.
        if not {sample.key for sample in unit.samples} <= {key_of(row) for row in rows}:
            return False
        return all(row["image"] is None or self.images.size(row["image"]) == row["image_bytes"] for row in rows)

    def is_marked(self, unit: int) -> bool:
        """Return whether a unit has a marker, whole or not."""
        return self._marker(unit).exists()

    def sign_markers(self, manifest: Mapping[str, Any]) -> None:
        """Give the markers of version 1 a hash and say whose they are: those that count what stands in the table that they hash."""
        for unit in self.marked_units():
            with suppress(Damaged):
                marker, hashed = self._read_marker(unit)
                if not hashed and counts(self.unit_rows(unit)) == {name: marker[name] for name in ("samples", *STATUSES)}:
                    write_signed(self._marker(unit), {**marker, **origin(manifest)})

    def units_changed(self) -> int:
        """Return when a unit was last finished or reopened, in nanoseconds, for telling whether what was read before still holds.

        Raises:
            OSError: no unit was ever finished.
        """
        return self._markers.stat().st_mtime_ns

    def unit_rows(self, unit: int) -> list[dict[str, Any]]:
        """Return the sample rows of a finished unit.

        Raises:
            Damaged: the table or the marker is missing or not what was written.
            BenchError: the table is of another schema version.
        """
        rows: list[dict[str, Any]] = read_table(self._table(unit), sha256=self.unit_digest(unit)).to_pylist()
        return rows

    def unit_digest(self, unit: int) -> str:
        """Return the hash of the unit's sample table, as its marker states it."""
        return str(self.markers_of(unit)["table_sha256"])

    def markers_of(self, unit: int) -> dict[str, Any]:
        """Return one unit's marker.

        Raises:
            Damaged: it is missing or damaged.
        """
        return self._read_marker(unit)[0]

    def marker_is_hashed(self, unit: int) -> bool:
        """Return whether a unit's marker carries its own hash; errors as :meth:`markers_of`."""
        return self._read_marker(unit)[1]

    def _read_marker(self, unit: int) -> tuple[dict[str, Any], bool]:
        return read_document(self._marker(unit), UnitMarker, "completion marker", f"The run {self.path}")

    def samples(self, markers: Markers | None = None) -> pa.Table:
        """Return the rows of every completed unit, in order; errors as :meth:`unit_rows`. ``markers`` as in :meth:`stale_units`."""
        units = (self.markers() if markers is None else markers).items()
        tables = [read_table(self._table(unit), sha256=str(marker["table_sha256"])) for unit, marker in units]
        return pa.concat_tables(tables) if tables else SAMPLES.empty_table()

    # -- scores -----------------------------------------------------------------------------------------------

    @property
    def _scores(self) -> Path:
        return self.path / "scores"

    def score_set(self, scorer: str, fingerprint: str, columns: Sequence[str], description: Mapping[str, Any]) -> ScoreSet:
        """Return where a scorer's results go, its note written where it is new or damaged."""
        scores = ScoreSet(ScoreSet.place(self._scores, scorer, fingerprint), scorer, fingerprint, tuple(columns))
        scores.describe(description)
        return scores

    def same_scores(self, scores: ScoreSet) -> ScoreSet:
        """Return where this run has the results of the scorer whose results in another folder are ``scores``."""
        return scores.within(self._scores)

    def score_sets(self) -> list[ScoreSet]:
        """Return every scorer's results in this run whose note can be read, by folder name."""
        return ScoreSet.every(self._scores)

    def current_scores(self) -> list[ScoreSet]:
        """Return the results that the manifest names as current, one a scorer; older fingerprints stay on disk unread.

        Raises:
            Damaged: the manifest, or the note of one of them, is missing or damaged.
        """
        found = []
        for scorer, fingerprint in sorted(self.manifest().get("scorers", {}).items()):
            scores = ScoreSet.read(ScoreSet.place(self._scores, scorer, fingerprint))
            if (scores.scorer, scores.fingerprint) != (scorer, fingerprint):
                raise Damaged(f"The scores in {scores.folder} are not those of {scorer} that the manifest names. {MEND}")
            found.append(scores)
        return found

    def older_scores(self) -> list[str]:
        """Return the folders' names of all results that the manifest does not name as current."""
        return ScoreSet.others(self._scores, self.manifest().get("scorers", {}))

    def unscored_units(self, scores: ScoreSet, markers: Markers | None = None) -> list[int]:
        """Return the completed units that lack scores: they are stale, or an image has none. Arguments and errors as :meth:`stale_units`."""
        markers = self.markers() if markers is None else markers
        return sorted({*self.stale_units(scores, markers), *(unit for unit in markers if scores.unscored(unit))})

    def stale_units(self, scores: ScoreSet, markers: Markers | None = None) -> list[int]:
        """Return the completed units whose scores are missing or were made from another sample table: a quick look, which reads no score.

        ``markers`` are those of the completed units where they were read already, so that several scorers need not.

        Raises:
            Damaged: a marker is damaged.
        """
        markers = self.markers() if markers is None else markers
        return [unit for unit, marker in sorted(markers.items()) if not scores.is_of(unit, marker["table_sha256"])]

    def unscored_images(self, scores: ScoreSet) -> dict[int, int]:
        """Return how many images of each unit the scorer gave nothing for, where there are any; why is in the table."""
        found = {unit: scores.unscored(unit) for unit in self.readable_markers()}
        return {unit: count for unit, count in found.items() if count}

    def unproven_units(self, scores: ScoreSet) -> list[int]:
        """Return the completed units that must be scored: as :meth:`stale_units`, and those whose scores are not what was written."""
        return [unit for unit, marker in sorted(self.readable_markers().items()) if not scores.stands(unit, marker["table_sha256"])]

    def is_scored(self, scores: ScoreSet, unit: int) -> bool:
        """Return whether a completed unit has scores of every image, made from its sample table as it is now, and whole."""
        return scores.stands(unit, self.unit_digest(unit)) and not scores.unscored(unit)

    def commit_scores(self, scores: ScoreSet, unit: int, rows: Sequence[Mapping[str, Any]], device: str = "") -> None:
        """Write one unit's score rows, and the marker that completes them; ``device`` as in :meth:`ScoreSet.commit`."""
        scores.commit(unit, rows, self.unit_digest(unit), device)

    def scores(self, scores: ScoreSet, *, vectors: bool = True, markers: Markers | None = None) -> pa.Table | None:
        """Return a scorer's rows of every completed unit that it has scored, or None where there are none.

        ``vectors`` as in :func:`read_table`, ``markers`` as in :meth:`stale_units`.

        Raises:
            Damaged: a table or a marker is not what was written.
        """
        markers = self.markers() if markers is None else markers
        stale = set(self.stale_units(scores, markers))
        tables = [scores.rows(unit, vectors=vectors) for unit in sorted(markers) if unit not in stale]
        # A unit without an image left to score cannot tell what its columns hold.
        tables = [table for table in tables if table.num_rows] or tables[:1]
        return joined(tables) if tables else None
