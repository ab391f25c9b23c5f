"""What a run is called: its method, and what its user changed of it (``sld-medium scale=500``), or the label that its user gave.

Tables, boards and figures take their labels from here, so that one run has one name everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.errors import BenchError, in_one_line
from bench.registry import methods
from bench.runs.folder import RunFolder
from bench.runs.imported import IMAGES
from bench.tracks import load_track
from bench.types import Kind
from bench.types.track import Track

if TYPE_CHECKING:
    from bench.runs.spec import RunSpec


class OnDisk(Protocol):
    """What a label needs to know of a run: :class:`bench.runs.find.Run`, which asks here what it is called."""

    @property
    def path(self) -> Path:
        """The run folder."""

    @property
    def spec(self) -> RunSpec:
        """What it is."""


LABEL = "label"
"""Of a manifest: the user's own label. No part of a run's identity: it decides no pixel."""
LONGEST = 80
"""Characters of a user's label."""
_VALUE = 40
"""Characters that are shown of a parameter's value."""


def checked_label(text: str) -> str:
    """Return a user's label as it is kept; an empty one takes a label away.

    Raises:
        BenchError: it is more than one line, too long, or holds what a terminal does not print.
    """
    if text != in_one_line(text, LONGEST):
        raise BenchError(f"A label is one line of at most {LONGEST} printable characters, without spaces at its ends; got {text!r}.")
    return text


def named(method: str, parameters: Mapping[str, Any], track: str | Track) -> str:
    """Return a method's name followed by those of its parameters that differ from what it has on ``track`` by itself."""
    return " ".join([method, *(shown_parameter(*each) for each in sorted(own_parameters(method, parameters, track).items()))])


def own_parameters(method: str, parameters: Mapping[str, Any], track: str | Track) -> dict[str, Any]:
    """Return the parameters that differ from what the method has on the track by itself; none where method or track is not here: nobody can tell."""
    plain, _, weights = method.partition(":")
    try:
        kind = methods.get(plain) if plain in methods else None
        here = load_track(track) if isinstance(track, str) else track
    except BenchError:
        return {}
    if kind is None:
        return {}
    usual = {**kind.info.defaults, **here.methods.get(plain, {}), **({kind.named_by: parameters.get(kind.named_by)} if weights else {})}
    if kind.info.kind is Kind.IMPORTED:
        usual |= {IMAGES: parameters.get(IMAGES)}  # what was brought under a name is no other method than that
    return {key: value for key, value in parameters.items() if json.dumps(_plain(value)) != json.dumps(_plain(usual.get(key)))}


def _plain(value: object) -> object:
    """Return a number without a fraction as a whole one: 500.0 and 500 are the same."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown_value(value: object) -> str:
    """Return a parameter's value as a label has it: short, and without a place on somebody's machine."""
    text = value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else json.dumps(_plain(value))
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 3]}..."


def shown_parameter(name: str, value: object) -> str:
    """Return a parameter as a label has it: ``scale=500``."""
    return f"{name}={shown_value(value)}"


def label_of(manifest: Mapping[str, Any], track: str | Track) -> str:
    """Return the label that the user gave the run of ``manifest``, or else its method with its own parameters."""
    said = manifest["method"]
    return str(manifest.get(LABEL) or "") or named(said["name"], said.get("parameters", {}), track)


def labels_of(runs: Sequence[OnDisk], given: Mapping[int, str] | None = None) -> list[str]:
    """Return a label a run, no two alike among the runs of one suite and track: where they would be, each says what tells it apart.

    Args:
        runs: of any suites and tracks.
        given: labels for this table alone, by place in ``runs``.
    """
    manifests = [RunFolder.open(run.path).manifest() for run in runs]
    chosen = given or {}
    labels = [chosen.get(at) or label_of(each, run.spec.track) for at, (run, each) in enumerate(zip(runs, manifests, strict=True))]
    places = [(each["track"]["name"], each["suite"]["name"], label) for each, label in zip(manifests, labels, strict=True)]
    facts = [_facts(run.spec, each) for run, each in zip(runs, manifests, strict=True)]
    for place in dict.fromkeys(places):
        alike = [at for at, each in enumerate(places) if each == place]
        if len(alike) > 1:
            ids = [str(manifests[at]["run_id"])[:8] for at in alike]
            for at, said in zip(alike, _apart([facts[at] for at in alike], ids), strict=True):
                labels[at] = f"{labels[at]} {said}".strip()
    return labels


def _apart(facts: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> list[str]:
    """Return what tells runs of one label apart: the settings in which they differ, and the first digits of their ids where that is not enough."""
    names = [name for name in dict.fromkeys(name for each in facts for name in each) if len({json.dumps(each.get(name)) for each in facts}) > 1]
    said = [" ".join(shown_parameter(name, each[name]) for name in names if each.get(name) is not None) for each in facts]
    return [text if said.count(text) == 1 else f"{text} {run}".strip() for text, run in zip(said, ids, strict=True)]


def _facts(spec: RunSpec, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two runs of one method on one suite can differ in, most telling first."""
    method, suite = manifest["method"], manifest["suite"]
    return {
        "method": method["name"],
        **{name: value for name, value in method.get("parameters", {}).items() if name not in ("weights", *([IMAGES] if spec.imported else []))},
        "limit": spec.limit,
        "images a prompt": spec.images,
        "suite version": suite["version"],
        "scheduler": manifest["track"].get("scheduler", {}).get("class"),
        **manifest["settings"],
    }
