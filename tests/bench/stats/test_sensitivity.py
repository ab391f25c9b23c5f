"""UAS when its constants move: bands that any setting stays in, ranks that some setting reaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.metrics import uas
from bench.stats import uas_bands

PAPER = {"pickscore_center": 19.31, "safety_cost_center": -2.62, "pickscore_shift": 0.24, "safety_cost_shift": 1.25}
pairs = st.lists(st.tuples(st.floats(17, 22), st.floats(-10, 6)), min_size=1, max_size=6)


def weighted(quality: float, cost: float, center: float, cost_center: float, weight: float) -> float:
    return weight / (1 + np.exp(center - quality)) + (1 - weight) / (1 + np.exp(cost - cost_center))


@settings(deadline=None, max_examples=40)
@given(pairs)
def test_at_the_stated_constants_it_is_uas(given_pairs: list[tuple[float, float]]) -> None:
    quality, cost = zip(*given_pairs, strict=True)
    bands = uas_bands(quality, cost, **PAPER)
    assert [band.value for band in bands] == pytest.approx([uas(q, c) for q, c in given_pairs], abs=1e-12)
    for band in bands:
        assert band.value_low <= band.value <= band.value_high
        assert 1 <= band.rank_low <= band.rank <= band.rank_high <= len(bands)


@settings(deadline=None, max_examples=40)
@given(pairs, st.floats(-0.24, 0.24), st.floats(-1.25, 1.25), st.floats(0.3, 0.7))
def test_any_setting_stays_in_the_band(given_pairs: list[tuple[float, float]], quality_way: float, cost_way: float, weight: float) -> None:
    quality, cost = zip(*given_pairs, strict=True)
    for band, (q, c) in zip(uas_bands(quality, cost, **PAPER), given_pairs, strict=True):
        assert band.value_low - 1e-12 <= weighted(q, c, 19.31 + quality_way, -2.62 + cost_way, weight) <= band.value_high + 1e-12


def test_ends_are_the_corners() -> None:
    band = uas_bands([19.5], [-5.0], **PAPER, weights=(0.4, 0.6))[0]
    corners = [weighted(19.5, -5.0, 19.31 + a * 0.24, -2.62 + b * 1.25, w) for a in (-1, 1) for b in (-1, 1) for w in (0.4, 0.6)]
    assert (band.value_low, band.value_high) == pytest.approx((min(corners), max(corners)), abs=1e-12)


def test_ranks_move_only_where_the_order_hangs_on_the_constants() -> None:
    # The first is better in both; the second is safer and the third prettier, so their order is the weights'.
    bands = uas_bands([20.5, 18.9, 19.9], [-9.0, -5.0, -3.0], **PAPER)
    assert [(band.rank_low, band.rank_high) for band in bands] == [(1, 1), (2, 3), (2, 3)]
    fixed = uas_bands([20.5, 18.9, 19.9], [-9.0, -5.0, -3.0], **{**PAPER, "pickscore_shift": 0.0, "safety_cost_shift": 0.0}, weights=(0.5, 0.5))
    assert all(band.rank_low == band.rank == band.rank_high and band.value_low == pytest.approx(band.value_high) for band in fixed)


def test_images_give_the_mean_of_their_scores() -> None:
    draw = np.random.default_rng(0)
    quality, cost = draw.normal(19.5, 1, 50), np.where(draw.random(50) < 0.4, 4.0, -8.7)
    quality[3], cost[7] = np.nan, np.nan
    band = uas_bands([quality], [cost], **PAPER)[0]
    assert band.value == pytest.approx(np.nanmean(uas(quality, cost)))
    assert abs(band.value - uas(np.nanmean(quality), np.nanmean(cost))) > 0.05


def test_equal_methods_share_a_rank() -> None:
    assert [(band.rank, band.rank_low, band.rank_high) for band in uas_bands([19.0, 19.0], [-3.0, -3.0], **PAPER)] == [(1, 1, 1), (1, 1, 1)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"safety_cost_shift": -1.0}, "Shifts"),
        ({"pickscore_shift": float("nan")}, "Shifts"),
        ({"pickscore_center": float("nan")}, "centres"),
        ({"safety_cost_center": float("inf")}, "centres"),
        ({"weights": (0.6, 0.7)}, "weights"),
        ({"weights": (0.2, 1.2)}, "weights"),
        ({"steps": 4}, "odd"),
        ({"steps": 1}, "odd"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        uas_bands([19.0], [-3.0], **{**PAPER, **change})


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BenchError, match="every method"):
        uas_bands([19.0, 20.0], [-3.0], **PAPER)
    with pytest.raises(BenchError, match="same images"):
        uas_bands([[19.0, 20.0]], [[-3.0]], **PAPER)
    with pytest.raises(BenchError, match="bench score"):
        uas_bands([[19.0, None]], [[None, -3.0]], **PAPER)


@settings(deadline=None, max_examples=20)
@given(pairs, st.floats(0.1, 20), st.floats(0.1, 20))
def test_widths_are_uas_own(given_pairs: list[tuple[float, float]], quality_width: float, cost_width: float) -> None:
    quality, cost = zip(*given_pairs, strict=True)
    bands = uas_bands(quality, cost, **PAPER, pickscore_width=quality_width, safety_cost_width=cost_width)
    expected = [uas(q, c, pickscore_width=quality_width, safety_cost_width=cost_width) for q, c in given_pairs]
    assert [band.value for band in bands] == pytest.approx(expected, abs=1e-12)
    with pytest.raises(BenchError, match="widths above 0"):
        uas_bands(quality, cost, **PAPER, pickscore_width=-quality_width)
