"""Runs on disk: where a run lies, what is known of it, and all there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.console import say
from bench.errors import BenchError
from bench.registry import suites
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.runs import OUT
from bench.runs.acting import Acted, total
from bench.runs.folder import RunFolder, run_folders
from bench.runs.records import check_rule, load_records
from bench.runs.spec import RunSpec, digest
from bench.runs.tables import UNSCORED
from bench.types import Kind
from bench.types.track import Track

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A run on disk, with what is known of it.

    Attributes:
        path: the run folder.
        spec: what it is.
        complete: True when every sample was generated or blocked and every scorer has run.
        samples: how many samples the run has.
        counts: samples by status: ``generated``, ``blocked``, ``failed`` and ``missing``.
        split: how often the device's memory did not hold a batch, so that it was made in parts.
        acted: on how many samples the method acted; None where it does not say, or the run is older than that.
        unscored: scorers that have not scored every finished unit.
    """

    path: Path
    spec: RunSpec
    complete: bool
    samples: int
    counts: Mapping[str, int]
    split: int = 0
    acted: Acted | None = None
    unscored: tuple[str, ...] = ()

    def records(self) -> pd.DataFrame:
        """Return one row a sample with every scorer's columns."""
        return load_run(self.path)

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
        first = next(row for row in RunFolder(self.path).samples().to_pylist() if row["status"] == "failed")
        where = f"first {first['prompt_id']} (image {first['image_index']})"
        return f"{self.counts['failed']} sample(s) failed in the method {self.spec.method!r}, {where}: {first['reason']}"

    def lacking_scores(self) -> list[str]:
        """Return, of each current scorer that gave nothing for some images, how many these are, which is the first, and why."""
        folder, said = RunFolder(self.path), []
        for scores in folder.current_scores():
            units = folder.unscored_images(scores)
            table = folder.scores(scores, vectors=False) if units else None
            if table is None or UNSCORED not in table.column_names:
                continue
            first = next(row for row in table.to_pylist() if row[UNSCORED])
            where = f"first {first['prompt_id']} (image {first['image_index']})"
            said.append(f"{sum(units.values())} image(s) have no score of {scores.scorer!r}, {where}: {first[UNSCORED]}")
        return said

    def rule(self, choice: RuleChoice = TRACKS_OWN) -> Rule:
        """Return the counting rule of this run's tables: the track's for its suite where ``choice`` asks for nothing.

        Raises:
            BenchError: it is unknown, or the run's stored scores cannot answer it.
        """
        rule = self.spec.loaded_track.rule(self.spec.suite, choice)
        check_rule(RunFolder.open(self.path), rule, asked=choice.made())
        return rule

    def rows(self, *, blocked_as_black: bool = True, rule: RuleChoice = TRACKS_OWN) -> list[dict[str, Any]]:
        """Return the table that ``bench run`` prints, one row a metric, under another counting rule where one is chosen."""
        from bench.metrics.rows import run_rows

        manifest = RunFolder.open(self.path).manifest()
        return run_rows(
            self.records(), self.spec.loaded_track, self.rule(rule), manifest, blocked_as_black=blocked_as_black, beside=self.beside(rule)
        )

    def beside(self, choice: RuleChoice = TRACKS_OWN) -> tuple[Rule, ...]:
        """Return the rules whose IP stands beside the table's own: the track's for the suite, none where another rule is asked for.

        Raises:
            BenchError: the stored scores cannot answer one.
        """
        found = () if choice.made() else self.spec.loaded_track.further_rules(self.spec.suite)
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
    return RunSpec(**manifest["spec"], suite_version=manifest["suite"]["version"])


def describe(folder: RunFolder, spec: RunSpec | None = None) -> Run:
    """Return what is known of a run without reading its images.

    Raises:
        Damaged: the manifest, a marker or a current scorer's note is missing or damaged.
    """
    manifest = folder.manifest()
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
    complete = missing == 0 and statuses["failed"] == 0 and bool(current) and not unscored
    return Run(folder.path, spec, complete, int(manifest["samples"]), {**statuses, "missing": missing}, split, total(markers.values()), unscored)


def suite_since(folder: RunFolder, track: Track) -> str:
    """Return what became of the version of a run's suite since it was made; nothing where it is today's or the suite is not here.

    No prompt is read: data that the user brought need not be here.
    """
    then = folder.manifest()["suite"]
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


def load_run(path: Path | str) -> pd.DataFrame:
    """Return a run's records: one row a sample, with every scorer's columns.

    Raises:
        BenchError: ``path`` is no run folder, or a table is damaged or of another version.
    """
    return load_records(RunFolder.open(Path(path)))


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


def find_run(name: str, suite: str, track: str, limit: int | None, out: Path) -> Run:
    """Return the finished run called ``name``: a folder, or a method's run with default settings."""
    spec = RunSpec(name, suite, track, limit=limit)
    path = Path(name) if RunFolder.is_run(Path(name)) else folder_of(spec, out)[0].path
    if not RunFolder.is_run(path):
        raise BenchError(f"There is no run of {name!r} on {suite!r} under {out}. Make it: `{_command(spec)}`; of other settings, give the folder.")
    run = describe(RunFolder.open(path))
    if not run.complete:
        raise BenchError(
            f"The run {path} is incomplete: {run.counts['failed']} failed, {run.counts['missing']} missing. Finish it: `{_command(run.spec)}`."
        )
    return run


def _command(spec: RunSpec) -> str:
    """Return the command of a run, as far as a line needs it."""
    limit = f" --limit {spec.limit}" if spec.limit else ""
    own = "".join(f" --set {name}=..." for name in spec.parameters)
    return f"bench run --method {spec.method} --suite {spec.suite} --track {spec.track}{limit}{own}"
