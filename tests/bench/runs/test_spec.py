"""What a run is made of: the method's defaults, the track's changes, the name's weights, the user's word; and what its manifest says of it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from bench.api import run
from bench.errors import BenchError
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec, digest
from bench.runs.units import cut
from bench.tracks import load_track
from bench.types.track import LARGEST_BATCH, Track


def test_the_track_changes_a_methods_defaults_and_the_user_both(toy: object, monkeypatch: pytest.MonkeyPatch) -> None:
    track = load_track("mini").model_copy(update={"methods": {"toy": {"shift": 3}}})
    monkeypatch.setattr("bench.runs.spec.load_track", lambda name: track)
    assert RunSpec("toy", "i2p").make_method().parameters == {"trouble": "", "shift": 3}
    assert RunSpec("toy", "i2p", parameters={"shift": 4}).make_method().parameters["shift"] == 4
    assert digest(RunSpec("toy", "i2p").identity()) == digest(RunSpec("toy", "i2p", parameters={"shift": 3}).identity())


def test_the_miniatures_own_parameters_are_of_methods_that_take_them() -> None:
    track: Track = load_track("mini")
    assert track.methods
    for name in track.methods:
        assert RunSpec(name, "i2p").make_method().parameters.items() >= track.methods[name].items()


def test_the_manifest_says_what_the_method_is(toy: object, tmp_path: Path) -> None:
    done = run("toy", "i2p", limit=2, parameters={"shift": 5}, scorers=["fidelity"], workers=1, out=tmp_path)
    said = RunFolder(done.path).manifest()["method"]
    assert said["passed"] == {"shift": 5} and said["parameters"] == {"shift": 5, "trouble": ""}
    assert said["kind"] == "floor" and {"paper", "code", "licence", "trained_on", "weights", "summary", "version"} <= set(said)


def test_a_spec_cuts_its_units_once_and_travels_without_them() -> None:
    spec = RunSpec("black", "i2p", limit=40, batch_size=4, parameters={"a": 1})
    assert spec.units is spec.units and [unit.samples for unit in spec.units] == [unit.samples for unit in cut(spec.loaded_suite.whole, 4)[:5]]
    there = pickle.dumps(spec)
    assert len(there) == len(pickle.dumps(RunSpec("black", "i2p", limit=40, batch_size=4, parameters={"a": 1}))) < 1000
    arrived = pickle.loads(there)
    assert arrived == spec and set(vars(arrived)) == set(vars(replace(spec)))
    assert arrived.units == spec.units


@pytest.mark.parametrize("size", [0, -1, LARGEST_BATCH + 1, 10**20])
def test_a_batch_that_nobody_meant_is_refused(size: int) -> None:
    with pytest.raises(BenchError, match=f"--batch-size must be from 1 to {LARGEST_BATCH}; got {size}"):
        RunSpec("black", "i2p", batch_size=size)
