"""The rules on what an adapter says of itself and does before it is loaded. None of them needs torch."""

from __future__ import annotations

import inspect
import json
import re
import time

from bench.checking.child import run_python
from bench.checking.rule import AdapterRule
from bench.checking.subject import Subject
from bench.checking.verdict import Broken, Skip
from bench.errors import BenchError
from bench.tracks import track_names
from bench.types import TRAINED, Kind, MethodInfo

UNPUBLISHED = (Kind.BASE, Kind.FLOOR)
"""Kinds that may name neither paper nor code."""

SUMMARY_LENGTH = 120
"""Characters."""

CHEAP = 1.0
"""Seconds that a constructor may take."""

HEAVY = ("torch", "diffusers", "transformers")


def registered(subject: Subject) -> str:
    """Return the door that the adapter came in by."""
    adapter = subject.adapter
    info = getattr(adapter, "info", None)
    if not isinstance(info, MethodInfo):
        raise Broken(f"{adapter.__name__}.info is no MethodInfo")
    if info.name != subject.name:
        raise Broken(f"info.name is {info.name!r}, the entry point's name {subject.name!r}")
    if inspect.isabstract(adapter):
        raise Broken(f"{adapter.__name__} lacks {', '.join(sorted(adapter.__abstractmethods__))}")
    point = subject.entry_point
    return f"entry point {point.value}" if point else "registered by hand"


def metadata(subject: Subject) -> str:
    """Return kind and version, if nothing is missing."""
    info = subject.adapter.info
    wrong = []
    summary = info.summary
    if not isinstance(summary, str) or not summary or summary != " ".join(summary.split()) or len(summary) > SUMMARY_LENGTH:
        wrong.append(f"summary is not one line of 1 to {SUMMARY_LENGTH} characters")
    if not isinstance(info.kind, Kind):
        wrong.append(f"kind is {info.kind!r}, no Kind")
    wrong += [f"{name} is empty" for name in ("version", "licence") if not str(getattr(info, name)).strip()]
    if info.kind not in UNPUBLISHED and not (info.paper or info.code):
        wrong.append("neither paper nor code is given")
    if info.kind in TRAINED and not info.trained_on:
        wrong.append("trained_on is empty")
    wrong += [f"{name} still says TODO" for name in ("summary", "paper", "code", "licence") if "TODO" in str(getattr(info, name))]
    unknown = sorted(set(info.tracks) - set(track_names()) - {subject.context.track.name})
    if unknown:
        wrong.append(f"tracks names an unknown track {unknown[0]!r}")
    try:
        json.dumps(dict(info.defaults))
    except TypeError as error:
        wrong.append(f"defaults are not JSON-able ({error})")
    if wrong:
        raise Broken("; ".join(wrong))
    return f"kind {info.kind}, version {info.version}"


def light_import(subject: Subject) -> str:
    """Import the entry point in another process and look at what came with it."""
    point = subject.entry_point
    if point is None:
        raise Skip("registered by hand: there is no entry point to import")
    code = (
        "import sys; from importlib.metadata import EntryPoint; "
        f"EntryPoint({point.name!r}, {point.value!r}, {point.group!r}).load(); "
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    heavy = run_python(["-c", code]).split()
    if heavy:
        raise Broken(f"importing {point.module} imports {', '.join(heavy)}")
    return f"imports none of {', '.join(HEAVY)}"


def constructor(subject: Subject) -> str:
    """Construct the adapter, once rightly and once wrongly."""
    began = time.perf_counter()
    made = subject.make()
    took = time.perf_counter() - began
    if took > CHEAP:
        raise Broken(f"it took {took:.1f} s; up to {CHEAP:g} s is cheap")
    if getattr(made, "parameters", None) != {**subject.adapter.info.defaults, **subject.parameters}:
        raise Broken("self.parameters is not the defaults with what was passed")
    undeclared = "no_such_parameter"
    try:
        subject.adapter(**{undeclared: 1})
    except BenchError:
        return f"takes {', '.join(subject.adapter.info.defaults) or 'no parameter'}; refuses others"
    except Exception as error:
        raise Broken(f"an undeclared parameter raises {type(error).__name__}, expected BenchError") from error
    raise Broken("it takes a parameter that defaults does not name")


def weights(subject: Subject) -> str:
    """Ask two instances for the hashes of their weights, nothing loaded."""
    first, second = (dict(subject.make().weights(subject.context)) for _ in range(2))
    for file, digest in first.items():
        if not isinstance(file, str) or not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise Broken(f"{file!r} has {digest!r}, expected 64 hexadecimal digits")
    if first != second:
        raise Broken("two instances give different hashes")
    if subject.adapter.info.kind in TRAINED and not first:
        raise Broken(f"a method of kind {subject.adapter.info.kind} names no weights")
    subject.own_files = first
    return f"{len(first)} file(s) beyond the base model"


DECLARED = (
    AdapterRule(
        "registered",
        "The registry finds the adapter, a subclass of Method with nothing abstract left, and info.name is the name it is found by.",
        registered,
        "Give the entry point in pyproject.toml and info.name the same name, and write load and generate.",
    ),
    AdapterRule(
        "metadata",
        "MethodInfo says enough for a leaderboard: summary, version, kind, licence, paper or code (kinds base and floor need neither), "
        "trained_on (fine-tune and preference), known tracks, JSON-able defaults.",
        metadata,
        "Say what is missing in info = MethodInfo(...).",
        needs=("registered",),
    ),
    AdapterRule(
        "light-import",
        "Importing the entry point imports neither torch nor diffusers nor transformers, so that `bench ls` stays fast.",
        light_import,
        "Import heavy packages inside load and generate, not at the top of a module.",
        needs=("registered",),
    ),
    AdapterRule(
        "constructor",
        f"The constructor takes at most {CHEAP:g} s, keeps its parameters in self.parameters, and refuses one that defaults does not name.",
        constructor,
        "Leave `__init__` to Method, or call `super().__init__(**parameters)` first; read weights in load.",
        needs=("registered",),
    ),
    AdapterRule(
        "weights",
        "weights(context) works before load, gives {file: SHA-256}, the same from two instances, and not nothing for kinds fine-tune and preference.",
        weights,
        "Return bench.files.hashes.hash_weights(FOLDER) of every weight file beyond the track's base model.",
        needs=("constructor",),
    ),
)
