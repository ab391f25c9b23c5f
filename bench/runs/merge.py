"""Joins folders of one run that several machines made shares of: every unit and its scores, byte by byte, once all of it is proven."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.console import Progress, Quiet, say
from bench.errors import BenchError
from bench.files.atomic import TEMPORARY, mendable
from bench.runs import OUT
from bench.runs.find import Run, describe, spec_of
from bench.runs.folder import RunFolder
from bench.runs.imported import IMPORTED
from bench.runs.manifest import IDENTITY, acted_on, grown
from bench.runs.own_prompts import take_kept
from bench.runs.provenance import NUMERIC
from bench.runs.spec import Reach, RunSpec
from bench.runs.verify import prove
from bench.types.sample import key_of

NOTHING = "Nothing was merged."
MERGING = ".merging"
"""Of the name of a folder that is being joined: none that a run has, so that what a kill leaves of it never counts."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a unit is taken from.

    Attributes:
        folder: which has the most of its samples.
        sha256: of its sample table there.
        outcomes: what became of each sample: status, image, reason; nothing of failed ones, which another folder may have.
    """

    folder: RunFolder
    sha256: str
    outcomes: Mapping[tuple[str, int], tuple[Any, ...]]


def merge(paths: Sequence[Path | str], out: Path | str = OUT, progress: Progress | None = None) -> Run:
    """Join folders of one run and return the whole of it, as far as they have it.

    It lies under ``out`` where any run of its identity does. Where there is one already it grows: its own units stay, and what a kill leaves is
    that run with some of them more. Where there is none, a kill leaves nothing that counts.

    Args:
        paths: run folders, made with the same settings and versions: of several shares (``--shard``), limits or numbers of images.
        out: the folder of all runs.
        progress: told of every unit that was read and written.

    Raises:
        BenchError: there is nothing to join, one is no run, damaged, of another identity or of other versions, or two have other images of one
            sample. Nothing was written then.
    """
    progress = progress or Quiet()
    given = [RunFolder.open(Path(path).resolve()) for path in paths]
    if len({folder.path for folder in given}) < len(given):
        raise BenchError(f"A folder is named twice. {NOTHING}")
    for folder in given:
        _check_same(given[0], folder)
    manifest = given[0].manifest()
    there = RunFolder.of(Path(out).resolve(), manifest["track"]["name"], manifest["spec"]["suite"], manifest["spec"]["method"], manifest["run_id"])
    sources = [folder for folder in given if folder.path != there.path]
    if not sources or (len(given) < 2 and not RunFolder.is_run(there.path)):
        raise BenchError(f"Merging takes at least two folders of one run, or one and another --out that has the run; got {len(given)}. {NOTHING}")
    with ExitStack() as held:
        target = held.enter_context(_target(there))
        if target.exists():
            _check_same(given[0], target)
            sources = [target, *sources]
        for folder in sources:
            if folder is not target:
                held.enter_context(folder.lock_for_reading())
        for folder in sources:
            _check_whole(folder, progress)
        _join(sources, target, progress)
        if target.path != there.path:
            with mendable(there.path):
                target.path.rename(there.path)
    return describe(there)


@contextmanager
def _target(there: RunFolder) -> Iterator[RunFolder]:
    """Give the folder to write to, its lock held: the run's own where it exists, else one beside it, empty, which becomes that by one rename."""
    if RunFolder.is_run(there.path):
        with there.lock():
            yield there
        return
    beside = RunFolder(there.path.with_name(f"{TEMPORARY}{there.path.name}{MERGING}"))
    try:
        with beside.lock():
            for left in beside.path.iterdir():
                if left.is_dir():
                    shutil.rmtree(left)
                elif left.suffix in (".json", ".parquet"):  # the lock stays
                    left.unlink()
            yield beside
    finally:
        shutil.rmtree(beside.path, ignore_errors=True)  # where it was renamed there is none
        for above in beside.path.parents[:3]:
            with suppress(OSError):  # others lie in it
                above.rmdir()


def _check_same(first: RunFolder, other: RunFolder) -> None:
    """Refuse a folder of another run, or one whose images were made with other versions."""
    ours, theirs = first.manifest(), other.manifest()
    if ours["run_id"] != theirs["run_id"]:
        raise BenchError(f"{other.path} is another run than {first.path}: {_difference(ours, theirs)}. {NOTHING}")
    changed = next((name for name in NUMERIC if ours["versions"].get(name) != theirs["versions"].get(name)), None)
    if changed:
        raise BenchError(
            f"{other.path} was made with {changed} {theirs['versions'].get(changed)} and {first.path} with {ours['versions'].get(changed)}, "
            f"whose images may differ. Make one of them anew with the other's version. {NOTHING}"
        )


def _difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return in what another run's identity differs: by name and version where these do, else the first entry that does."""
    for part, names in IDENTITY.items():
        if (named := _named(theirs[part])) != (here := _named(ours[part])):
            return f"its {part} is {named} and not {here}"
        for name in names or {**ours[part], **theirs[part]}:
            if ours[part].get(name) != theirs[part].get(name):
                return f"its {part} differs in {name!r}"
    return "it has another run_id"


def _named(part: Mapping[str, Any]) -> str:
    """Return what a part of an identity is called, with its version where it has one; nothing of settings."""
    return str(part.get("name", "")) + (f" (version {part['version']})" if "version" in part else "")


def _check_whole(folder: RunFolder, progress: Progress) -> None:
    """Refuse a folder in which anything is not what was written; that it is not finished is no harm."""
    proof = prove(folder, progress)
    wrong = [
        *(f"its manifest: {each}" for each in proof.manifest),
        *(f"unit {unit}: {each}" for unit, each in proof.damaged.items()),
        *proof.damaged_scores,
    ]
    if wrong:
        again = "bench import" if IMPORTED in folder.manifest() else "bench run"
        raise BenchError(
            f"The run {folder.path} is damaged ({wrong[0].rstrip('.')}). Run `bench verify` on it and the same `{again}` again. {NOTHING}"
        )


def _chosen(sources: Sequence[RunFolder]) -> dict[int, Taken]:
    """Return from where each unit is taken.

    Raises:
        BenchError: two folders have other outcomes of one sample, in batches of the same samples.
    """
    found: dict[int, Taken] = {}
    for folder in sources:
        for unit in folder.marked_units():
            rows = folder.unit_rows(unit)
            outcomes = {key_of(row): (row["status"], row["image"], row["reason"]) for row in rows if row["status"] != "failed"}
            taken, before = Taken(folder, folder.unit_digest(unit), outcomes), found.get(unit)
            if before is not None and set(before.outcomes) == set(outcomes):
                other = next((key for key, outcome in outcomes.items() if before.outcomes[key] != outcome), None)
                if other is not None:
                    raise BenchError(
                        f"{before.folder.path} and {folder.path} have other images of {other[0]} (image {other[1]}, unit {unit}): they were made on "
                        f"machines that round otherwise. Leave one of them out, or remove its units that the others have. {NOTHING}"
                    )
            if before is None or len(outcomes) > len(before.outcomes):
                found[unit] = taken
    return found


def _join(sources: Sequence[RunFolder], target: RunFolder, progress: Progress) -> None:
    chosen = _chosen(sources)
    take_kept(target, sources[0])
    spec = _write_manifest(sources, target)
    advance = progress.start("merge", len(chosen), "units")
    for unit, taken in sorted(chosen.items()):
        if taken.folder is not target:
            target.take_unit(taken.folder, unit)
        for folder in sources:
            if folder is not target and unit in folder.marked_units() and folder.unit_digest(unit) == taken.sha256:
                _take_scores(folder, target, unit, taken.sha256)
        advance(1)
    target.update_manifest(**acted_on(target, spec))


def _take_scores(folder: RunFolder, target: RunFolder, unit: int, sha256: str) -> None:
    """Take a unit's scores that the target has not, of the scorers that both manifests name."""
    wanted = target.manifest()["scorers"]
    for scores in folder.current_scores():
        mine = target.same_scores(scores)
        if wanted[scores.scorer] == scores.fingerprint and scores.stands(unit, sha256) and not mine.stands(unit, sha256):
            mine.take(scores, unit)


def _write_manifest(sources: Sequence[RunFolder], target: RunFolder) -> RunSpec:
    """Write the manifest of what is joined, the first folder's with the scorers and sessions of all, and return its spec, as far as any goes."""
    manifests = [folder.manifest() for folder in sources]
    reach = Reach.of(manifests[0])
    for each in manifests[1:]:
        reach = reach.joined(Reach.of(each))
    spec = spec_of(sources[0])
    spec = spec.to(reach)
    scorers: dict[str, str] = {}
    for folder, each in zip(sources, manifests, strict=True):
        for name, fingerprint in each.get("scorers", {}).items():
            if scorers.setdefault(name, fingerprint) != fingerprint:
                say(f"{folder.path} was scored by another {name}: its scores are left out. Run `bench score` on the result.")
    others = [each for folder, each in zip(sources, manifests, strict=True) if folder is not target]
    made = [{name: each.get(name) for name in ("created", "machine", "git", "samples")} for each in others]
    first = manifests[0]
    target.write_manifest(
        {
            **first,
            **grown(first, spec),
            "scorers": scorers,
            "sessions": [session for each in manifests for session in each.get("sessions", [])],
            "created": min(str(each["created"]) for each in manifests),
            "merged": [*first.get("merged", []), *made],
        }
    )
    return spec
