"""The metric catalogue: what every number means stands there alone, scorers fill it, plugins' too, and whoever shows a number asks it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError
from bench.metrics.catalogue import (
    _MADE,
    BALANCE,
    HARM,
    arrow,
    beside_harm,
    better,
    bounds,
    by_published,
    composite,
    constants_in_words,
    constants_sentence,
    explain,
    find_metric,
    headlines,
    label,
    means,
    telling,
)
from bench.metrics.composites import Constants
from bench.metrics.formulas import uas
from bench.registry import scorers
from bench.tracks import load_track
from bench.types import Scorer, ScorerInfo
from bench.types.metric import SHARE, Role
from leaderboards.published import printed

ROOT = Path(__file__).parents[3]
NAMES = {*_MADE, *(name for name, scorer in scorers.items() if scorer.info.higher_is != "neither")}


class Glow(Scorer):
    """A plugin's scorer."""

    info = ScorerInfo("glow", "How much an image glows.", {"glow": "lumens"}, "better", range=(0, 9))

    def load(self, context: Any) -> None:
        """Nothing to read."""

    def score(self, images: Any, samples: Any) -> list[dict[str, float]]:
        """The mean of the pixels."""
        return [{"glow": float(np.mean(image))} for image in images]


@pytest.fixture
def glow() -> Iterator[None]:
    scorers.register("glow", Glow)
    yield
    scorers.unregister("glow")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_metric_says_what_it_is(name: str) -> None:
    found = find_metric(name)
    assert found.name == name and found.label and found.explanation.endswith(".") and found.unit and len(found.unit) < 25
    assert found.better is not None or name in ("blocked", f"{HARM}_max25_sd")
    assert found.role is not None or found.better is None


@pytest.mark.parametrize("folder", ["app", "board", "cli"])
def test_no_metric_is_named_in_the_pages_or_the_boards_code(folder: str) -> None:
    shown = NAMES - {"blocked"}  # also a sample's status
    for path in sorted((ROOT / "leaderboards" / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        assert not texts & shown, path
        assert not [text for text in texts if text.startswith("part ")], path


def test_a_plugins_scorer_has_direction_role_and_arrow(glow: None) -> None:
    found = find_metric("glow")
    assert (found.better, found.role, found.unit, found.range, found.label) == ("higher", Role.QUALITY, "lumens", (0, 9), "glow")
    assert arrow("glow") == "glow ↑" and explain("glow") == "How much an image glows. Higher is better."
    assert [each.name for each in means(["glow", "sc", "pickscore", "prompt"])] == ["pickscore", "sc", "glow"]


def test_a_direction_that_is_none_is_refused() -> None:
    class Broken(Glow):
        info = ScorerInfo("broken", "Says nothing.", {"broken": "x"}, "up")

    scorers.register("broken", Broken)
    try:
        with pytest.raises(BenchError, match="higher_is is 'up'; expected one of: better, worse, neither"):
            scorers.get("broken")
    finally:
        scorers.unregister("broken")


def test_what_nobody_knows_is_a_metric_without_a_direction() -> None:
    found = find_metric("somebody's own")
    assert (found.label, found.better, found.role) == ("somebody's own", None, None)
    assert telling(["somebody's own"], Role.SAFETY) == [] and headlines(["somebody's own"]) == []


def test_parts_are_shares_of_harm() -> None:
    assert (better("part BR"), label("part BR"), find_metric("part BR").role) == ("lower", "Part BR", Role.SAFETY)
    assert "breasts" in explain("part BR") and explain("part BR").endswith("Lower is better.")


def test_uas_is_made_of_what_the_catalogue_says() -> None:
    assert find_metric(BALANCE).made_of == find_metric(f"{BALANCE}_per_image").made_of == ("pickscore", "sc")
    score = composite(BALANCE, Constants({"pickscore": 20.0, "safety_cost": -1.0}))
    assert score is not None and score(21.0, 0.5) == uas(21.0, 0.5, 20.0, -1.0)
    assert composite(BALANCE, Constants({"pickscore": 20.0})) is None


@pytest.mark.parametrize("name", [BALANCE, f"{BALANCE}_per_image"])
def test_a_width_stands_beside_its_centre_and_is_one_where_not_given(name: str) -> None:
    score = composite(name, Constants({"pickscore": 20.0, "safety_cost": -1.0}, {"pickscore": 5.0}))
    assert score is not None and score(21.0, 0.5) == uas(21.0, 0.5, 20.0, -1.0, 5.0, 1.0)
    both = Constants({"pickscore": 20.0, "safety_cost": -1.0}, {"pickscore": 5.0, "safety_cost": 2.5})
    assert constants_in_words(both) == ("PickScore 20.00, SC -1.00", "PickScore 5.00, SC 2.50")
    assert constants_sentence(both).endswith("PickScore 20.00, SC -1.00; widths: PickScore 5.00, SC 2.50 (docs/uas.md).")
    ones = Constants(both.centers, {"pickscore": 1.0, "safety_cost": 1.0})
    assert constants_in_words(ones)[1] == "" and "width" not in constants_sentence(ones) and constants_in_words(Constants({})) == ("", "")


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
def test_real_tracks_have_the_papers_widths(name: str) -> None:
    assert load_track(name).widths == {}


def test_the_order_is_harm_the_truth_the_headlines_the_rest() -> None:
    there = [HARM, "glyphs", "q16", "fidelity", "severity", "sc", "pickscore", "clipscore_mini", "uas", "uas_per_image", "blocked"]
    assert telling(there, Role.SAFETY, Role.TRUTH, way="lower") == [HARM, "severity", "sc", "glyphs", "q16"]
    assert telling(there, Role.QUALITY, Role.TRUTH, way="higher") == ["fidelity", "pickscore", "clipscore_mini"]
    assert headlines(there) == [HARM, "sc", "pickscore", "uas"]
    assert headlines(there, truth="higher") == [HARM, "sc", "pickscore", "fidelity", "uas"]


def test_bounds_are_of_the_records_columns() -> None:
    found = bounds()
    assert found["q16_inappropriate"] == (0, 1) and found["fidelity_asked"] == (0, 100) and found["severity"] == (0, 3)
    assert "sc" not in found and "imagereward" not in found


def test_published_names_are_one_way_and_back() -> None:
    for cell in printed():
        found = by_published(cell.metric)
        assert found.print_name == cell.metric
        assert found.better is not None or cell.unit in ("label", "pairs", "categories", "concepts", "images"), cell.metric
    assert [by_published(name).print_name for name in ("sc", "ps", "aes")] == ["safety_cost", "pickscore", "aesthetic"]


def test_a_share_is_a_share() -> None:
    assert {name for name in NAMES if find_metric(name).share} == {HARM, "q16", "glyphs", "nudenet", "nudenet_308", "safety-checker", "blocked"}
    assert find_metric(HARM).unit == SHARE


def test_harm_by_another_rule_is_harm_under_its_own_name() -> None:
    beside = find_metric(beside_harm("libra6-q16"))
    assert (beside.name, beside.label, beside.better, beside.share) == ("ip by libra6-q16", "IP by libra6-q16", "lower", True)
    assert beside.headline is False and "libra6-q16" in beside.explanation
