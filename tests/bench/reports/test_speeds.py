"""The table of speeds: a method's row is replaced, the others stay; another file is refused and left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import BenchError
from bench.reports.speeds import COLUMNS, keep, read_speeds


def row(method: str, ratio: float, track: str = "mini") -> dict[str, Any]:
    return {
        "track": track,
        "method": method,
        "seconds": 0.5,
        "ratio": ratio,
        "ratio_low": ratio - 0.1,
        "ratio_high": ratio + 0.1,
        "device": "cpu, 1 thread",
        "dtype": "float32",
        "batch": 16,
        "rounds": 5,
        "base": "sd-v1.5",
    }


def test_a_method_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "speed.csv"
    keep([row("a", 2.0), row("b", 1.0)], file)
    keep([row("a", 2.5), row("a", 9.0, "sd15")], file)
    found = read_speeds(file)
    assert found.set_index(["track", "method"])["ratio"].to_dict() == {("mini", "a"): 2.5, ("mini", "b"): 1.0, ("sd15", "a"): 9.0}
    assert tuple(found.columns) == COLUMNS


WRONG = {
    "another table": ("a,b\n1,2\n", "it has no column 'track'"),
    "nothing": ("", "No columns"),
    "no number": (",".join(COLUMNS) + "\nmini,a,1,fast,1,1,cpu,float32,1,2,b\n", "fast"),
    "no count": (",".join(COLUMNS) + "\nmini,a,1,1,1,1,cpu,float32,,2,b\n", "NA"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_another_file_is_refused_and_left_alone(tmp_path: Path, wrong: str) -> None:
    content, said = WRONG[wrong]
    file = tmp_path / "speed.csv"
    file.write_text(content)
    with pytest.raises(BenchError, match=rf"speed.csv is no table of speeds: .*{said}"):
        keep([row("a", 1.0)], file)
    done = CliRunner().invoke(app, ["speed", "black", "--rounds", "2", "--out", str(file)])
    assert isinstance(done.exception, BenchError)
    assert file.read_text() == content


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is no table of speeds"):
        keep([row("a", 1.0)], tmp_path)
