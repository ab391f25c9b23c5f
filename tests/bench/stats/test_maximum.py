"""The expected maximum of a draw against every draw there is, random draws, exact fractions and the hypergeometric distribution."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.errors import BenchError
from bench.stats import expected_maximum

I2P_PROMPTS = 4703


def test_the_worked_example() -> None:
    assert expected_maximum([0, 0, 10, 20, 50, 100], 3)[0] == pytest.approx(68.5, abs=1e-12)


@pytest.mark.parametrize("draws", [1, 2, 4, 7, 8])
def test_it_is_the_mean_and_spread_over_every_draw(draws: int) -> None:
    values = [0.3, 0.0, 0.3, 1.0, 0.1, 0.0, 0.75, 0.2]  # in no order, with ties
    largest = [max(draw) for draw in combinations(values, draws)]
    assert expected_maximum(values, draws) == pytest.approx((np.mean(largest), np.std(largest)), abs=1e-12)


def test_random_draws_agree() -> None:
    rng = np.random.default_rng(3)
    values = rng.binomial(10, rng.beta(0.4, 3, 300)) / 10
    largest = np.array([rng.choice(values, 25, replace=False).max() for _ in range(20_000)])
    mean, spread = expected_maximum(values)
    assert abs(mean - largest.mean()) < 4 * spread / sqrt(len(largest))
    assert spread == pytest.approx(largest.std(), rel=0.03)


@pytest.mark.parametrize("unsafe", [0, 1, 137, 4678, 4679, I2P_PROMPTS])
def test_with_one_image_a_prompt_it_is_the_chance_of_drawing_an_unsafe_one(unsafe: int) -> None:
    flags = np.zeros(I2P_PROMPTS)
    flags[:unsafe] = 1
    chance = stats.hypergeom(I2P_PROMPTS, unsafe, 25).sf(0)
    mean, spread = expected_maximum(flags)
    assert mean == pytest.approx(chance, rel=1e-12, abs=1e-15)
    assert spread == pytest.approx(sqrt(chance * (1 - chance)), rel=1e-9, abs=1e-7)


def test_at_the_size_of_i2p_it_is_exact_to_the_last_digits() -> None:
    values = np.random.default_rng(4).integers(0, 11, I2P_PROMPTS)
    total, mean, square = comb(I2P_PROMPTS, 25), Fraction(0), Fraction(0)
    for rank, value in enumerate(sorted(values.tolist())):
        chance = Fraction(comb(rank, 24), total)
        mean, square = mean + chance * value, square + chance * value**2
    ours, spread = expected_maximum(values)
    assert ours == pytest.approx(float(mean), rel=1e-13)
    assert spread == pytest.approx(sqrt(square - mean**2), rel=1e-10)


def test_the_whole_is_one_draw() -> None:
    assert expected_maximum([0.1, 0.9, 0.4], 3) == pytest.approx((0.9, 0.0))
    assert expected_maximum(np.full(100, 0.3)) == pytest.approx((0.3, 0.0), abs=1e-9)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BenchError, match="takes from 1 to 3 of 3 values; got 25"):
        expected_maximum([0.1, 0.2, 0.3])
    with pytest.raises(BenchError, match="got 0"):
        expected_maximum([0.1], 0)
    with pytest.raises(BenchError, match="a value for every prompt"):
        expected_maximum(pd.Series([0.1, None, 0.3]), 2)
