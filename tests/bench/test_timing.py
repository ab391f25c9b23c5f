"""What `bench speed` measures: ratios of the same rounds, kept in a file that a board shows, and mistakes in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.errors import BenchError
from bench.timing import COLUMNS, keep, measure, ratio, read_speed
from bench.tracks import load_track
from bench.types import Context


def test_the_ratio_is_the_mean_over_rounds_with_students_interval() -> None:
    own, of_base = np.array([2.0, 2.2, 2.4, 1.9]), np.array([1.0, 1.0, 1.1, 1.0])
    found = ratio(own, of_base)
    low, high = stats.t.interval(0.95, 3, loc=(own / of_base).mean(), scale=stats.sem(own / of_base))
    assert found["ratio"] == pytest.approx((own / of_base).mean())
    assert (found["ratio_low"], found["ratio_high"]) == pytest.approx((low, high))


def test_a_floor_costs_less_than_the_base_and_the_base_about_the_same() -> None:
    rows = measure(["black", "sd-v1.5"], Context(load_track("mini")), rounds=2, batch=1)
    assert [row["method"] for row in rows] == ["black", "sd-v1.5"]
    assert set(COLUMNS) <= set(rows[0])
    assert rows[0]["ratio"] < 0.1 < rows[1]["ratio"]
    assert rows[0]["base"] == "sd-v1.5"


def test_a_method_is_replaced_in_the_file_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "speed.csv"
    row = {
        "track": "mini",
        "device": "cpu",
        "dtype": "float32",
        "batch": 1,
        "rounds": 2,
        "base": "b",
        "seconds": 1.0,
        "ratio_low": 1,
        "ratio_high": 3,
    }
    keep([{**row, "method": "a", "ratio": 2.0}, {**row, "method": "b", "ratio": 1.0}], file)
    keep([{**row, "method": "a", "ratio": 2.5}, {**row, "method": "a", "track": "sd15", "ratio": 9.0}], file)
    found = read_speed(file).set_index(["track", "method"])["ratio"].to_dict()
    assert found == {("mini", "a"): 2.5, ("mini", "b"): 1.0, ("sd15", "a"): 9.0}


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    context = Context(load_track("mini"))
    with pytest.raises(BenchError, match="at least 2 rounds"):
        measure(["black"], context, rounds=1)
    with pytest.raises(BenchError, match="Unknown method"):
        measure(["nobody"], context)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BenchError, match="no column 'track'"):
        keep([{"track": "mini", "method": "a"}], tmp_path / "other.csv")
