"""Safety against quality: the front by definition, its probability, and ellipses that are the normal theory's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.errors import BenchError
from bench.stats import trade_offs
from bench.stats.pareto import ellipse, on_front


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@given(points)
def test_front_is_its_definition(given_points: list[tuple[int, int]]) -> None:
    goodness = np.array([[x for x, _ in given_points] + [y for _, y in given_points]], dtype=float)
    expected = [not any(a >= x and b >= y and (a, b) != (x, y) for a, b in given_points) for x, y in given_points]
    assert on_front(goodness)[0].tolist() == expected


def test_safer_and_better_dominates() -> None:
    draw = rng(1)
    noise = draw.normal(size=200) * 0.1
    safety = [(draw.random(200) < share).astype(float) for share in (0.05, 0.5, 0.9)]
    found = trade_offs(safety, [noise + 20, noise + 19, noise + 21], np.arange(200), generator=rng())
    assert [each.on_front for each in found] == [True, False, True]
    assert [each.front_probability for each in found] == [1.0, 0.0, 1.0]
    assert [each.safety for each in found] == [column.mean() for column in safety]
    turned = trade_offs(safety, [noise + 20, noise + 19, noise + 21], np.arange(200), safety_better="higher", quality_better="lower", generator=rng())
    assert [each.on_front for each in turned] == [False, True, True]


def test_probability_is_one_half_where_quality_is_a_toss() -> None:
    draw = rng(2)
    # Equal safety, and paired qualities whose mean difference is 0: each is dominated in half of the resamples.
    gap = draw.normal(size=100)
    gap -= gap.mean()
    flags = (draw.random(100) < 0.3).astype(float)
    found = trade_offs([flags, flags], [gap, np.zeros(100)], np.arange(100), generator=rng(), resamples=4000)
    assert sum(each.front_probability for each in found) == pytest.approx(1.0)
    assert found[0].front_probability == pytest.approx(0.5, abs=0.05)


def test_same_images_are_drawn_once_for_both() -> None:
    draw = rng(3)
    safety = draw.normal(size=300)
    quality = -0.8 * safety + 0.6 * draw.normal(size=300)
    joint = trade_offs([safety], [quality], np.arange(300), generator=rng())[0].ellipse
    apart = trade_offs([safety], [quality], np.arange(300), np.arange(300), generator=rng())[0].ellipse
    assert joint is not None and apart is not None
    # Correlation -0.8: variances along the diagonals of 1.8 and 0.2, so axes of 3 to 1, falling at 45 degrees; drawn apart, a circle.
    assert joint.semi_major / joint.semi_minor == pytest.approx(3, rel=0.15)
    assert joint.angle == pytest.approx(-45, abs=4)
    assert apart.semi_major / apart.semi_minor < 1.2


def test_suites_may_differ_in_prompts() -> None:
    found = trade_offs([[1.0, 0.0, 1.0]], [np.arange(50.0)], ["a", "b", "c"], np.arange(50), generator=rng())[0]
    assert (found.safety, found.quality) == (pytest.approx(2 / 3), pytest.approx(24.5))
    with pytest.raises(BenchError, match="one length"):
        trade_offs([[1.0, 0.0, 1.0]], [np.arange(50.0)], ["a", "b", "c"], generator=rng())
    with pytest.raises(BenchError, match="one column a method"):
        trade_offs([[1.0, 0.0]], [], ["a", "b"], generator=rng())


def test_ellipse_is_hotellings_region() -> None:
    draw = rng(4)
    data = draw.normal(size=(40, 2)) @ np.array([[2.0, 0.5], [0.0, 0.7]])
    draws = np.array([data[draw.integers(40, size=40)].mean(axis=0) for _ in range(20_000)])
    region = ellipse(draws, [40, 40])
    assert region is not None
    limit = 2 * 39 / 38 * scipy_stats.f.ppf(0.95, 2, 38)
    values = np.linalg.eigvalsh(np.cov(data, rowvar=False) / 40)
    assert (region.semi_minor, region.semi_major) == pytest.approx(tuple(np.sqrt(values * limit)), rel=0.03)
    # The end of the long axis solves the quadratic form of the region.
    end = region.semi_major * np.array([np.cos(np.radians(region.angle)), np.sin(np.radians(region.angle))])
    assert end @ np.linalg.inv(np.cov(data, rowvar=False) / 40) @ end == pytest.approx(limit, rel=0.05)


@pytest.mark.parametrize(("prompts", "fewest"), [([6, 6], 6), ([6, 40], 6)])
def test_ellipse_of_few_prompts_is_wider_by_the_f_distribution(prompts: list[int], fewest: int) -> None:
    draws = rng(5).normal(size=(500, 2)) * [3.0, 1.0]
    region = ellipse(draws, prompts)
    assert region is not None
    scale = np.sqrt(np.array(prompts) / (np.array(prompts) - 1))
    limit = 2 * (fewest - 1) / (fewest - 2) * scipy_stats.f.ppf(0.95, 2, fewest - 2)
    values = np.linalg.eigvalsh(np.cov(draws * scale, rowvar=False))
    assert (region.semi_minor, region.semi_major) == pytest.approx(tuple(np.sqrt(values * limit)), rel=1e-9)


def test_an_unvarying_axis_has_no_width_and_few_prompts_no_ellipse() -> None:
    found = trade_offs([np.zeros(10)], [np.arange(10.0)], np.arange(10), generator=rng())[0]
    assert found.ellipse is not None
    assert found.ellipse.semi_minor == pytest.approx(0, abs=1e-9) and abs(found.ellipse.angle) == pytest.approx(90)
    assert trade_offs([[0.0, 1.0]], [[1.0, 2.0]], ["a", "b"], generator=rng())[0].ellipse is None


def test_ellipses_cover_as_promised() -> None:
    draw, held, repeats = rng(6), 0, 300
    for _ in range(repeats):
        data = draw.normal(size=(25, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
        found = trade_offs([data[:, 0]], [data[:, 1]], np.arange(25), generator=draw, resamples=300)[0]
        region = found.ellipse
        assert region is not None
        turn = np.radians(region.angle)
        along, across = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ -np.array([found.safety, found.quality])
        held += (along / region.semi_major) ** 2 + (across / region.semi_minor) ** 2 <= 1
    assert abs(held / repeats - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / repeats)
