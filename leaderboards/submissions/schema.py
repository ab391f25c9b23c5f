"""What stands in a bundle's JSON documents, version 1. Unknown keys are refused."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bench.errors import BenchError
from bench.runs.spec import DTYPES
from bench.suites.load import LARGEST_IMAGES
from bench.types import Kind, Numerics
from bench.types.track import LARGEST_BATCH
from leaderboards.submissions.limits import RUNS
from leaderboards.submissions.verdicts import Refused, shown

SCHEMA = 1

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
MethodName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@#=+-]{0,199}$")]
Line = Annotated[str, StringConstraints(max_length=200)]
Person = Annotated[str, StringConstraints(pattern=r"^[\w .,'&@:/+()-]{0,120}$")]
Count = Annotated[int, Field(ge=0)]
Version = Annotated[int, Field(ge=SCHEMA, le=SCHEMA)]
"""Of a document. Not ``Literal[1]``, which takes 1.0 and true too."""
T = TypeVar("T", bound=BaseModel)
Scalar = str | int | float | bool | None
Release = Annotated[str, StringConstraints(pattern=r"^(absent|[0-9][A-Za-z0-9.+!_-]{0,59})$")]
"""A version of a package."""
Word = Annotated[str, StringConstraints(pattern=r"^[\w.-]{0,60}$")]


def _known_numerics(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is no setting of :class:`bench.types.Numerics`, nor what a manifest says of TF32."""
    own = {each.name: type(each.default) for each in fields(Numerics)}
    for name, said in value.items():
        kind = own.get(name, bool if name.startswith("tf32_") else None)
        if kind is None or type(said) is not kind:
            raise ValueError(f"{name} is no setting, or {said!r} is none of its values")
    try:
        Numerics(**{name: said for name, said in value.items() if name in own})
    except BenchError as error:
        raise ValueError(str(error)) from None
    return value


NumericsOf = Annotated[dict[Word, Scalar], AfterValidator(_known_numerics)]


class Strict(BaseModel):
    """Unknown keys are refused, and no text passes for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Member(Strict):
    """One file of the bundle."""

    sha256: Digest
    size: Count


class Listed(Strict):
    """One run of the bundle and the folder that it lies in."""

    folder: Name
    track: Name
    suite: Name
    method: MethodName
    run_id: Digest


class Index(Strict):
    """``bundle.json``: what the bundle holds. ``name`` and ``contact`` are the submitter's, and may be empty."""

    schema_version: Version
    name: Person
    contact: Person
    versions: dict[Name, Release]
    runs: Annotated[list[Listed], Field(min_length=1, max_length=RUNS)]
    members: dict[str, Member]


class Spec(Strict):
    """How the run was asked for: what makes it again."""

    method: MethodName
    suite: Name
    track: Name
    parameters: dict[str, Any]
    limit: Annotated[int, Field(ge=1)] | None
    batch_size: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] | None
    device: Annotated[str, StringConstraints(pattern=r"^[a-z]+(:[0-9]{1,3})?$")]
    dtype: Annotated[str, StringConstraints(pattern=rf"^({'|'.join(DTYPES)})$")]
    scheduler: Line | None = None
    numerics: dict[Line, Scalar] = {}
    images: Annotated[int, Field(ge=1, le=LARGEST_IMAGES)] | None = None


class TrackIdentity(Strict):
    """The part of the track that decides the images."""

    name: Name
    base: dict[Line, Digest]
    scheduler: dict[Line, Any]
    concepts: dict[Line, list[Line]]


class MethodIdentity(Strict):
    """The method's fingerprint: version, parameters, weights; of a plugin its source's hash too."""

    name: MethodName
    version: Line
    parameters: dict[Line, Any]
    weights: dict[Line, Digest]
    source: Digest | None = None

    def hashed(self) -> dict[str, Any]:
        """Return what is part of the run's identity."""
        return self.model_dump(exclude={"source"} if self.source is None else None)


class SuiteIdentity(Strict):
    """The suite's version, what it hashes to, and what the child-safety screen took."""

    name: Name
    version: Line
    digest: Digest
    limit: Annotated[int, Field(ge=1)] | None
    unsafe: bool
    prompts: Count
    total_prompts: Count
    screened_out: Count


class ScorerState(Strict):
    """One scorer: what it was and what it hashes to."""

    fingerprint: Digest
    version: Line
    parameters: dict[Line, Any]
    weights: dict[Line, Digest]
    source: Digest | None = None
    columns: list[Line]

    def hashed(self, name: str) -> dict[str, Any]:
        """Return what the fingerprint is the hash of."""
        source = {} if self.source is None else {"source": self.source}
        return {"scorer": name, "version": self.version, "parameters": self.parameters, "weights": self.weights, **source}


class Manifest(Strict):
    """``manifest.json``: what a run was, without the paths of the machine that made it."""

    schema_version: Version
    run_id: Digest
    spec: Spec
    track: TrackIdentity
    method: MethodIdentity
    suite: SuiteIdentity
    settings: dict[Line, Scalar]
    scheduler: dict[Line, Any] = {}
    numerics: NumericsOf = {}
    safety_checker: Line = ""
    proxy: bool
    samples: Annotated[int, Field(ge=1)]
    versions: dict[Name, Release]
    git: dict[Literal["commit", "changed"], Word | bool]
    machine: dict[Word, Word]
    created: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|Z)$")]
    scorers: dict[Name, ScorerState]


class Card(Strict):
    """``method.json``: what the method says of itself."""

    schema_version: Version
    name: MethodName
    kind: Annotated[Kind, Field(strict=False)]  # JSON has its name, as a text
    summary: str
    version: Line
    paper: str
    code: str
    licence: str
    trained_on: list[str]
    parameters: dict[Line, Any]
    weights: dict[Line, Digest]


class ResultRow(Strict):
    """One row of the results: a number with its unit, interval and what it was made of."""

    metric: Line
    category: Line
    value: float | None
    value_low: float | None
    value_high: float | None
    unit: Line
    n: Count
    prompts: Count
    excluded: Count
    interval: Line
    count: Count | None
    rule: Line | None


class Results(Strict):
    """``results.json``: the numbers of a run, to ten significant digits."""

    schema_version: Version
    rule: Line
    rows: Annotated[list[ResultRow], Field(min_length=1, max_length=2000)]


def parse(model: type[T], value: dict[str, Any], what: str) -> T:
    """Return ``value`` as ``model``.

    Raises:
        Refused: it is not one; the message names ``what`` and the first thing that is wrong.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Refused(f"{what}: {shown(where)}: {re.sub(r'[^ -~]', '?', first['msg'])}") from None
