"""What `bench speed` measures: ratios of the same rounds; mistakes are one line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from bench.checking.timing import measure, ratio
from bench.errors import BenchError
from bench.registry import methods
from bench.reports.speeds import COLUMNS
from bench.tracks import load_track
from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample


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


class Fails(Method):
    """A method that raises."""

    info = MethodInfo("fails", Kind.EDIT, "Raises.")

    def load(self, context: Context) -> None:
        """Have nothing to load."""

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Raise."""
        raise KeyError("no such layer")


def test_mistakes_are_one_line() -> None:
    context = Context(load_track("mini"))
    with pytest.raises(BenchError, match="at least 2 rounds"):
        measure(["black"], context, rounds=1)
    with pytest.raises(BenchError, match="Unknown method"):
        measure(["nobody"], context)
    methods.register("fails", Fails)
    try:
        with pytest.raises(BenchError, match=r"The method 'fails' does not generate: KeyError\('no such layer'\)\. See `bench check-method fails`"):
            measure(["fails"], context, rounds=2, batch=1)
    finally:
        methods.unregister("fails")
