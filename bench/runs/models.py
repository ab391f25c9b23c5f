"""What stands in a run's JSON documents. Each is read through its model, and carries the hash of its own content (:mod:`bench.files.signed`).

A key that is not known is refused, since a document's version says which keys it has; a manifest keeps it, so that one run may say more than another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bench.errors import Damaged
from bench.files.signed import read_signed
from bench.runs.provenance import NUMERIC

MEND = (
    "Run the same `bench run` (of imported images the same `bench import`) again: it makes what is damaged anew and keeps the rest; "
    "`bench verify` says what that is."
)

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


Markers = Mapping[int, Mapping[str, Any]]
"""The completion markers of units, by unit."""

STATUSES = ("generated", "blocked", "failed")
"""Of a sample, once its unit is finished."""


class RunDocument(BaseModel):
    """No text passes for a number, and no unknown key for a known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    schema_version: int = 1


class ActedCounts(BaseModel):
    """On how many samples the method acted; see :class:`bench.runs.acting.Acted`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    samples: Count
    of: Count
    steps: Count


class UnitMarker(RunDocument):
    """``units/00012.json``: the unit is finished. ``run_id`` and ``versions`` let it outlive its manifest; version 1 has neither."""

    table_sha256: Sha256
    samples: Count
    generated: Count
    blocked: Count
    failed: Count
    seconds: float
    split: Count = 0
    acted: ActedCounts | None = None
    run_id: str = ""
    versions: dict[str, str] = {}


class ScoreMarker(RunDocument):
    """``scores/<scorer>-<fingerprint>/00012.json``: the unit is scored, by which scorer, from which sample table, and on which kind of device.

    Scorers compute in float32 everywhere; the last digits differ between devices. Empty where nobody computed, or an older bench did.
    """

    table_sha256: Sha256
    samples_sha256: Sha256
    fingerprint: str
    rows: Count
    unscored: Count = 0
    device: str = ""


class ScorerNote(RunDocument):
    """``scorer.json``: which scorer it was. Its fingerprint is the hash of name, version, parameters and weights."""

    scorer: str
    fingerprint: str
    columns: list[str]
    version: Any
    parameters: dict[str, Any]
    weights: dict[str, Any]
    known_as: dict[str, Any] = {}
    source: Sha256 | None = None


class RunSuite(BaseModel):
    """A manifest's suite: what readers of a run rely on. Its limit is part of the run's identity, as it is of older runs alone."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: str
    version: Any
    digest: str
    limit: int | None
    unsafe: bool
    prompts: Count
    total_prompts: Count
    screened_out: Count


class Named(BaseModel):
    """A manifest's track or method."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: str


class AskedFor(BaseModel):
    """A manifest's spec: the arguments of :class:`bench.runs.spec.RunSpec`; limit and images the largest that were asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    method: str
    suite: str
    track: str
    parameters: dict[str, Any]
    limit: int | None
    batch_size: int | None
    device: str
    dtype: str
    scheduler: str | None = None
    numerics: dict[str, Any] = {}
    images: int | None = None


class RunManifest(RunDocument):
    """``manifest.json``: what the run is and what made it."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    run_id: str
    spec: AskedFor
    track: Named
    method: Named
    suite: RunSuite
    settings: dict[str, Any]
    proxy: bool
    samples: Count
    units: Count
    versions: dict[str, str]
    created: str
    scorers: dict[str, str] = {}
    acted: ActedCounts | None = None
    label: str = ""
    sessions: list[dict[str, Any]] = []


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many rows there are, and how many of each status, as a marker states it."""
    found = Counter(str(row["status"]) for row in rows)
    return {"samples": len(rows), **{status: found.get(status, 0) for status in STATUSES}}


def short_id(run_id: str) -> str:
    """Return what a folder's name says of a run's id."""
    return run_id[:8]


def is_of_run(marker: Mapping[str, Any], run_id: str) -> bool:
    """Return whether a unit's marker is of the run ``run_id``; those of version 1 do not say."""
    return str(marker.get("run_id") or run_id) == run_id


def origin(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a unit's marker repeats of the manifest, so that the unit can be known without it."""
    return {"run_id": manifest["run_id"], "versions": {name: manifest["versions"].get(name, "") for name in NUMERIC}}


def read_document(path: Path, model: type[RunDocument], what: str, place: str) -> tuple[dict[str, Any], bool]:
    """Return the document in ``path``, which is a ``model``, and whether it carried its hash; ``what`` and ``place`` as in :func:`read_signed`.

    Raises:
        Damaged: it is missing or not what was written.
        BenchError: another version of the harness wrote it.
    """
    try:
        value, hashed = read_signed(path, what, place)
        model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Damaged(f"The {what} at {path} was damaged: {where}: {first['msg']}. {MEND}") from None
    except Damaged as error:
        raise Damaged(f"{error} {MEND}") from None
    return value, hashed
