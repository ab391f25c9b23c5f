"""What a board takes from bundles: the runs that are shown, and the bundles that are not, each with the reason."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from leaderboards.board.build import Source
from leaderboards.submissions.bundle import Bundle
from leaderboards.submissions.guard import validate
from leaderboards.submissions.records import NOTICE, VERIFIED, Notice, Verification, read_beside
from leaderboards.submissions.verdicts import CheckVerdict, Refused


def bundle_sources(path: Path) -> list[Source]:
    """Return the runs of one bundle: ``verified`` where a record beside it proves it, else ``community``.

    Raises:
        BenchError: it fails a check, or the record is of another bundle.
    """
    failed = [each for each in validate(path) if each.verdict is CheckVerdict.FAILED]
    if failed:
        raise BenchError(f"The bundle {path} fails the check {failed[0].name!r} ({failed[0].reason}). Run `bench validate {path}`.")
    bundle = Bundle.open(path)
    record = read_beside(path, bundle.sha256, VERIFIED, Verification)
    proven = record is not None and record.proves({run.listed.run_id for run in bundle.runs})
    status = "verified" if proven else "community"
    found = [Source(run.records, run.source_manifest(), run.track, run.rule, status) for run in bundle.runs]
    return [replace(source, beside=source.track.further_rules(source.place[1])) for source in found]


def gather(path: Path) -> tuple[list[Source], list[dict[str, Any]]]:
    """Return what a board takes from a bundle or from a folder of bundles (:mod:`leaderboards.submissions.tree`).

    A notice beside a bundle hides it, and its copies of other names. In a folder, so does a failed check: one bad bundle does not keep a
    board from being made.

    Args:
        path: a bundle, or a folder with bundles at any depth.

    Returns:
        The runs, and one row a bundle that is not shown: ``bundle``, ``sha256``, ``track``, ``method``, ``state``, ``reason``, ``date``, ``by``.

    Raises:
        BenchError: a single bundle fails a check, or what is beside it is unreadable.
    """
    if not path.is_dir():
        digest, notice = _read(path)
        return (bundle_sources(path), []) if notice is None else ([], [_noticed(path, digest, notice)])
    sources: list[Source] = []
    hidden: list[dict[str, Any]] = []
    digests: dict[Path, str] = {}
    notices: dict[str, Notice] = {}
    for file in sorted(path.rglob("*.zip")):
        try:
            digests[file], notice = _read(file)
        except BenchError as error:
            hidden.append(_refused(file, None, error))
        else:
            notices |= {} if notice is None else {digests[file]: notice}
    for file, digest in digests.items():
        if digest in notices:
            hidden.append(_noticed(file, digest, notices[digest]))
            continue
        try:
            sources += bundle_sources(file)
        except BenchError as error:
            hidden.append(_refused(file, digest, error))
    return sources, hidden


def _read(file: Path) -> tuple[str, Notice | None]:
    """Return the hash of a bundle and the notice beside it.

    Raises:
        BenchError: one of them is unreadable.
    """
    try:
        digest = Bundle.open(file).sha256
    except Refused as error:
        raise BenchError(f"The bundle {file} is refused: {error}. Run `bench validate {file}`.") from None
    return digest, read_beside(file, digest, NOTICE, Notice)


def _noticed(file: Path, digest: str, notice: Notice) -> dict[str, Any]:
    return {**_place(file), "sha256": digest, "state": notice.state, "reason": notice.reason, "date": notice.date, "by": notice.by}


def _refused(file: Path, digest: str | None, error: BenchError) -> dict[str, Any]:
    reason = str(error).replace(f"{file.parent}{os.sep}", "")  # a board is for others, to whom the place means nothing
    return {**_place(file), "sha256": digest, "state": "refused", "reason": reason, "date": None, "by": None}


def _place(file: Path) -> dict[str, Any]:
    """Return what a bundle's path says of it; nothing inside is trusted, for it may be refused."""
    method, track = file.parent.name, file.parent.parent.name
    return {"bundle": file.name, "track": track, "method": method}
