"""The checks of a bundle, by name, and their runner: ``validate`` without the limits that :mod:`leaderboards.submissions.guard` adds."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from bench.errors import BenchError, NotAvailable
from bench.runs.spec import Reach
from leaderboards.submissions.archive import INDEX
from leaderboards.submissions.bundle import Bundle, BundledRun
from leaderboards.submissions.run_checks import RUN_CHECKS, RunCheck
from leaderboards.submissions.tree import misplaced
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict, NotChecked, Refused, one_line, shown


class BundleCheck(ABC):
    """A check of the bundle as a whole. Where it fails, what comes after it is not looked at."""

    name: ClassVar[str]

    def __call__(self, bundle: Bundle, path: Path) -> str:
        """Return in one line what was found right.

        Raises:
            Refused: something is wrong.
            NotChecked: it cannot be looked at here.
        """
        return self._look(bundle, path)

    @abstractmethod
    def _look(self, bundle: Bundle, path: Path) -> str: ...


class Archive(BundleCheck):
    """Size and path safety: the file is an archive as ``bench submit`` writes it, to the byte, and nothing in it can unpack to more."""

    name = "archive"

    def _look(self, bundle: Bundle, path: Path) -> str:
        return f"{len(bundle.members)} members, {len(bundle.raw)} bytes, none compressed, none outside"


class Schema(BundleCheck):
    """Every JSON document is strict JSON of version 1, and the index and the manifests tell of the same runs."""

    name = "schema"

    def _look(self, bundle: Bundle, path: Path) -> str:
        numbers = 0
        for run in bundle.runs:
            manifest, listed = run.manifest, run.listed
            for what, inside, said in (
                ("run id", manifest.run_id, listed.run_id),
                ("track", manifest.track.name, run.track.name),
                ("track of its spec", manifest.spec.track, listed.track),
                ("suite", manifest.suite.name, listed.suite),
                ("suite of its spec", manifest.spec.suite, listed.suite),
                ("method", manifest.method.name, listed.method),
                ("method of its spec", manifest.spec.method, listed.method),
                ("method on its card", run.card.name, listed.method),
                # Older runs alone have it in their identity as well.
                ("limit", manifest.suite.limit or manifest.spec.limit, manifest.spec.limit),
            ):
                if inside != said:
                    raise Refused(f"{run.label}: the {what} is {shown(inside)} in one place and {shown(said)} in another")
            numbers += len(run.results.rows)
        return f"version {bundle.index.schema_version}, {len(bundle.runs)} run(s), {numbers} numbers"


class Hashes(BundleCheck):
    """Every member has the hash and the size that the index says."""

    name = "hashes"

    def _look(self, bundle: Bundle, path: Path) -> str:
        members = {name: content for name, content in bundle.members.items() if name != INDEX}
        if differing := sorted(set(members) ^ set(bundle.index.members)):
            raise Refused(f"bundle.json and the archive do not hold the same files; first: {shown(differing[0])}")
        for name, content in members.items():
            said = bundle.index.members[name]
            if (said.size, said.sha256) != (len(content), hashlib.sha256(content).hexdigest()):
                raise Refused(f"{name} is not the file that bundle.json names by its hash")
        return f"{len(members)} files by SHA-256"


class Place(BundleCheck):
    """In the repository's folder of bundles, the path says the track and the method of the runs, which are of whole suites."""

    name = "place"

    def _look(self, bundle: Bundle, path: Path) -> str:
        wrong = misplaced(path, [(run.listed.track, run.listed.method, Reach.of(run.source_manifest())) for run in bundle.runs])
        if wrong is None:
            raise NotChecked("the file does not lie in leaderboards/bundles/TRACK/METHOD")
        if wrong:
            raise Refused(wrong)
        return "track and method as its folders say, whole suites"


BUNDLE_CHECKS: tuple[type[BundleCheck], ...] = (Archive, Schema, Hashes, Place)
"""In this order: each trusts what those before it have proven."""


def check(path: Path) -> list[CheckResult]:
    """Return every check's result for the bundle in a file, in this process.

    Raises:
        BenchError: there is no file to read.
    """
    try:
        bundle = Bundle.open(path)
    except Refused as error:
        return [CheckResult(Archive.name, "bundle", CheckVerdict.FAILED, one_line(str(error)))]
    found: list[CheckResult] = []
    for kind in BUNDLE_CHECKS:
        found.append(_result(kind.name, "bundle", lambda kind=kind: kind()(bundle, path)))
        if found[-1].verdict is CheckVerdict.FAILED:
            rest = [*(each.name for each in BUNDLE_CHECKS), *(each.name for each in RUN_CHECKS)]
            return found + [_after(name, "bundle", kind.name) for name in rest[rest.index(kind.name) + 1 :]]
    for run in bundle.runs:
        found += _check_run(run, RUN_CHECKS)
    return found


def _check_run(run: BundledRun, kinds: Sequence[type[RunCheck]]) -> list[CheckResult]:
    found: list[CheckResult] = []
    for index, kind in enumerate(kinds):
        found.append(_result(kind.name, run.label, lambda kind=kind: kind()(run)))
        if found[-1].verdict is CheckVerdict.FAILED and kind.needed:
            return found + [_after(each.name, run.label, kind.name) for each in kinds[index + 1 :]]
    return found


def _after(name: str, about: str, failed: str) -> CheckResult:
    return CheckResult(name, about, CheckVerdict.NOT_CHECKED, f"the check {failed!r} failed, which this one builds on")


def _result(name: str, about: str, look: object) -> CheckResult:
    """Return what a check says; whatever it stumbles over is a failure with a reason, never a traceback."""
    try:
        return CheckResult(name, about, CheckVerdict.PASSED, one_line(look()))  # type: ignore[operator]
    except (NotChecked, NotAvailable) as error:
        return CheckResult(name, about, CheckVerdict.NOT_CHECKED, one_line(str(error)))
    except (Refused, BenchError) as error:
        return CheckResult(name, about, CheckVerdict.FAILED, one_line(str(error)))
    except Exception as error:
        said = f"the check stumbled over what it read ({type(error).__name__}: {shown(str(error))})"
        return CheckResult(name, about, CheckVerdict.FAILED, one_line(said))
