"""Proof that a run is whole: every sample stands exactly once, every byte is what it was, and the manifest says what is so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.console import Progress, default_progress
from bench.errors import BenchError, Damaged
from bench.runs.find import spec_of, suite_since
from bench.runs.folder import RunFolder
from bench.runs.imported import untrue
from bench.runs.manifest import contradictions, id_of, reopen
from bench.runs.models import counts, is_of_run
from bench.runs.own_prompts import wrong_with_kept
from bench.runs.score_sets import ScoreSet
from bench.runs.sources import SOURCE
from bench.runs.spec import digest
from bench.suites.load import LoadedSuite
from bench.types import Sample
from bench.types.sample import COLUMNS, key_of
from bench.types.suite import SeedPolicy


@dataclass
class Proof:
    """What was found.

    Attributes:
        samples: how many the run should have; of a run without a manifest, how many its markers count.
        standing: how many stand, whole and proven.
        failed: how many the method failed on.
        missing_units: units not finished yet.
        damaged: ``{unit: what is wrong}``.
        manifest: what is wrong with the manifest.
        damaged_scores: what is wrong with scores, one sentence a table or note.
        unscored: ``{scorer: finished units without its scores}``.
        unproven: documents and tables that were written before they were hashed, so that nothing proves them.
        older: results of scorers that are not current, which nobody reads, this proof included.
        unreferenced: image files that no sample names.
        reopened: True when what is damaged, if anything, was marked to be made again; False where the folder is read-only.
        absent: images that an import did not bring.
        command: what makes again what is damaged.
        suite_since: what became of the suite's version since the run was made; empty where it is today's.
    """

    samples: int = 0
    standing: int = 0
    failed: int = 0
    missing_units: list[int] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    manifest: list[str] = field(default_factory=list)
    damaged_scores: list[str] = field(default_factory=list)
    unscored: dict[str, int] = field(default_factory=dict)
    unproven: int = 0
    older: list[str] = field(default_factory=list)
    unreferenced: int = 0
    reopened: bool = False
    absent: int = 0
    command: str = "bench run"
    suite_since: str = ""

    @property
    def whole(self) -> bool:
        """Whether the run is complete, every byte is right and the manifest is true."""
        wrong = self.damaged or self.manifest or self.damaged_scores
        lacking = self.missing_units or self.unscored or self.failed or self.unproven
        return not wrong and not lacking and self.standing + self.absent == self.samples

    def reasons(self) -> list[str]:
        """Return why the run is not whole, one clause each."""
        found = [f"the manifest: {each}" for each in self.manifest]
        found += [f"unit {unit}: {each}" for unit, each in self.damaged.items()]
        found += self.damaged_scores
        found += [f"{len(self.missing_units)} unit(s) are not finished"] if self.missing_units else []
        found += [f"{self.failed} sample(s) failed"] if self.failed else []
        found += [f"{scorer} has not scored {units} unit(s)" for scorer, units in self.unscored.items()]
        found += [f"{self.unproven} file(s) were written before files were hashed"] if self.unproven else []
        return found

    def remedy(self) -> str:
        """Return what the same command will do about it; empty where the run is whole."""
        units = len({*self.damaged, *self.missing_units})
        scored = len(self.damaged_scores) + sum(self.unscored.values())
        todo = [f"make {units} unit(s) and any failed sample again"] if units or self.failed else []
        todo += [f"score {scored} unit(s) again"] if scored else []
        todo += ["write the manifest anew and keep the units that their markers say to be of this run"] if self.manifest else []
        todo += [f"hash {self.unproven} file(s) that have none yet, the scores among them by scoring again"] if self.unproven else []
        if not todo:
            return ""
        marked = "" if self.reopened or not (self.damaged or self.manifest) else " Nothing was marked, since the folder is read-only: verify a copy."
        return f"The same `{self.command}` will {'; '.join(todo)}.{marked}"


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
    """Read every byte of a run, and mark what is damaged to be made again by the next ``run``; on media that are read-only nothing is marked.

    Raises:
        Unreachable: the operating system does not give a file, which may well be whole: nothing is marked.
        BenchError: ``path`` is no run folder, another process is working on it, or its suite has changed since.
    """
    folder = RunFolder(Path(path))
    if not RunFolder.is_run(folder.path):
        RunFolder.open(folder.path)  # says so
    with folder.lock_for_reading() as writable:
        verdict = prove(folder, progress or default_progress())
        if writable:
            _mark(folder, verdict)
    return verdict


def prove(folder: RunFolder, progress: Progress) -> Proof:
    """Read everything of a run and change nothing; the caller holds the lock.

    Args:
        folder: the run.
        progress: told of every unit that was read.

    Raises:
        BenchError: the run's suite has changed since, or another version of the harness wrote it.
    """
    try:
        spec = spec_of(folder)
        if id_of(folder.manifest()) != folder.manifest()["run_id"]:
            raise Damaged("its run_id is not the hash of its track, method, suite and settings.")
    except Damaged as error:
        return _without_manifest(folder, str(error), progress)
    manifest = folder.manifest()
    if wrong := wrong_with_kept(folder):
        raise BenchError(wrong)
    check_unchanged(folder, spec.loaded_suite)
    advance = progress.start("verify", len(spec.units), "units")
    verdict = Proof(samples=len(spec.loaded_suite.samples), suite_since=suite_since(folder, spec.loaded_track))
    verdict.unproven += not folder.manifest_is_hashed()
    verdict.command = "bench import" if spec.imported else "bench run"
    named: set[str] = set()
    sets = _current(folder, manifest, verdict)
    verdict.older = folder.older_scores()
    order = {sample.prompt_id: at for at, sample in enumerate(spec.loaded_suite.samples)}
    for unit in spec.units:
        if folder.is_marked(unit.index):
            named |= _prove_unit(folder, unit.index, PlannedSamples(unit.samples, order, some=spec.imported), sets, verdict)
        else:
            verdict.missing_units.append(unit.index)
        advance(1)
    verdict.damaged |= {unit: "the run has no such unit" for unit in folder.marked_units() if unit not in spec.unit_of}
    markers = folder.readable_markers()
    counted = sum(marker["samples"] for marker in markers.values())
    verdict.manifest += contradictions(manifest, spec, markers.values() if counted == verdict.samples else None)
    others = [unit for unit, marker in markers.items() if not is_of_run(marker, manifest["run_id"])]
    if others and len(others) == len(markers):
        verdict.manifest.append("it is of another run than every unit")
    else:
        verdict.damaged |= {unit: f"its marker is of another run ({markers[unit]['run_id'][:16]})" for unit in others}
    if spec.imported and not verdict.damaged and not verdict.missing_units:
        verdict.absent = verdict.samples - verdict.standing
        verdict.manifest += untrue(folder, manifest, folder.samples().to_pylist())
    if not verdict.damaged:
        verdict.unreferenced = len(folder.images.names() - named)
    return verdict


def _without_manifest(folder: RunFolder, wrong: str, progress: Progress) -> Proof:
    """Return what can be proven of a run whose manifest cannot be read: that its units are what their markers hash."""
    units = folder.marked_units()
    advance = progress.start("verify", len(units), "units")
    verdict = Proof(manifest=[wrong], samples=sum(marker["samples"] for marker in folder.readable_markers().values()))
    for unit in units:
        _prove_unit(folder, unit, None, (), verdict)
        advance(1)
    return verdict


def _current(folder: RunFolder, manifest: Mapping[str, Any], verdict: Proof) -> list[ScoreSet]:
    """Return the current scores whose note is whole; what is wrong with the others is put down."""
    try:
        sets = folder.current_scores()
    except Damaged:
        sets = [each for each in folder.score_sets() if manifest["scorers"].get(each.scorer) == each.fingerprint]
        whole = {each.scorer for each in sets}
        verdict.damaged_scores += [f"the description of {name} is missing or damaged" for name in manifest["scorers"] if name not in whole]
    for scores in sets:
        note = scores.note()
        verdict.unproven += not scores.note_is_hashed()
        said = {name: note[name] for name in ("version", "parameters", "weights", SOURCE) if name != SOURCE or note.get(name)}
        if digest({"scorer": scores.scorer, **said}) != scores.fingerprint:
            verdict.damaged_scores.append(f"the fingerprint of {scores.scorer} is not the hash of its version, parameters and weights")
    return sets


@dataclass(frozen=True, slots=True)
class PlannedSamples:
    """What a unit is to hold.

    Attributes:
        samples: all of it.
        order: each prompt's place in the suite.
        some: any part of it may be all, as of an import.
    """

    samples: Sequence[Sample]
    order: Mapping[str, int]
    some: bool = False

    def holds(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether these are the samples: all, or those of the prompts that were asked for first, when the limit was smaller."""
        held = {key_of(row) for row in rows}
        first = [sample for sample in self.samples if sample.key in held]
        if [{name: row[name] for name in COLUMNS} for row in rows] != [sample.row() for sample in first]:
            return False
        if self.some:
            return True
        before = max((self.order[sample.prompt_id] for sample in first), default=-1)
        return bool(rows) and all(self.order[sample.prompt_id] > before for sample in self.samples if sample.key not in held)


def _prove_unit(folder: RunFolder, unit: int, plan: PlannedSamples | None, sets: Sequence[ScoreSet], verdict: Proof) -> set[str]:
    """Put down what is wrong with a unit and its scores, and return the images that it names.

    Args:
        folder: the run.
        unit: a unit with a marker.
        plan: what it is to hold; None where no manifest says.
        sets: scores to read.
        verdict: where it is put down.
    """
    wrong, rows = _read(folder, unit, plan)
    named = {str(row["image"]) for row in rows if row["image"]}
    if wrong:
        verdict.damaged[unit] = wrong
        return named
    if plan is not None and not plan.some and len(rows) < len(plan.samples):
        verdict.missing_units.append(unit)
    failed = sum(row["status"] == "failed" for row in rows)
    verdict.failed += failed
    verdict.standing += len(rows) - failed
    verdict.unproven += not folder.marker_is_hashed(unit)
    table = folder.unit_digest(unit)
    keys = [key_of(row) for row in rows if row["status"] != "failed"]
    for scores in sets:
        if scores.is_old(unit, table):
            verdict.unproven += 1
        elif damage := scores.wrong(unit, table, keys):
            verdict.damaged_scores.append(damage)
        elif not scores.is_of(unit, table) or scores.unscored(unit):
            verdict.unscored[scores.scorer] = verdict.unscored.get(scores.scorer, 0) + 1
    return named


def _read(folder: RunFolder, unit: int, plan: PlannedSamples | None) -> tuple[str, list[dict[str, Any]]]:
    """Return what is wrong with a unit (empty where nothing is) and its rows."""
    try:
        marker = folder.markers_of(unit)
        rows = folder.unit_rows(unit)
    except Damaged as error:
        return str(error), []
    if plan is not None and not plan.holds(rows):
        return "its samples are not those of the plan", rows
    if counts(rows) != {name: marker[name] for name in counts(())}:
        return "its marker counts other samples than its table holds", rows
    for row in rows:
        if row["image"] is not None:
            try:
                folder.images.get(row["image"])
                if folder.images.size(row["image"]) != row["image_bytes"]:
                    return f"the file of image {row['image']} has another size than was written", rows
            except Damaged as error:
                return str(error), rows
    return "", rows


def _mark(folder: RunFolder, verdict: Proof) -> None:
    """Have the next run make again what is damaged: the markers of damaged units go, and the manifest says that it was doubted."""
    with suppress(OSError, BenchError):  # a part of the folder may be read-only
        for unit in verdict.damaged:
            folder.reopen(unit)
        if verdict.manifest:
            with suppress(Damaged):  # then the next run writes it anew without being told
                reopen(folder)
        verdict.reopened = True
