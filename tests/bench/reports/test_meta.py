"""Which metric orders methods as the truth does: against SciPy, by hand, and on the board that ships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.errors import BenchError
from bench.metrics import uas
from bench.metrics.catalogue import composite, find_metric
from bench.metrics.columns import Column
from bench.metrics.composites import COMPOSITES, Constants
from bench.reports.meta.orderings import MINMAX, PRODUCT, orderings
from bench.reports.meta.reversals import reversals
from bench.reports.meta.table import EVEN, WEIGHTS, agreement, rows
from bench.reports.meta.world import SuiteMeans, suite_means
from bench.reports.summary.entries import Entry

CONSTANTS = Constants({"pickscore": 20.0, "safety_cost": 2.0}, {"pickscore": 4.0, "safety_cost": 2.0})
TRUTHS = [(0.99, 2.0), (0.95, 0.4), (0.8, 0.1), (0.5, 0.05), (0.2, 0.0), (0.9, 1.5)]
"""Fidelity and severity of the methods: base, four in between, and the floor before the last."""
KINDS = ["base", "edit", "edit", "guidance", "floor", "guidance"]


def entries(suite: str = "i2p", unsafe: bool = True, seed: int = 0, prompts: int = 60, without: Sequence[str] = ()) -> list[Entry]:
    """Methods whose scores follow their truths, more or less."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_arrays([[f"p{n:03}" for n in range(prompts)], [0] * prompts])
    found = []
    for number, (fidelity, severity) in enumerate(TRUTHS):
        values = {
            "fidelity": np.clip(rng.normal(fidelity, 0.1, prompts), 0, 1),
            "severity": np.clip(rng.normal(severity, 0.5, prompts), 0, 3) if severity else np.zeros(prompts),
            "ip": (rng.random(prompts) < severity / 3 + 0.02 * (number == 3)).astype(float),
            "pickscore": rng.normal(20 * fidelity, 3, prompts),
            "sc": rng.normal(4 * severity - 4, 2, prompts),
            "blocked": np.zeros(prompts),
        }
        columns = {name: Column(name, find_metric(name).unit, False, pd.Series(each, index)) for name, each in values.items() if name not in without}
        if not without:
            parts = [columns[part].values for part in ("pickscore", "sc")]
            for name, each in COMPOSITES.items():
                function = composite(name, CONSTANTS)
                assert function is not None
                of_means = Column(name, "", False, parts[0], further=(parts[1],), function=function)
                columns[name] = Column(name, "", False, function(*parts)) if each.metric.of_images else of_means
        found.append(Entry(f"m{number}", KINDS[number], suite, unsafe, "version 1", "d", columns, "", "here"))
    return found


def table_of(*suites: SuiteMeans) -> list[dict[str, Any]]:
    """The rows of every ordering on some suites."""
    return rows([agreement(each, suite) for suite in suites for each in orderings(suite.columns, CONSTANTS)])


def test_tau_and_dominance_are_of_the_methods_means() -> None:
    given = entries()
    suite = suite_means(given, 0)
    means = {each.method: {name: column.values.mean() for name, column in each.columns.items()} for each in given}
    truth = [0.5 * each["fidelity"] + 0.5 * (1 - each["severity"] / 3) for each in means.values()]
    found = {ordering.name: agreement(ordering, suite) for ordering in orderings(suite.columns, CONSTANTS)}
    assert set(found) == {"ip", "pickscore", "sc", "uas", "uas_per_image", MINMAX, PRODUCT}, "no truth, and nothing that is no merit"
    scores = {
        "ip": [-each["ip"] for each in means.values()],
        "pickscore": [each["pickscore"] for each in means.values()],
        "uas": [uas(each["pickscore"], each["sc"], 20.0, 2.0, 4.0, 2.0) for each in means.values()],
        "uas_per_image": [each["uas_per_image"] for each in means.values()],
    }
    for name, score in scores.items():
        assert found[name].tau[WEIGHTS.index(EVEN)] == pytest.approx(stats.kendalltau(score, truth).statistic)
        assert found[name].first == tuple(method for method, value in zip(means, score, strict=True) if value == max(score))
    pairs = [(a, b) for a in means for b in means if a != b]
    undisputed = [(a, b) for a, b in pairs if means[a]["fidelity"] >= means[b]["fidelity"] and means[a]["severity"] <= means[b]["severity"]]
    of_means = dict(zip(means, scores["uas"], strict=True))
    assert undisputed and found["uas"].dominance == pytest.approx(np.mean([of_means[a] > of_means[b] for a, b in undisputed]))


def test_the_weights_of_the_truth_are_shown_beside_it() -> None:
    suite = suite_means(entries(), 0)
    table = {row["metric"]: row for row in table_of(suite) if row["suite"] == "i2p"}
    truths = suite.truths(suite.means)
    for key, weight in (("tau_at_0", 0.0), ("tau_at_0.25", 0.25), ("tau", 0.5), ("tau_at_0.75", 0.75), ("tau_at_1", 1.0)):
        quality = suite.of(suite.means, ["pickscore"])[:, 0]
        assert table["pickscore"][key] == pytest.approx(stats.kendalltau(quality, truths @ [weight, 1 - weight]).statistic)
    assert table["pickscore"]["tau_at_0.25"] < table["pickscore"]["tau_at_0.75"], "a scorer of quality orders a truth of quality better"


def test_intervals_are_a_seeded_bootstrap_of_prompts() -> None:
    def lines(prompts: int) -> dict[str, dict[str, float]]:
        suite = suite_means(entries(prompts=prompts), 0)
        return {row["metric"]: row for row in table_of(suite)}

    few, many = lines(20), lines(400)
    assert few == lines(20), "the same table twice"
    for row in (*few.values(), *many.values()):
        assert row["tau_low"] <= row["tau"] <= row["tau_high"]
    assert all(row["dominance_low"] <= row["dominance"] <= row["dominance_high"] for row in many.values())
    assert many["uas"]["tau_high"] - many["uas"]["tau_low"] < few["uas"]["tau_high"] - few["uas"]["tau_low"]


def test_suites_are_averaged_by_what_they_ask_for() -> None:
    three = [suite_means(entries(*of), place) for place, of in enumerate([("i2p", True, 0), ("mma", True, 1), ("drawbench", False, 2)])]
    table = table_of(*three)
    of = {row["suite"]: row for row in table if row["metric"] == "uas"}
    assert list(of) == ["i2p", "mma", "drawbench", "unsafe suites", "benign suites"]
    assert of["unsafe suites"]["tau"] == pytest.approx((of["i2p"]["tau"] + of["mma"]["tau"]) / 2)
    assert (of["unsafe suites"]["suites"], of["unsafe suites"]["n"], of["benign suites"]["tau"]) == (2, 120, of["drawbench"]["tau"])
    harm = {row["suite"]: row for row in table if row["metric"] == "ip"}
    assert (harm["unsafe suites"]["first"], harm["unsafe suites"]["reference_first"]) == ("m4", 2), "what draws nothing has the least harm"


def test_a_rank_reversal_is_found_where_there_is_one_and_nowhere_else() -> None:
    """Two rows trade quality for cost; a third one that is far worse in cost stretches that scale, and turns them around."""
    means = np.array([[21.0, 1.0], [20.0, -1.0], [20.5, 9.0], [18.0, 0.0]])
    every = {ordering.name: ordering for ordering in orderings(["pickscore", "sc"], CONSTANTS)}
    found = reversals(every[MINMAX], means, ["a", "b", "outlier", "d"])
    assert (found[0].above, found[0].below, found[0].third) == ("a", "b", "outlier") and found[0].gap > 0.05
    whole, without = every[MINMAX].order(means), every[MINMAX].order(means[[0, 1, 3]])
    assert (whole[0] - whole[1], without[1] - without[0]) == pytest.approx((found[0].gap, found[0].gap_without))
    assert not any(reversals(ordering, means[:, : len(ordering.parts)], "abcd") for name, ordering in every.items() if name != MINMAX)


def test_one_value_for_all_is_no_order_and_no_number() -> None:
    given = entries()
    for each in given:
        each.columns["ip"].values[:] = 0.0
    suite = suite_means(given, 0)
    row, average = (row for row in table_of(suite) if row["metric"] == "ip")
    assert row["tau"] is row["tau_low"] is average["tau"] is None and row["dominance"] == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (entries()[:2], "An order takes three methods or more; i2p has m0, m1"),
        (entries(without=["severity"]), "these runs have fidelity of it"),
    ],
)
def test_what_cannot_be_ordered_is_one_line(given: list[Entry], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        suite_means(given, 0)
