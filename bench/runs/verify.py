"""Proof that a run is whole: every sample stands exactly once, and every byte is what it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.console import Progress, Quiet
from bench.errors import BenchError
from bench.runs.find import describe, suite_since
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.runs.units import Unit
from bench.suites.load import LoadedSuite
from bench.types.sample import key_of
from bench.types.suite import SeedPolicy


@dataclass
class Proof:
    """What was found.

    Attributes:
        samples: how many the run should have.
        standing: how many stand, whole and proven.
        failed: how many the method failed on.
        missing_units: units not finished yet.
        damaged: ``{unit: what is wrong}``.
        unreferenced: image files that no sample names.
        reopened: True when the damaged units were marked to be made again.
        suite_since: what became of the suite's version since the run was made; empty where it is today's.
    """

    samples: int = 0
    standing: int = 0
    failed: int = 0
    missing_units: list[int] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    unreferenced: int = 0
    reopened: bool = False
    suite_since: str = ""

    @property
    def whole(self) -> bool:
        """Whether the run is complete and every byte is right."""
        return not self.damaged and not self.missing_units and not self.failed and self.standing == self.samples


def check_unchanged(folder: RunFolder, suite: LoadedSuite) -> None:
    """Refuse to hold a run against a suite that has changed since: all its units would seem damaged.

    Args:
        folder: the run.
        suite: its suite, as it is here.

    Raises:
        BenchError: it is not the one that the run was made of.
    """
    then = folder.manifest()["suite"]
    if suite.digest != then["digest"]:
        # Of a plugin's suite that kept its version, the way in which its seeds are taken may be all that changed.
        same = then["version"] == suite.info.version and suite.info.seeds != SeedPolicy.HASHED
        hint = "; where it hashed the seeds that its rows bring: `seeds=SeedPolicy.HASHED` in its `info`" if same else ""
        raise BenchError(
            f"The run {folder.path} was made of {then['name']} {then['version']} ({then['digest'][:8]}); here it is {suite.info.name} "
            f"{suite.info.version} ({suite.digest[:8]}). Nothing was touched. Bring the old one back to verify the run{hint}."
        )


def verify(path: Path | str, progress: Progress | None = None) -> Proof:
    """Read every byte of a run, and mark damaged units to be made again by the next ``run``; refuse a run whose suite has changed since."""
    folder = RunFolder.open(Path(path))
    with folder.lock():
        return prove(folder, describe(folder).spec, progress or Quiet())


def prove(folder: RunFolder, spec: RunSpec, progress: Progress) -> Proof:
    """Read everything and mark damaged units to be made again by the next run; the caller holds the lock.

    Args:
        folder: the run.
        spec: what it is.
        progress: told of every unit that was read.

    Raises:
        BenchError: the run's suite has changed since.
    """
    check_unchanged(folder, spec.loaded_suite)
    units = spec.units
    advance = progress.start("verify", len(units), "units")
    verdict = Proof(samples=sum(len(unit.samples) for unit in units), suite_since=suite_since(folder, spec.loaded_track))
    markers = folder.markers()
    named: set[str] = set()
    for unit in units:
        marker = markers.get(unit.index)
        if marker is None:
            verdict.missing_units.append(unit.index)
        else:
            wrong, rows = _read(folder, unit, marker)
            named.update(str(row["image"]) for row in rows if row["image"])
            if wrong:
                verdict.damaged[unit.index] = wrong
                folder.reopen(unit.index)
                verdict.reopened = True
            else:
                counts = Counter(row["status"] for row in rows)
                verdict.failed += counts["failed"]
                verdict.standing += len(rows) - counts["failed"]
        advance(1)
    if not verdict.damaged:
        verdict.unreferenced = len(folder.images.names() - named)
    return verdict


def _read(folder: RunFolder, unit: Unit, marker: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return what is wrong with a unit (empty where nothing is) and its rows."""
    try:
        if not folder.is_table_of(unit.index, marker):
            return "its sample table is not the one that was finished", []
        rows = folder.unit_rows(unit.index)
    except (BenchError, OSError) as error:
        return str(error), []
    if [key_of(row) for row in rows] != [sample.key for sample in unit.samples]:
        return "its samples are not those of the plan", rows
    for row in rows:
        if row["image"] is not None:
            try:
                folder.images.get(row["image"])
                if folder.images.size(row["image"]) != row["image_bytes"]:
                    return f"the file of image {row['image']} has another size than was written", rows
            except BenchError as error:
                return str(error), rows
    return "", rows
