"""The two documents that may stand beside a bundle: a notice that it is withdrawn or superseded, and the record of its verification.

Both name the bundle by its hash, so neither can pass to another file.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from bench.errors import BenchError
from leaderboards.submissions.files import read_file
from leaderboards.submissions.limits import JSON_BYTES
from leaderboards.submissions.schema import Count, Digest, Line, MethodName, Name, Strict, T, Version, parse
from leaderboards.submissions.strict_json import loads
from leaderboards.submissions.verdicts import Refused

NOTICE, VERIFIED = ".notice.json", ".verified.json"
"""What their names end with, after the bundle's own."""


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("there is no such day") from None
    return text


Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]


class Notice(Strict):
    """A bundle is no longer shown.

    Attributes:
        bundle: SHA-256 of the bundle's file.
        state: ``withdrawn``, or ``superseded`` by another bundle.
        by: SHA-256 of the bundle that takes its place; null where it is withdrawn.
        reason: one line, shown on the board.
        date: of the decision.
    """

    schema_version: Version
    bundle: Digest
    state: Literal["withdrawn", "superseded"]
    by: Digest | None = None
    reason: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    date: Day

    @model_validator(mode="after")
    def _successor(self) -> Self:
        if self.state == "withdrawn" and self.by is not None:
            raise ValueError("by is null where a bundle is withdrawn")
        if self.state == "superseded" and self.by in (None, self.bundle):
            raise ValueError("it names no other bundle that takes its place")
        return self


class MadeAgain(Strict):
    """One sample that was made again.

    Attributes:
        same_image: the same bits, or blocked both times.
        largest_pixel: the largest difference of a pixel, in levels of 255; null where the submitted image was not at hand.
        agrees: whether image and scores are within the tolerance.
    """

    prompt_id: str
    image_index: Count
    same_image: bool
    largest_pixel: Count | None
    agrees: bool


class ScoreDifference(Strict):
    """How far one column's scores of the samples lie from those submitted, in the units of :mod:`leaderboards.submissions.verification`.

    Attributes:
        largest: of one sample.
        tolerance: from where on that is too far.
        shift: the mean with its sign, over the images that are not the same to the bit: now, less submitted. 0 for flags and detections.
    """

    column: Line
    largest: float
    tolerance: float
    shift: float


class VerifiedRun(Strict):
    """One run's part of a verification."""

    run_id: Digest
    suite: Name
    method: MethodName
    samples: Annotated[list[MadeAgain], Field(min_length=1)]
    scores: list[ScoreDifference]
    agrees: bool


class Verification(Strict):
    """What ``bench verify BUNDLE`` found: what was made again, where, and how far it lies from what was submitted.

    Attributes:
        bundle: SHA-256 of the bundle's file.
        date: when.
        versions: of the harness and the libraries there.
        machine: its kind, with the device.
        amount: how much was asked for, as ``5%``.
        seed: of the choice of samples.
        runs: one entry a run of the bundle.
        agrees: whether every run does.
        signed_off_by: for the maintainers to fill in; nothing reads it.
    """

    schema_version: Version
    bundle: Digest
    date: Day
    versions: dict[Line, Line]
    machine: dict[Line, Line]
    amount: Line
    seed: Count
    runs: Annotated[list[VerifiedRun], Field(min_length=1)]
    agrees: bool
    signed_off_by: Line = ""

    def proves(self, run_ids: set[str]) -> bool:
        """Return whether every one of these runs was verified and agrees."""
        return self.agrees and {run.run_id for run in self.runs if run.agrees} >= run_ids


def beside(bundle: Path, ending: str) -> Path:
    """Return where a bundle's notice or record lies."""
    return bundle.with_name(bundle.name.removesuffix(".zip") + ending)


def read_beside(bundle: Path, sha256: str, ending: str, model: type[T]) -> T | None:
    """Return the document beside a bundle, or None where there is none.

    Raises:
        BenchError: it is unreadable, or of another bundle.
    """
    path = beside(bundle, ending)
    if not path.exists():
        return None
    try:
        found = parse(model, loads(read_file(path, JSON_BYTES), path.name), path.name)
    except Refused as error:
        raise BenchError(f"{path} is not readable: {error}. Its form stands in docs/submit.md.") from None
    if found.bundle != sha256:  # type: ignore[attr-defined]
        raise BenchError(f"{path} is of another bundle than {bundle.name}, whose SHA-256 is {sha256}. See docs/submit.md.")
    return found
