"""A sweep: its plan, what it shares with plain runs, what becomes of a point that fails, and the values of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import bench
from bench.errors import BenchError
from bench.runs.folder import RunFolder
from bench.runs.folders import run_folders
from bench.runs.sweeps import read_values
from tests.conftest import Toy

SET: dict[str, Any] = {"limit": 4, "scorers": ["fidelity"], "workers": 1}


def test_points_are_plain_runs_shared_by_all_and_a_failed_one_is_a_row(toy: type[Toy], tmp_path: Path) -> None:
    plain = bench.run("toy", "i2p", parameters={"shift": 7}, out=tmp_path, **SET)
    before = RunFolder.open(plain.path).manifest()
    said: list[str] = []
    ask: dict[str, Any] = {"out": tmp_path, "announce": said.append, **SET}
    done = bench.sweep("toy", ["i2p", "drawbench"], {"shift": [7, 9], "trouble": ["", "count"]}, **ask)
    assert said == ["sweep: 8 points, 8 runs, 32 samples; 1 of the runs finished already."]
    assert [(each.planned.spec.suite, *each.planned.values.values()) for each in done.points[:4]] == [
        ("i2p", 7, ""),
        ("i2p", 7, "count"),
        ("i2p", 9, ""),
        ("i2p", 9, "count"),
    ]
    assert done.points[0].run is not None and done.points[0].run.path == plain.path and RunFolder.open(plain.path).manifest() == before
    assert not done.complete and len(done.failures()) == 4 and all("trouble=count on " in each for each in done.failures())
    rows = done.rows()
    assert {(row["suite"], row["shift"], row["trouble"]) for row in rows} == {
        (s, a, b) for s in ("i2p", "drawbench") for a in (7, 9) for b in ("", "count")
    }
    own = [row for row in rows if row["run"] == str(plain.path)]
    assert [row["value"] for row in own] == [row["value"] for row in plain.rows()] and {row["label"] for row in own} == {"toy shift=7"}
    failed = [row for row in rows if row["trouble"] == "count"]
    assert all("toy" in row["reason"] and not row["complete"] for row in failed) and "reason" in done.table().keys
    # Killed and started again, or asked for by another sweep: what is finished is not made again.
    again = bench.sweep("toy", "drawbench", {"shift": [9]}, **ask)
    assert said[-1] == "sweep: 1 points, 1 runs, 4 samples; 1 of the runs finished already." and again.complete
    last = done.points[6].run
    assert last is not None and again.runs[0].path == last.path and "toy by shift on drawbench" in again._repr_html_()


def test_where_the_method_cannot_act_the_point_is_the_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.engine import sweep as sweeping

    asked: list[tuple[str, dict[str, Any]]] = []

    def no_run(method: str, suite: str, track: str, **given: Any) -> None:
        asked.append((method, dict(given["parameters"])))
        raise BenchError(f"not made here: {len(asked)}")

    monkeypatch.setattr(sweeping, "run", no_run)  # two real runs of the miniature take half a minute
    done = bench.sweep("sld-medium", "i2p", {"scale": [0, 500]}, limit=2, out=tmp_path, announce=lambda text: None)
    assert asked == [("sd-v1.5", {}), ("sld-medium", {"scale": 500})]
    assert done.notes() == ["At scale=0 the images are those of sd-v1.5, since sld-medium would change none."]
    assert [(row["method"], row["scale"], row["metric"], row["reason"]) for row in done.rows()] == [
        ("sd-v1.5", 0, None, "not made here: 1"),
        ("sld-medium", 500, None, "not made here: 2"),
    ]


@pytest.mark.parametrize(
    ("suites", "values", "says"),
    [
        (["i2p"], {}, "takes at least one parameter and its values"),
        ([], {"shift": [1]}, "takes at least one suite"),
        (["i2p", "i2p"], {"shift": [1]}, "The suite 'i2p' is named twice"),
        (["i2p"], {"shift": []}, "The parameter 'shift' has no values"),
        (["i2p"], {"shift": "12"}, "The values of 'shift' are a list"),
        (["i2p"], {"shift": [1, 1.0]}, "The value shift=1 stands twice"),
        (["i2p"], {"shfit": [1]}, "toy has no parameter 'shfit'; it takes: shift, trouble"),
        (["i2q"], {"shift": [1]}, "Unknown suite 'i2q'. Did you mean 'i2p'"),
    ],
)
def test_what_cannot_be_swept_is_one_line_before_anything_is_made(
    suites: list[str], values: dict[str, Any], says: str, toy: type[Toy], tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=says) as told:
        bench.sweep("toy", suites, values, out=tmp_path, **SET)
    assert "\n" not in str(told.value) and not run_folders(tmp_path)


def test_what_no_point_can_be_made_with_is_one_error(toy: type[Toy], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Unknown scorer 'fidelty'"):
        bench.sweep("toy", "i2p", {"shift": [1, 2]}, out=tmp_path, limit=2, scorers=["fidelty"], workers=1)
    assert not run_folders(tmp_path)


def test_a_sweeps_label_stands_for_the_method(toy: type[Toy], tmp_path: Path) -> None:
    done = bench.sweep("toy", "i2p", {"shift": [0, 2]}, label="noise", out=tmp_path, announce=lambda text: None, **SET)
    assert [run.label for run in done.runs] == ["noise shift=0", "noise shift=2"]


DEFAULTS = {"scale": 1000.0, "steps": 3, "on": False, "variant": "diffusers", "concept": None}


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("scale", "0,500, 1e3", [0, 500, 1000.0]),
        ("steps", "1,2", [1, 2]),
        ("on", "true,false", [True, False]),
        ("variant", "original,7", ["original", "7"]),
        ("concept", '"a cup, a mug",a plate', ["a cup, a mug", "a plate"]),
        ("concept", '["a","b"],null', [["a", "b"], None]),
        ("concept", "5x,6", ["5x", 6]),
    ],
)
def test_values_are_typed_as_the_parameter(name: str, text: str, values: list[Any]) -> None:
    found = read_values(text, name, DEFAULTS)
    assert found == values and [type(each) for each in found] == [type(each) for each in values]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("scael", "1", "Unknown parameter 'scael'. Did you mean 'scale'"),
        ("scale", "", "has an empty value"),
        ("scale", "1,", "has an empty value"),
        ("scale", "1,abc", "takes a number, such as 1000.0; got 'abc'"),
        ("scale", "true", "takes a number"),
        ("on", "1", "takes true or false"),
    ],
)
def test_values_that_are_none_of_the_parameters_are_refused(name: str, text: str, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        read_values(text, name, DEFAULTS)


def test_a_file_of_prompts_beside_a_registered_suite_is_declared_for_itself(toy: type[Toy], tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("prompt\na red circle\na blue square\n")
    ask: dict[str, Any] = {"benign": True, "out": tmp_path / "runs", "announce": lambda text: None, "limit": 2, "scorers": ["clipscore_mini"]}
    done = bench.sweep("toy", ["drawbench", str(tmp_path / "mine.csv")], {"shift": [7]}, workers=1, **ask)
    assert done.complete and [RunFolder.open(each.path).manifest()["suite"]["unsafe"] for each in done.runs] == [False, False]
    with pytest.raises(BenchError, match="--benign is for a file of prompts"):
        bench.sweep("toy", "drawbench", {"shift": [7]}, **ask)
