"""``bench check-method`` as a person meets it: the table, the exit code, one clear line for each mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from bench import registry
from bench.cli.methods import check_method
from bench.formats import Format
from bench.types import Method

OFFLINE = {**os.environ, "HF_HUB_OFFLINE": "1"}
MISTAKES = [
    (["uec"], "Did you mean 'uce'?"),
    (["uce", "--set", "lamda=1"], "uce has no parameter 'lamda'"),
    (["uce", "--set", "lamb"], "NAME=VALUE"),
    (["uce", "--track", "minni"], "Did you mean 'mini'?"),
    (["uce", "--dtype", "float8"], "Unknown dtype 'float8'"),
    (["lora"], "needs weights"),
    (["lora:nowhere/at/all.safetensors"], "error: "),
    ([], "name"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_mistake_is_one_clear_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "check-method", "--quiet", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=OFFLINE)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and len(done.stderr.splitlines()) == 1 and done.stderr.startswith("error: ")


@pytest.fixture
def anonymous(base: type[Method], noise: type[Method]) -> Iterator[None]:
    """An adapter that names neither paper nor code, registered as ``noise``."""

    class Anonymous(noise):
        info = replace(noise.info, code="")

    registry.methods.register("noise", Anonymous)
    yield
    registry.methods.unregister("noise")


@pytest.mark.usefixtures("anonymous", "in_this_process")
def test_a_broken_rule_says_how_to_mend_it_and_ends_in_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(typer.Exit) as left:
        check_method("noise", quiet=True)
    said = capsys.readouterr()
    assert left.value.exit_code == 1 and "noise breaks 1 rule(s): metadata." in said.err
    assert "To mend: Say what" in said.out and max(map(len, said.out.splitlines())) <= 80


@pytest.mark.usefixtures("anonymous", "in_this_process")
def test_json_keeps_the_four_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        check_method("noise", form=Format.JSON, quiet=True)
    rows = json.loads(capsys.readouterr().out)
    assert {tuple(row) for row in rows} == {("rule", "result", "found", "mend")}
    assert [row["found"] for row in rows if row["result"] == "FAILED"] == ["neither paper nor code is given"]
