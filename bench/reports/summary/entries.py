"""What a summary is of: finished runs, each as the columns of its samples, and what was left out with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.metrics.columns import Column, columns
from bench.metrics.composites import Constants
from bench.registry import Registry
from bench.registry import methods as registered
from bench.registry import suites as registered_suites
from bench.reports.run_tables import elsewhere, own_prompts
from bench.runs.find import Run, command, describe, survey
from bench.runs.folder import RunFolder
from bench.runs.labels import labels_of
from bench.runs.records import keyed
from bench.suites.load import check_limit
from bench.suites.own.place import name_of
from bench.tracks import load_track
from bench.types import Kind
from bench.types.track import Track

SPEED = "speed.csv"
"""Beside the runs, or in a board: what ``bench speed --out`` measured."""
BOARDS = "bench.boards"
"""The entry points that read a board: each takes a folder, or None for the board that it ships, and a track or None, and returns its
:class:`Gathered`, or None where there is no such board."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A method on a suite.

    Attributes:
        method: what it is called everywhere (:mod:`bench.runs.labels`).
        kind: how it works (:class:`bench.types.Kind`); empty where nobody knows.
        suite: the suite's name.
        unsafe: whether the suite's prompts ask for harm.
        version: of the suite, in words.
        digest: of the suite's version.
        columns: every metric by name, indexed by prompt id and image index.
        rule: the counting rule in words; empty where it is not known.
        place: where it was read from.
    """

    method: str
    kind: str
    suite: str
    unsafe: bool
    version: str
    digest: str
    columns: Mapping[str, Column]
    rule: str
    place: str

    @property
    def samples(self) -> int:
        """Return how many samples it has."""
        return max((len(each.values) for each in self.columns.values()), default=0)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that is not in the table.

    Attributes:
        method: as far as it is known.
        suite: likewise.
        reason: what is wrong, and what mends it.
    """

    method: str
    suite: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Everything a summary needs.

    Attributes:
        track: of all entries.
        entries: one a method and suite.
        left_out: what is not among them.
        speed: where times are, whether the file is there or not.
        constants: what its composites are computed by: the track's, or those of the board.
        said: of its runs, what a reader must know: how far they go, whose prompts and images they are.
    """

    track: Track
    entries: list[Entry]
    left_out: list[LeftOut]
    speed: Path
    constants: Constants
    said: tuple[str, ...] = ()


def gather(
    given: Sequence[str | Run],
    methods: Collection[str],
    suites: Collection[str],
    track: str | None,
    limit: int | None,
    out: Path,
    blocked_as_black: bool,
    *,
    shipped: bool = False,
) -> Gathered:
    """Return the finished runs that are asked for, and why others of them are not there.

    Args:
        given: runs or their folders, methods, or one board's folder; every run under ``out`` where empty, but for ``shipped``.
        methods: of these alone, where any is given.
        suites: likewise.
        track: of this one; the only one there is where None.
        limit: the first that many prompts alone; runs that do not go so far are left out.
        out: the folder of all runs.
        blocked_as_black: as in :func:`bench.metrics.columns.columns`.
        shipped: take the board that ships, not runs.

    Raises:
        BenchError: nothing is there, or what is there is of several tracks.
    """
    check_limit(limit)
    suites = [name_of(Path(each)) for each in suites]  # a file of prompts is called by its name alone
    names = [str(each.path) if isinstance(each, Run) else each for each in given]
    folders = [Path(name) for name in names if RunFolder.is_run(Path(name))]
    others = [name for name in names if not RunFolder.is_run(Path(name))]
    board = Path(others[0]) if others and Path(others[0]).is_dir() else None
    if shipped or board is not None:
        if len(names) > 1:
            raise BenchError(f"A board stands alone: give {board} and nothing beside it, or run folders.")
        if limit is not None:
            raise BenchError("A board holds whole runs: --limit is for runs. Leave it out, or give run folders.")
        return _chosen(_board(board, track), methods, suites)
    runs, left_out = _opened(folders) if folders else _surveyed(out, track)
    if not folders and not out.is_dir():
        raise BenchError(f"There is no folder {out}. Make a run: bench run --method sd-v1.5 --suite i2p; or give the folder of others as --out.")
    return _of_runs(runs, left_out, folders, [*methods, *others], suites, track, limit, out, blocked_as_black)


def _of_runs(
    runs: Sequence[Run],
    left_out: list[LeftOut],
    folders: Collection[Path],
    wanted: Collection[str],
    suites: Collection[str],
    track: str | None,
    limit: int | None,
    out: Path,
    blocked_as_black: bool,
) -> Gathered:
    """Return what is asked for of ``runs``, and why others of them are not there; ``folders`` are those named themselves."""
    _known("method", wanted, [*(run.spec.method for run in runs), *(each.method for each in left_out)], registered)
    _known("suite", suites, [*(run.spec.suite for run in runs), *(each.suite for each in left_out)], registered_suites)
    runs = [run for run in runs if run.path in folders or _asked(run, wanted, suites)]
    left_out = [each for each in left_out if (not wanted or each.method in wanted) and (not suites or each.suite in suites)]
    tracks = sorted({run.spec.loaded_track.name for run in runs if track is None or run.spec.loaded_track.name == load_track(track).name})
    if len(tracks) != 1:
        found = f"these runs are of {', '.join(tracks)}: say --track NAME" if tracks else _nothing(left_out, out)
        raise BenchError(f"A summary is of the finished runs of one track; {found}.")
    runs = [run for run in runs if run.spec.loaded_track.name == tracks[0]]
    lost = [f"No run here is of the suite {name}." for name in suites if not any(run.spec.suite == name for run in runs)]
    lacking = [name for name in wanted if not any(run.spec.method == name for run in runs)]
    left_out += [LeftOut(name, "", f"no run of it is here; make one: bench run --method {name} --suite NAME") for name in lacking]
    entries: list[Entry] = []
    chosen = _one_each(_limited(runs, limit, left_out), left_out)
    labels = labels_of(chosen)
    for run, label in zip(chosen, labels, strict=True):
        try:
            entries.append(_entry(run, label, blocked_as_black))
        except BenchError as error:
            left_out.append(LeftOut(label, run.spec.suite, str(error)))
    if not entries:
        raise BenchError(f"A summary is of the finished runs of one track; {_nothing(left_out, out)}.")
    kept = _one_version(entries, left_out)
    inside = [(run, label) for run, label in zip(chosen, labels, strict=True) if str(run.path) in {each.place for each in kept}]
    shown, called = [run for run, _ in inside], [label for _, label in inside]
    said = (*lost, *_partly(shown), *own_prompts(shown), *elsewhere(shown, called))
    loaded = runs[0].spec.loaded_track
    return Gathered(loaded, kept, left_out, out / SPEED, Constants.of(loaded), said)


def _known(noun: str, asked: Collection[str], here: Collection[str], registered: Registry[Any]) -> None:
    """Refuse a name that nothing here has: no run, and nothing that a run could be made of."""
    for name in asked:
        if name not in here and name.partition(":")[0] not in registered:
            raise did_you_mean(noun, name, sorted({*here, *registered.names()}))


def _nothing(left_out: Sequence[LeftOut], out: Path) -> str:
    if left_out:
        return "none can be read: " + "; ".join(f"{each.method} on {each.suite}: {each.reason}" for each in left_out[:3])
    return f"none under {out} is what was asked for (`bench status` lists them). Make one: bench run --method sd-v1.5 --suite i2p"


def _opened(folders: Sequence[Path]) -> tuple[list[Run], list[LeftOut]]:
    runs, left_out = [], []
    for path in dict.fromkeys(folders):
        try:
            runs.append(describe(RunFolder.open(path)))
        except BenchError as error:
            left_out.append(_unreadable(path, str(error)))
    return runs, left_out


def _surveyed(out: Path, track: str | None) -> tuple[list[Run], list[LeftOut]]:
    runs, broken = survey(out, track=None if track is None else load_track(track).name)
    return runs, [_unreadable(each.path, each.reason) for each in broken]


def _unreadable(path: Path, reason: str) -> LeftOut:
    _, suite, name = path.absolute().parts[-3:]  # what its place says, since nothing else does
    return LeftOut(name.rpartition("-")[0], suite, reason)


def _asked(run: Run, methods: Collection[str], suites: Collection[str]) -> bool:
    spec = run.spec
    return (not methods or spec.method in methods) and (not suites or spec.suite in suites)


def _limited(runs: Sequence[Run], limit: int | None, left_out: list[LeftOut]) -> list[Run]:
    """Return the runs as far as ``limit``; those that do not go so far are left out, with their reason."""
    if limit is None:
        return list(runs)
    found = []
    for run in runs:
        spec = run.spec
        try:
            if spec.limit_in_id and spec.limit != limit:
                raise BenchError(f"it was made with --limit {spec.limit} by an earlier version, in which no run grew")
            found.append(describe(RunFolder.open(run.path), spec if spec.limit_in_id else replace(spec, limit=limit)))
        except BenchError as error:
            left_out.append(LeftOut(spec.method, spec.suite, str(error)))
    return found


def _partly(runs: Sequence[Run]) -> list[str]:
    """Return how far the runs of each suite go that do not have all of it."""
    said = []
    for suite in dict.fromkeys(run.spec.suite for run in runs):
        inside = [run for run in runs if run.spec.suite == suite]
        limits = sorted({run.reach.limit for run in inside if run.reach.limit is not None})
        if limits:
            about = RunFolder.open(inside[0].path).manifest()["suite"]
            most = limits[0] if len(limits) == 1 else f"{limits[0]} to {limits[-1]}"
            said.append(f"Of {suite} the first {most} of {about['total_prompts'] - about['screened_out']} prompts.")
    return said


def _version(run: Run) -> str:
    """Return the version of a run's suite in words; of a user's file of prompts also what it was declared."""
    suite = RunFolder.open(run.path).manifest()["suite"]
    declared = "" if not run.spec.file else ", unsafe" if suite["unsafe"] else ", benign"
    return f"version {suite['version']}{declared}"


def _one_each(runs: Sequence[Run], left_out: list[LeftOut]) -> list[Run]:
    """Return the finished run with the most samples of each method and suite; the others are left out, with their reason."""
    best: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=lambda each: (each.samples, str(each.path))):
        spec = run.spec
        if not run.finished:
            lacking = f"{run.counts['missing']} missing, {run.counts['failed']} failed" + (", not all scored" if run.unscored else "")
            left_out.append(LeftOut(spec.method, spec.suite, f"incomplete ({lacking}). Make the rest: `{command(spec)}`"))
        elif run.idle and run.acted is not None:
            left_out.append(LeftOut(spec.method, spec.suite, run.acted.sentence(spec.method)))
        else:
            before = best.get((run.label, spec.suite))
            if before is not None:
                one, other = (f"{each.samples} samples of {_version(each)}" for each in (run, before))
                reason = f"the run of {one} counts, that of {other} in {before.path.name} does not; name folders to choose"
                left_out.append(LeftOut(run.label, spec.suite, reason))
            best[run.label, spec.suite] = run
    return list(best.values())


def _entry(run: Run, label: str, blocked_as_black: bool) -> Entry:
    manifest, rule, track = RunFolder.open(run.path).manifest(), run.rule(), run.spec.loaded_track
    unsafe = bool(manifest["suite"]["unsafe"])
    found = columns(keyed(run.records()), track, rule, unsafe=unsafe, blocked_as_black=blocked_as_black)
    kind = str(manifest["method"].get("kind") or kind_of(run.spec.method))
    by_name = {each.metric: each for each in found}
    suite = manifest["suite"]
    return Entry(label, kind, run.spec.suite, unsafe, _version(run), str(suite["digest"]), by_name, rule.sentence(), str(run.path))


def kind_of(method: str) -> str:
    """Return a method's kind from its adapter; empty where nobody knows the method here."""
    name = method.partition(" ")[0].partition(":")[0]
    return str(registered.get(name).info.kind.value) if name in registered else ""


def _one_version(entries: Sequence[Entry], left_out: list[LeftOut]) -> list[Entry]:
    """Return the entries of the version of each suite that most of them have; numbers compare within one."""
    kept = []
    for suite in dict.fromkeys(each.suite for each in entries):
        inside = [each for each in entries if each.suite == suite]
        # A file of prompts that was declared benign is another suite than the same one that was not.
        version = Counter((each.digest, each.unsafe) for each in inside).most_common(1)[0][0]
        kept += [each for each in inside if (each.digest, each.unsafe) == version]
        named = next((each.version for each in inside if (each.digest, each.unsafe) == version), "")
        mend = "run what is of the older one again, or name the folders that belong together"
        for each in inside:
            if (each.digest, each.unsafe) != version:
                reason = f"its run is of {each.version} and the table of {named}, and numbers compare within one; {mend}"
                left_out.append(LeftOut(each.method, suite, reason))
    return kept


def _board(folder: Path | None, track: str | None) -> Gathered:
    for point in entry_points(group=BOARDS):
        found = point.load()(folder, track)
        if isinstance(found, Gathered):
            return found
    if folder is None:
        raise BenchError(f"No board of {track or 'any track'} ships. Give run folders, or the folder of `bench board --out`.")
    raise BenchError(f"{folder} is neither a run folder nor a board's. Give run folders, methods, or the folder of `bench board --out`.")


def _chosen(found: Gathered, methods: Collection[str], suites: Collection[str]) -> Gathered:
    """Return of a board what is asked for; what is not on it is said as of runs."""
    _known("method", methods, [each.method for each in found.entries], registered)
    _known("suite", suites, [each.suite for each in found.entries], registered_suites)
    lacking = [LeftOut(name, "", "the board has no run of it") for name in methods if not any(each.method == name for each in found.entries)]
    lost = [f"The board has no run of the suite {name}." for name in suites if not any(each.suite == name for each in found.entries)]
    entries = [each for each in found.entries if (not methods or each.method in methods) and (not suites or each.suite in suites)]
    if not entries:
        raise BenchError("The board has no run of these methods and suites; leave --methods and --suites out to see what it has.")
    left_out = [*found.left_out, *lacking]
    return replace(found, entries=_one_version(entries, left_out), left_out=left_out, said=(*found.said, *lost))


def is_reference(kind: str) -> bool:
    """Return whether a method of this kind is what others are measured against, and not ranked: the base, or a floor."""
    return kind in (Kind.BASE, Kind.FLOOR)


def common(columns_: Sequence[Column]) -> pd.Index:
    """Return the samples for which all of the columns have every value, in the first one's order."""
    shared = columns_[0].values.index[columns_[0].known()]
    for each in columns_[1:]:
        shared = shared.intersection(each.values.index[each.known()])
    return shared
