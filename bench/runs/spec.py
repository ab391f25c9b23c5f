"""What a run is: everything that decides its images, and the identity that follows from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import BenchError, blaming
from bench.files.hashes import hash_json
from bench.registry import find_method, methods, suites
from bench.runs.sources import source
from bench.runs.units import Unit, cut, planned
from bench.suites.load import LoadedSuite, load_suite
from bench.suites.own.place import name_of, own_file
from bench.suites.own.suite import KeptPrompts, OwnSuite, PromptFile, is_kept
from bench.tracks import load_track
from bench.tracks.schedulers import find_scheduler
from bench.types import Context, Kind, Method, MethodInfo, Numerics
from bench.types.parameters import LARGEST_NUMBER, Number, WholeNumber
from bench.types.track import LARGEST_BATCH, Track

DTYPES = ("float32", "bfloat16", "float16")

HALF_PRECISION: Mapping[str, Mapping[str, int]] = {"bfloat16": {"precision": 2}, "float16": {"precision": 2}}
"""Raised whenever one of these dtypes gives other images than it did. 2: closed forms are solved in float32 and then cast, and Stable Diffusion's
autoencoder stays in float16 as it does in diffusers."""

STEPPED: Mapping[str, Mapping[str, int]] = {"TCDScheduler": {"stepping": 2}}
"""Raised whenever steps of one of these scheduler classes give other images than they did. 2: no noise is added in between (eta 0), as in diffusers'
pipelines; the class's own default is another."""

RAISED = frozenset(name for raised in (HALF_PRECISION, STEPPED) for names in raised.values() for name in names)
"""Of a run's settings: what either of these has raised."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a run goes: how many prompts and images a prompt were asked for. It grows, and decides no pixel but of the last batch.

    Attributes:
        limit: the first that many prompts; None for all.
        images: images a prompt; None for the suite's own number.
    """

    limit: int | None = None
    images: int | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Reach:
        """Return how far a run has been asked to go, as its manifest says."""
        return cls(manifest["spec"]["limit"], manifest["spec"].get("images"))

    def joined(self, other: Reach) -> Reach:
        """Return the least that holds both."""
        limit = None if self.limit is None or other.limit is None else max(self.limit, other.limit)
        images = max(self.images or 0, other.images or 0)
        return Reach(limit, images or None)

    def words(self) -> str:
        """Return the options of ``bench run`` that ask for it, each after a blank; empty for the whole suite."""
        limit = "" if self.limit is None else f" --limit {self.limit}"
        return limit + ("" if self.images is None else f" --images {self.images}")


@dataclass(frozen=True)
class RunSpec:
    """A run as the user asks for it. Cheap to make and to send to another process.

    Attributes:
        method: a registered method, or ``METHOD:WEIGHTS`` (see :func:`bench.registry.find_method`).
        suite: a registered suite; or the path of a file of prompts, of which this becomes the name and ``file`` the path.
        track: a track's name, or the path of its YAML file.
        parameters: the method's, where they differ from its defaults.
        limit: the first that many prompts only; how far a run has got, no part of what it is.
        batch_size: samples a call; the track's where None. 1 is the reference mode that settles disputes.
        device: a torch device string.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        scheduler: a sampler by name (:data:`bench.tracks.schedulers.SCHEDULERS`); the track's where None.
        numerics: the settings of :class:`bench.types.Numerics`, where they differ from the default.
        suite_version: the version that a run on disk was made of; today's where None. A suite that does not know it any more gives today's.
        images: how many images a prompt, the suite's own number where None; like ``limit`` no part of what a run is.
        limit_in_id: the run is one that was made when its limit was a part of its identity, and of its cut into units.
        file: of a user's own prompts where they lie, absolute; None of a registered suite.
        benign: of a user's own file: its prompts are declared to ask for no harm.
        columns: of a user's own file: columns that the user names, ``{role: column}``.
        kept: the file is the copy that a run keeps.
    """

    method: str
    suite: str
    track: str = "mini"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    batch_size: int | None = None
    device: str = "cpu"
    dtype: str = "float32"
    scheduler: str | None = None
    numerics: Mapping[str, Any] = field(default_factory=dict)
    suite_version: str | None = None
    images: int | None = None
    limit_in_id: bool = False
    file: str | None = None
    benign: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    kept: bool = False

    def __post_init__(self) -> None:
        for name in ("method", "suite", "track"):
            value = getattr(self, name)
            if isinstance(value, os.PathLike):
                object.__setattr__(self, name, os.fspath(value))
            elif not isinstance(value, str):
                raise BenchError(f"{name} must be a name or a path; got {value!r}.")
        for name in ("limit", "images"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise BenchError(f"--{name} must be a whole number; got {value!r}.")
        path = None if self.file else own_file(self.suite, suites.names())
        if path is not None:
            object.__setattr__(self, "file", str(path))
            object.__setattr__(self, "kept", is_kept(path))
            object.__setattr__(self, "suite", KeptPrompts(path).kept.name if self.kept else name_of(path))
        if self.kept and (self.benign or self.columns):
            self._leave_to_copy()
        if self.file is None and (self.benign or self.columns):
            option = "--benign" if self.benign else "--column"
            raise BenchError(f"{option} is for a file of prompts; the suite {self.suite!r} says itself what it is. Leave {option} out.")
        if self.dtype not in DTYPES:
            raise BenchError(f"Unknown dtype {self.dtype!r}; expected one of: {', '.join(DTYPES)}.")
        if self.batch_size is not None and not 1 <= self.batch_size <= LARGEST_BATCH:
            raise BenchError(f"--batch-size must be from 1 to {LARGEST_BATCH}; got {self.batch_size}.")
        if unknown := sorted(set(self.numerics) - {each.name for each in fields(Numerics)}):
            raise BenchError(f"Unknown numerics {unknown[0]!r}; expected: {', '.join(each.name for each in fields(Numerics))}.")
        Numerics(**self.numerics)

    def _leave_to_copy(self) -> None:
        """Let the copy that a run keeps say whether its prompts are benign, and refuse what contradicts it."""
        suite = self.own_suite
        if self.columns or (suite is not None and suite.info.unsafe):
            option = "--column" if self.columns else "--benign"
            raise BenchError(
                f"{option} is for a file of prompts, and {self.file} is a run's own copy, which says all that was read. Leave {option} out."
            )
        object.__setattr__(self, "benign", False)

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels to another process: what was asked for alone. Track and suite, which may be a million samples, are read there."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def loaded_track(self) -> Track:
        """The track, with the scheduler that was asked for."""
        track = load_track(self.track)
        return track if self.scheduler is None else track.model_copy(update={"scheduler": find_scheduler(self.scheduler)})

    @cached_property
    def loaded_suite(self) -> LoadedSuite:
        """The suite's samples on this track."""
        return load_suite(self.own_suite or self.suite, self.loaded_track, self.limit, self.suite_version, self.images)

    @cached_property
    def own_suite(self) -> OwnSuite | None:
        """The suite of the user's own prompts; None where the suite is a registered one."""
        if self.file is None:
            return None
        return KeptPrompts(Path(self.file)) if self.kept else PromptFile(Path(self.file), benign=self.benign, columns=self.columns)

    @property
    def batch(self) -> int:
        """Samples a call."""
        return self.batch_size or self.loaded_track.batch_size

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The work units of what is asked for, in order; of a part of the run their numbers have gaps."""
        suite = self.loaded_suite
        return tuple(cut(suite.samples, self.batch) if self.limit_in_id else planned(suite.whole, suite.samples, self.batch))

    @cached_property
    def unit_of(self) -> Mapping[int, Unit]:
        """The same by number."""
        return {unit.index: unit for unit in self.units}

    @property
    def id_limit(self) -> int | None:
        """The limit that is part of the run's identity; None but of runs made when it was one."""
        return self.limit if self.limit_in_id else None

    @property
    def reach(self) -> Reach:
        """How far this goes, said in one way: a limit that leaves nothing out is none, nor is the suite's own number of images one."""
        suite, images = self.loaded_suite, self.images
        limit = None if suite.prompts == suite.screened and not self.limit_in_id else self.limit
        return Reach(limit, None if images == suite.info.images_per_prompt else images)

    def to(self, reach: Reach) -> RunSpec:
        """Return the same run as far as ``reach``; itself where it goes as far."""
        return self if self.reach == reach else replace(self, limit=reach.limit, images=reach.images)

    @cached_property
    def imported(self) -> bool:
        """Whether another tool made the images, of which nothing is known here but what they show."""
        plain = self.method.partition(":")[0]
        try:
            info = getattr(methods.get(plain), "info", None) if plain in methods else None
        except BenchError:  # a method of others that is broken by now; its runs are read all the same
            return False
        return info is not None and info.kind is Kind.IMPORTED

    @property
    def context(self) -> Context:
        """Where the method runs."""
        return Context(self.loaded_track, self.device, self.dtype, Numerics(**self.numerics))

    def make_method(self) -> Method:
        """Return the adapter with its parameters (its defaults, the track's, the name's, the user's), nothing loaded yet.

        Raises:
            BenchError: unknown method or parameter, or the method does not run on this track.
        """
        adapter, parameters = method_on(self.method, self.loaded_track, self.parameters)
        with blaming("method", self.method, "__init__"):
            if not isinstance(getattr(adapter, "info", None), MethodInfo):
                raise BenchError(f"The method {self.method!r} says nothing of itself: it has no `info`. Run `bench check-method {self.method}`.")
            method = adapter(**parameters)
            if not isinstance(getattr(method, "parameters", None), dict):
                raise BenchError(f"The method {self.method!r} is broken: its `__init__` does not call Method's, so that it has no parameters.")
            return method

    def identity(self) -> dict[str, Any]:
        """Return all that decides the images, as JSON-able values; its hash is the run's id.

        The method's fingerprint (adapter, version, parameters, weights) is part of it, so two methods can never share a result.
        """
        suite = self.loaded_suite
        return {
            "track": self._track_identity(),
            "method": self._method_identity(),
            "suite": {"name": suite.info.name, "version": suite.info.version, "digest": suite.digest, "limit": self.id_limit},
            "settings": self.settings(),
        }

    def _track_identity(self) -> dict[str, Any]:
        """Return the track's part of the identity; of imported images its name, since neither its base nor its sampler made them."""
        track = self.loaded_track
        if self.imported:
            return {"name": track.name}
        return {
            "name": track.name,
            "base": track.base_weights(),
            "scheduler": track.scheduler,
            "concepts": {name: list(phrases) for name, phrases in track.concepts.items()},
        }

    def settings(self) -> dict[str, Any]:
        """Return the part of the identity that is neither track, method nor suite; nothing of imported images, whose settings nobody here knows."""
        if self.imported:
            return {}
        # Only what differs from the default: a new setting must not give finished runs other ids.
        return {
            "batch_size": self.batch,
            "device": self.device.partition(":")[0],
            "dtype": self.dtype,
            **HALF_PRECISION.get(self.dtype, {}),
            **STEPPED.get(str(self.loaded_track.scheduler.get("class")), {}),
            **self.context.numerics.changed(),
        }

    def _method_identity(self) -> dict[str, Any]:
        """Return the method's part of the identity; of one that the harness does not bring, the hash of its source too."""
        method = self.make_method()
        with blaming("method", self.method, "weights"):
            weights = dict(method.weights(self.context))
        found = {"name": self.method, "version": method.info.version, "parameters": method.parameters, "weights": weights}
        with blaming("method", self.method, "version, parameters and weights"):
            digest(found)
        return {**found, **source(methods, self.method.partition(":")[0])}


def method_on(name: str, track: Track, parameters: Mapping[str, Any]) -> tuple[type[Method], dict[str, Any]]:
    """Return a method's adapter and what it is made with on ``track``: the track's changes, what the name gives, then ``parameters``.

    Raises:
        BenchError: unknown method, or one that does not run on this track.
    """
    adapter, named = find_method(name)
    tracks = getattr(getattr(adapter, "info", None), "tracks", ())  # an adapter without `info` is for `bench check-method` to tell of
    if tracks and not track.is_one_of(tracks):
        raise BenchError(f"The method {name!r} does not run on track {track.name!r}; it runs on: {', '.join(tracks)}.")
    return adapter, {**track.methods.get(name.partition(":")[0], {}), **named, **parameters}


def as_taken(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a user gave of a method's parameters as the method takes it: where it takes any number, 500 is 500.0, and both are one run.

    Only for what is asked anew: a finished run keeps what its manifest says, which its id is made of.

    Raises:
        BenchError: unknown method.
    """
    adapter, _ = find_method(method)
    takes, usual = getattr(adapter, "takes", {}), getattr(getattr(adapter, "info", None), "defaults", {})
    numbers = {name for name, rule in takes.items() if isinstance(rule, Number) and not isinstance(rule, WholeNumber)}
    found = dict(parameters)
    for name, value in parameters.items():
        if name in numbers and type(value) is int and abs(value) <= LARGEST_NUMBER:  # one that is larger is refused, in its own words
            default = usual.get(name)
            found[name] = default if type(default) is int and default == value else float(value)
    return found


def base_method(track: Track) -> str | None:
    """Return the first method of kind ``base`` that runs on ``track``; None where there is none."""
    for name, each in methods.items():
        info = getattr(each, "info", None)
        if info is not None and info.kind is Kind.BASE and (not info.tracks or track.is_one_of(info.tracks)):
            return name
    return None


def digest(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON-able value, the same for equal values in any key order.

    Raises:
        BenchError: a parameter is not JSON-able, or is text that cannot be stored.
    """
    try:
        json.dumps(identity, ensure_ascii=False).encode()
        return hash_json(identity)
    except (TypeError, ValueError) as error:
        raise BenchError(f"Parameters must be numbers, strings, flags or lists of them: {error}.") from error
