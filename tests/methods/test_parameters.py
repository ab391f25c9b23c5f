"""A wrong parameter of any method that is shipped is one line, said when the adapter is made: before a folder, a bar or a weight."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.errors import BenchError
from bench.registry import methods
from bench.runs.spec import RunSpec
from bench.tracks import load_track
from bench.types import Method
from bench.types.parameters import Flag, Number, OneOf, OneText, Takes, Texts, WholeNumber

NAMES = [name for name in methods.names() if methods.is_own(name)]
PAIRS = [(name, parameter) for name in NAMES for parameter in methods.get(name).info.defaults]

NUMBERS = [10**400, -(10**400), 10**5000, 1e300, -1e300, float("nan"), float("inf"), -float("inf"), True, "1", "", [1], {}, b"1", 1j]
TEXTS = [0, 1.5, True, {}, b"a", "", " ", "\n", "x" * 10**6, "a\x00b", "\ud800", ["a", 1], [None], [["a"]], {"a": "b"}]
WRONG: dict[type[Takes], list[object]] = {
    Number: NUMBERS,
    WholeNumber: [*NUMBERS, 1.0, 2.5],
    Flag: [0, 1, "true", "", [], 10**400],
    OneOf: ["", "nonsense", "x" * 10**6, 0, True, ["last"], {}, "\ud800"],
    OneText: [*TEXTS, [], ["a"]],
    Texts: [each for each in TEXTS if not (isinstance(each, str) and not each.strip())] + [["a"] * 10**4, 10**400],
}


def wrong(name: str, parameter: str) -> list[object]:
    """What the parameter cannot be."""
    rule = methods.get(name).takes[parameter]
    values = [*WRONG[type(rule)], *([] if rule.or_none else [None])]
    if isinstance(rule, Number):
        values += [rule.most * 1.01 + 1] + ([rule.above, rule.above - 1] if rule.above is not None else [rule.least - 1])
    if isinstance(rule, Texts):
        values += ([] if rule.empty else [[]]) + ([] if rule.blank else ["", " ", ["a", ""]])
    if isinstance(rule, OneText) and rule.word:
        values += ["two words"]
    return values


def test_every_parameter_has_a_rule_which_its_default_keeps() -> None:
    for name in NAMES:
        adapter = methods.get(name)
        assert set(adapter.takes) == set(adapter.info.defaults)
        adapter()
    for track in ("mini", "sd15", "sdxl"):
        for name, parameters in load_track(track).methods.items():
            methods.get(name)(**parameters)


@pytest.mark.parametrize(("name", "parameter"), PAIRS)
def test_a_wrong_parameter_is_one_line_that_names_it(name: str, parameter: str) -> None:
    for value in wrong(name, parameter):
        with pytest.raises(BenchError) as raised:
            RunSpec(name, "i2p", parameters={parameter: value}).make_method()
        said = str(raised.value)
        assert said.startswith(f"{name} needs {parameter} to be ") and "; got " in said, said
        assert said.isprintable() and len(said) < 400 and "broken" not in said


@pytest.mark.parametrize(("name", "parameter"), PAIRS)
def test_nothing_lies_where_runs_go(name: str, parameter: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=f"{name} needs {parameter} to be "):
        bench.run(name, "i2p", limit=2, parameters={parameter: wrong(name, parameter)[0]}, out=tmp_path / "runs", workers=1, scorers=[])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("given", ["1" * 400, "1" * 5000, "NaN", "-Infinity", "true", '""', "[" * 5000, "x" * 1000])
def test_the_command_says_one_line(given: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["run", "-m", "uce", "-s", "i2p", "--limit", "2", "--out", str(tmp_path / "runs"), "--set", f"erase_scale={given}"]
    )
    assert done.exit_code and isinstance(done.exception, BenchError)
    assert str(done.exception).startswith("uce needs erase_scale to be a number of at ") and not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"guide": ["a", "b"]}, "uce got 2 guides for 7 concepts"),
        ({"guide": "x", "weights": "somewhere"}, "guide='x' cannot act"),
    ],
)
def test_parameters_that_do_not_fit_each_other_leave_nothing(parameters: dict[str, object], says: str, tmp_path: Path) -> None:
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere" / "w.safetensors").write_bytes(b"")
    given = {name: str(tmp_path / str(value)) if name == "weights" else value for name, value in parameters.items()}
    with pytest.raises(BenchError, match=says):
        RunSpec("uce", "i2p", parameters=given).make_method().cannot_act(RunSpec("uce", "i2p").context, RunSpec("uce", "i2p").loaded_suite.samples[0])


def test_a_method_of_another_package_may_leave_its_rules_out() -> None:
    assert Method.takes == {}
