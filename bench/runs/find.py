"""Runs on disk: where a run lies, what is known of it, and all there are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.console import say
from bench.errors import BenchError
from bench.formats import Table
from bench.registry import suites
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.runs import OUT
from bench.runs.acting import Acted, total
from bench.runs.folder import RunFolder
from bench.runs.folders import run_folders
from bench.runs.labels import label_of
from bench.runs.models import counts
from bench.runs.notebook import Notebook
from bench.runs.own_prompts import file_since, kept_file
from bench.runs.records import check_rule, load_records
from bench.runs.spec import Reach, RunSpec, digest
from bench.runs.tables import UNSCORED
from bench.runs.units import Share
from bench.types import Kind
from bench.types.sample import KEY, key_of
from bench.types.track import Track

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run(Notebook):
    """A run on disk, with what is known of it.

    Attributes:
        path: the run folder.
        spec: what it is.
        complete: True when every sample was generated or blocked and every scorer has run.
        finished: True when nothing is left to do: it is complete, or all that it lacks is images that an import did not bring.
        samples: how many samples the run has.
        counts: samples by status: ``generated``, ``blocked``, ``failed`` and ``missing``.
        split: how often the device's memory did not hold a batch, so that it was made in parts.
        acted: on how many samples the method acted; None where it does not say, or the run is older than that.
        unscored: scorers that have not scored every finished unit.
        reach: how far it goes: the first prompts, images a prompt.
        share: which of its units it is looked at by, as ``2/8``; empty for all.
        view: the samples that it is looked at by, where the folder holds or will hold more than these; None for all.
    """

    path: Path
    spec: RunSpec
    complete: bool
    samples: int
    counts: Mapping[str, int]
    split: int = 0
    acted: Acted | None = None
    unscored: tuple[str, ...] = ()
    finished: bool = False
    reach: Reach = field(default_factory=Reach)
    share: str = ""
    view: frozenset[tuple[str, int]] | None = field(default=None, repr=False)

    def shows(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row of the folder's tables is one of this run's samples."""
        return self.view is None or key_of(row) in self.view

    def records(self) -> pd.DataFrame:
        """Return one row a sample with every scorer's columns."""
        found = load_records(RunFolder.open(self.path))
        if self.view is None:
            return found
        return found[[key in self.view for key in zip(*(found[name] for name in KEY), strict=True)]].reset_index(drop=True)

    @property
    def label(self) -> str:
        """What the run is called: the label that its user gave, or its method with the parameters that differ (``sld-medium scale=500``)."""
        return label_of(RunFolder.open(self.path).manifest(), self.spec.track)

    @property
    def idle(self) -> bool:
        """Whether the images are known to be the base's under the method's name; a filter that refused nothing has done what it is for."""
        if self.acted is None or self.acted.samples or not self.acted.of:
            return False
        return bool(RunFolder.open(self.path).manifest()["method"].get("kind") != Kind.FILTER)

    def failures(self) -> str:
        """Return how many samples failed, which was the first, and why; empty where none did."""
        if not self.counts["failed"]:
            return ""
        first = next(row for row in RunFolder(self.path).samples().to_pylist() if row["status"] == "failed" and self.shows(row))
        where = f"first {first['prompt_id']} (image {first['image_index']})"
        return f"{self.counts['failed']} sample(s) failed in the method {self.spec.method!r}, {where}: {first['reason']}"

    def lacking_scores(self) -> list[str]:
        """Return, of each current scorer that gave nothing for some images, how many these are, which is the first, and why."""
        folder, said = RunFolder(self.path), []
        for scores in folder.current_scores():
            table = folder.scores(scores, vectors=False) if folder.unscored_images(scores) else None
            if table is None or UNSCORED not in table.column_names:
                continue
            lacking = [row for row in table.to_pylist() if row[UNSCORED] and self.shows(row)]
            if lacking:
                where = f"first {lacking[0]['prompt_id']} (image {lacking[0]['image_index']})"
                said.append(f"{len(lacking)} image(s) have no score of {scores.scorer!r}, {where}: {lacking[0][UNSCORED]}")
        return said

    def rule(self, choice: RuleChoice | str = TRACKS_OWN) -> Rule:
        """Return the counting rule of this run's tables: the track's for its suite where ``choice`` asks for nothing.

        Raises:
            BenchError: it is unknown, or the run's stored scores cannot answer it.
        """
        choice = RuleChoice.of(choice)
        rule = self.spec.loaded_track.rule(self.spec.suite, choice)
        check_rule(RunFolder.open(self.path), rule, asked=choice.made())
        return rule

    def rows(self, *, blocked_as_black: bool = True, rule: RuleChoice | str = TRACKS_OWN) -> Table:
        """Return the table that ``bench run`` prints, one row a metric, under another counting rule where one is named or chosen."""
        from bench.metrics.rows import run_rows

        manifest = RunFolder.open(self.path).manifest()
        track, own, beside = self.spec.loaded_track, self.rule(rule), self.beside(rule)
        return Table(run_rows(self.records(), track, own, manifest, blocked_as_black=blocked_as_black, beside=beside))

    def beside(self, choice: RuleChoice | str = TRACKS_OWN) -> tuple[Rule, ...]:
        """Return the rules whose IP stands beside the table's own: the track's for the suite, none where another rule is asked for.

        Raises:
            BenchError: the stored scores cannot answer one.
        """
        found = () if RuleChoice.of(choice).made() else self.spec.loaded_track.further_rules(self.spec.suite)
        for rule in found:
            check_rule(RunFolder.open(self.path), rule, asked=False)
        return found


def folder_of(spec: RunSpec, out: Path = OUT) -> tuple[RunFolder, str]:
    """Return where a run lies and its id: the hash of all that decides the images."""
    run_id = digest(spec.identity())
    return RunFolder.of(out, spec.loaded_track.name, spec.suite, spec.method, run_id), run_id


def spec_of(folder: RunFolder) -> RunSpec:
    """Return what the run in ``folder`` is, as its manifest says.

    Raises:
        Damaged: the manifest is missing or damaged.
    """
    manifest = folder.manifest()
    suite = manifest["suite"]
    return RunSpec(**manifest["spec"], suite_version=suite["version"], limit_in_id=suite["limit"] is not None, **kept_file(folder))


def describe(folder: RunFolder, spec: RunSpec | None = None, share: Share | None = None) -> Run:
    """Return what is known of a run without reading its images.

    Args:
        folder: the run.
        spec: the run as far as it is to be looked at; as far as it was ever asked to go where None.
        share: look at these units alone.

    Raises:
        Damaged: the manifest, a marker or a current scorer's note is missing or damaged.
        BenchError: the run was never asked to go as far as ``spec``.
    """
    manifest = folder.manifest()
    reach = Reach.of(manifest)
    if share is not None or (spec is not None and spec.reach != reach):
        return _viewed(folder, spec or spec_of(folder), share)
    spec = spec or spec_of(folder)
    statuses = {"generated": 0, "blocked": 0, "failed": 0}
    done = split = 0
    markers = folder.markers()
    for marker in markers.values():
        split += int(marker.get("split", 0))
        done += int(marker["samples"])
        for status in statuses:
            statuses[status] += int(marker[status])
    missing = int(manifest["samples"]) - done
    current = folder.current_scores()
    unscored = tuple(each.scorer for each in current if folder.unscored_units(each, markers))
    ready = statuses["failed"] == 0 and bool(current) and not unscored
    brought = _is_import(manifest) and len(markers) == int(manifest["units"])
    complete = missing == 0 and ready
    found = {**statuses, "missing": missing}
    done_with = complete or (brought and ready)
    return Run(folder.path, spec, complete, int(manifest["samples"]), found, split, total(markers.values()), unscored, done_with, reach)


def _is_import(manifest: Mapping[str, Any]) -> bool:
    """Return whether another tool made the images, so that some may be missing for good."""
    return bool(manifest["method"].get("kind") == Kind.IMPORTED)


def _viewed(folder: RunFolder, spec: RunSpec, share: Share | None) -> Run:
    """Return a run looked at by a part of its samples: the first prompts, or a share of its units."""
    there = Reach.of(folder.manifest())
    if spec.reach.joined(there) != there:
        held, lacks = there.words().strip(), spec.reach.words().strip() or "the whole suite"
        raise BenchError(f"The run {folder.path} was made with {held}, and {lacks} is asked for. Make the rest: `{command(spec)}`.")
    units = [unit for unit in spec.units if share is None or unit.index in share]
    view = frozenset(sample.key for unit in units for sample in unit.samples)
    markers = folder.markers()
    done = {unit.index for unit in units} & set(markers)
    rows = [row for unit in sorted(done) for row in folder.unit_rows(unit) if key_of(row) in view]
    found = {name: count for name, count in counts(rows).items() if name != "samples"}
    missing = len(view) - len(rows)
    current = folder.current_scores()
    unscored = tuple(each.scorer for each in current if done & set(folder.unscored_units(each, markers)))
    ready = found["failed"] == 0 and bool(current) and not unscored
    brought = _is_import(folder.manifest()) and len(done) == len(units)
    complete = missing == 0 and ready
    split = sum(int(markers[unit].get("split", 0)) for unit in done)
    return Run(
        path=folder.path,
        spec=spec,
        complete=complete,
        samples=len(view),
        counts={**found, "missing": missing},
        split=split,
        acted=total(markers[unit] for unit in done),
        unscored=unscored,
        finished=complete or (brought and ready),
        reach=spec.reach,
        share="" if share is None else str(share),
        view=view,
    )


def suite_since(folder: RunFolder, track: Track) -> str:
    """Return what became of the version of a run's suite since it was made; nothing where it is today's or the suite is not here.

    No prompt is read: data that the user brought need not be here.
    """
    then = folder.manifest()["suite"]
    if kept_file(folder):
        return file_since(folder)
    try:
        info = suites.get(then["name"]).variant(track).info
    except Exception:  # a suite of others that is not here, or is broken, keeps no table from being printed
        return ""
    # What stands after a `+` is said of the added data, which may not be here.
    version, now = (each.partition("+")[0] for each in (then["version"], info.version))
    if version == now:
        return ""
    kept = f", whose seeds are {before} where this one's are {info.seeds}" if (before := info.earlier.get(version)) else ""
    return f"{then['name']} was in version {version} when this run was made and is in version {now} here{kept}: numbers compare within one version"


def load_run(path: Path | str) -> Run:
    """Return the run in the folder ``path``, the same that :func:`bench.run` returns; its records are ``load_run(path).records()``.

    Raises:
        BenchError: ``path`` is no run folder, or its manifest or a marker is damaged or of another version.
    """
    return describe(RunFolder.open(Path(path)))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A run on disk that cannot be read.

    Attributes:
        path: the run folder.
        reason: what is wrong with it, and what mends it.
    """

    path: Path
    reason: str


def survey(out: Path = OUT, *, track: str | None = None, suite: str | None = None) -> tuple[list[Run], list[Unreadable]]:
    """Return every run under ``out``, or those of a track or a suite alone, by path; and those that cannot be read, each with its reason."""
    found, unreadable = [], []
    for folder in run_folders(out, track=track, suite=suite):
        try:
            found.append(describe(folder))
        except BenchError as error:
            if folder.is_named_as_run() or folder.was_begun():  # others may keep a manifest.json of theirs there
                unreadable.append(Unreadable(folder.path, str(error)))
    return found, unreadable


def find_runs(out: Path = OUT, *, track: str | None = None, suite: str | None = None) -> list[Run]:
    """Return every run under ``out``, or those of a track or a suite alone, by path; each that cannot be read is named on standard error."""
    found, unreadable = survey(out, track=track, suite=suite)
    for each in unreadable:
        say(f"left out: {each.path}: {each.reason}")
    return found


def find_run(name: str, spec: RunSpec, out: Path) -> Run:
    """Return the finished run called ``name``: a folder, or the method's run that ``spec`` asks for; its first ``limit`` prompts where it has one."""
    given = Path(name) if RunFolder.is_run(Path(name)) else None
    path = given or (_imported(spec, out) if spec.imported else folder_of(spec, out)[0].path)
    if not RunFolder.is_run(path) and spec.limit is not None and not spec.imported:  # one that was made when the limit was part of its identity
        path = folder_of(replace(spec, limit_in_id=True), out)[0].path
    if not RunFolder.is_run(path):
        here = f"There is no run of {name!r} on {spec.suite!r} under {out}"
        other = replace(spec, benign=not spec.benign) if spec.file is not None else None
        if other is not None and RunFolder.is_run(folder_of(other, out)[0].path):
            raise BenchError(f"{here} as {_meant(spec)} prompts; there is one as {_meant(other)} ones. {_say(other)}.")
        raise BenchError(f"{here}. Make it: `{command(spec)}`; or give the folder of other settings.")
    folder = RunFolder.open(path)
    own = spec_of(folder)
    run = describe(folder, None if spec.limit is None or own.limit_in_id else replace(own, limit=spec.limit))
    if not run.finished:
        raise BenchError(
            f"The run {path} is incomplete: {run.counts['failed']} failed, {run.counts['missing']} missing. Finish it: `{command(run.spec)}`."
        )
    return run


def _meant(spec: RunSpec) -> str:
    return "benign" if spec.benign else "unsafe"


def _say(spec: RunSpec) -> str:
    return "Say --benign" if spec.benign else "Leave out --benign"


def _imported(spec: RunSpec, out: Path) -> Path:
    """Return the folder of the one import of this name, suite and track, whatever it brought; of none a folder that is not there.

    Raises:
        BenchError: there are several, and nothing says which is meant.
    """
    found = imports_of(spec, out)
    if len(found) > 1:
        raise BenchError(
            f"There are {len(found)} imports called {spec.method} on {spec.suite}: {', '.join(map(str, found))}. Give the folder of one."
        )
    return found[0] if found else out / spec.method


def imports_of(spec: RunSpec, out: Path) -> list[Path]:
    """Return the folder of every import of this name, suite and track, whatever it brought."""
    folders = run_folders(out, track=spec.loaded_track.name, suite=spec.suite)
    return [folder.path for folder in folders if _asked(folder).get("method") == spec.method]


def _asked(folder: RunFolder) -> Mapping[str, Any]:
    """Return what a run was asked for; nothing where its manifest cannot be read."""
    try:
        asked: Mapping[str, Any] = folder.manifest()["spec"]
    except BenchError:
        return {}
    return asked


def command(spec: RunSpec) -> str:
    """Return the command of a run, as far as a line needs it."""
    suite = shlex.quote(spec.file or spec.suite)  # of a run's own prompts the copy that it keeps: it says the rest, whatever became of the file
    said = f"{suite}{' --benign' if spec.benign else ''}" + "".join(
        f" --column {shlex.quote(f'{role}={name}')}" for role, name in spec.columns.items()
    )
    if spec.imported:
        name = spec.method.partition(":")[2]
        return f"bench import FOLDER --suite {said} --track {spec.track} --as {name}{Reach(spec.limit).words()}"
    own = "".join(f" --set {name}=..." for name in spec.parameters)
    return f"bench run --method {spec.method} --suite {said} --track {spec.track}{Reach(spec.limit, spec.images).words()}{own}"
