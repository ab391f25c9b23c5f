"""Power agrees with enumeration, with statsmodels and with simulated comparisons."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.errors import BenchError
from bench.stats import compare_flags, mcnemar
from bench.stats.power import (
    connor_power,
    discordance,
    fewest_prompts,
    intraclass_correlation,
    least_difference,
    mcnemar_power,
    paired_power,
    variance_factor,
)


@pytest.mark.parametrize(
    ("prompts", "only_a", "only_b", "alpha"), [(12, 0.4, 0.1, 0.05), (30, 0.2, 0.2, 0.05), (25, 0.5, 0.05, 0.01), (9, 0.9, 0.1, 0.05)]
)
def test_mcnemars_power_is_the_sum_over_all_tables(prompts: int, only_a: float, only_b: float, alpha: float) -> None:
    expected = 0.0
    for a, b in product(range(prompts + 1), repeat=2):
        if 0 < a + b <= prompts and scipy_stats.binomtest(a, a + b).pvalue <= alpha:
            expected += scipy_stats.multinomial.pmf([a, b, prompts - a - b], prompts, [only_a, only_b, max(0.0, 1 - only_a - only_b)])
    assert mcnemar_power(prompts, only_a, only_b, alpha) == pytest.approx(expected, abs=1e-10)


def test_mcnemars_power_is_how_often_the_test_rejects() -> None:
    draw, repeats, prompts = np.random.default_rng(1), 600, 150
    rejected = 0
    for a, b, _ in draw.multinomial(prompts, [0.2, 0.1, 0.7], size=repeats):
        flags = np.zeros((2, prompts))
        flags[0, :a], flags[1, a : a + b] = 1, 1
        p_value = mcnemar(*flags, range(prompts)).p_value
        rejected += p_value is not None and p_value <= 0.05
    power = mcnemar_power(prompts, 0.2, 0.1)
    assert 0.4 < power < 0.6
    assert rejected / repeats == pytest.approx(power, abs=3.5 * np.sqrt(power * (1 - power) / repeats))


@pytest.mark.parametrize(("only_a", "only_b"), [(0.2, 0.15), (0.1, 0.03), (0.02, 0.01)])
def test_connor_is_near_the_exact_test_in_large_samples(only_a: float, only_b: float) -> None:
    exact = fewest_prompts(lambda n: mcnemar_power(n, only_a, only_b))
    near = fewest_prompts(lambda n: connor_power(n, only_a, only_b))
    # The exact test is the more cautious one.
    assert near < exact < 1.12 * near


def test_connor_is_his_formula() -> None:
    # n = (z_0.975 sqrt(psi) + z_0.8 sqrt(psi - delta^2))^2 / delta^2 with psi = 0.3, delta = 0.1: 2.801585^2 x 0.3 / 0.01, and a little less.
    expected = (1.959964 * np.sqrt(0.3) + 0.841621 * np.sqrt(0.29)) ** 2 / 0.01
    assert fewest_prompts(lambda n: connor_power(n, 0.2, 0.1)) == int(np.ceil(expected))


def test_connors_design_effect_is_what_clusters_cost() -> None:
    draw, repeats, prompts, images = np.random.default_rng(2), 200, 60, 5
    clusters, rejected = np.repeat(np.arange(prompts), images), 0
    # An image copies its prompt's outcome with probability 0.6, so two of a prompt are alike with 0.36.
    outcomes, chances = np.array([[1, 0], [0, 1], [0, 0]]), [0.25, 0.1, 0.65]
    for _ in range(repeats):
        of_prompt, own = draw.choice(3, size=prompts, p=chances), draw.choice(3, size=prompts * images, p=chances)
        a, b = outcomes[np.where(draw.random(prompts * images) < 0.6, of_prompt[clusters], own)].T
        p_value = compare_flags(a, b, clusters, generator=draw, resamples=199).p_value
        rejected += p_value is not None and p_value <= 0.05
    power = connor_power(prompts, 0.25, 0.1, variance_factor=variance_factor(images, 0.36))
    assert rejected / repeats == pytest.approx(power, abs=3.5 * np.sqrt(power * (1 - power) / repeats))
    assert connor_power(prompts * images, 0.25, 0.1) - power > 0.15


def test_paired_power_is_statsmodels() -> None:
    # TTestPower().power(0.2, 50, 0.05), .power(0.5, 20, 0.01); .solve_power(effect_size=0.1 / 1.2, alpha=0.05, power=0.8) = 1132.158;
    # .solve_power(nobs=500, alpha=0.05, power=0.8) = 0.12553232 standard deviations.
    assert paired_power(50, 0.2, 1.0) == pytest.approx(0.2835924146674735, abs=1e-10)
    assert paired_power(20, 0.5, 1.0, 0.01) == pytest.approx(0.2973460776751171, abs=1e-10)
    assert fewest_prompts(lambda n: paired_power(n, 0.1, 1.2)) == 1133
    assert least_difference(lambda each: paired_power(500, each, 1.2), 10.0) == pytest.approx(0.15063878, abs=1e-6)


@pytest.mark.parametrize(("prompts", "difference"), [(10**6, 0.5), (2, 1e6), (4703, 30.0)])
def test_an_obvious_difference_is_certain(prompts: int, difference: float) -> None:
    assert paired_power(prompts, difference, 1.0) == pytest.approx(1.0)


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0, 0.5))
def test_discordance_has_the_shares_and_the_correlation(share_a: float, share_b: float, correlation: float) -> None:
    try:
        only_a, only_b = discordance(share_a, share_b, correlation)
    except BenchError:
        both = share_a * share_b + correlation * np.sqrt(share_a * (1 - share_a) * share_b * (1 - share_b))
        assert both > min(share_a, share_b)
        return
    assert only_a - only_b == pytest.approx(share_a - share_b)
    assert min(only_a, only_b) >= 0
    covariance = share_a - only_a - share_a * share_b
    assert covariance == pytest.approx(correlation * np.sqrt(share_a * (1 - share_a) * share_b * (1 - share_b)), abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 400), st.floats(0.02, 0.4), st.floats(0.02, 0.4))
def test_power_is_a_probability_and_treats_both_alike(prompts: int, only_a: float, only_b: float) -> None:
    power = mcnemar_power(prompts, only_a, only_b)
    assert 0 <= power <= 1
    assert power == pytest.approx(mcnemar_power(prompts, only_b, only_a), abs=1e-10)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_equal_methods_are_called_different_at_most_at_the_level(share: float) -> None:
    assert 0 < mcnemar_power(500, share, share) <= 0.05


def test_least_difference_and_fewest_prompts_undo_each_other() -> None:
    prompts = fewest_prompts(lambda n: mcnemar_power(n, 0.2, 0.1))
    found = least_difference(lambda each: mcnemar_power(prompts, 0.15 + each / 2, 0.15 - each / 2), 0.3)
    assert found == pytest.approx(0.1, abs=2e-4)
    assert mcnemar_power(prompts - 1, 0.2, 0.1) < 0.8 <= mcnemar_power(prompts, 0.2, 0.1)


def test_what_cannot_be_shown_is_said() -> None:
    assert least_difference(lambda each: mcnemar_power(4, each, 0.0), 0.5) is None
    with pytest.raises(BenchError, match="too small"):
        fewest_prompts(lambda n: connor_power(n, 0.2, 0.2))


def test_intraclass_correlation_is_recovered() -> None:
    draw = np.random.default_rng(4)
    sizes = draw.integers(1, 9, size=3000)
    clusters = np.repeat(np.arange(3000), sizes)
    values = draw.normal(scale=np.sqrt(0.3), size=3000)[clusters] + draw.normal(scale=np.sqrt(0.7), size=len(clusters))
    assert intraclass_correlation(values, clusters) == pytest.approx(0.3, abs=0.03)
    assert intraclass_correlation(draw.permutation(values), clusters) == pytest.approx(0, abs=0.03)
    assert intraclass_correlation([1.0, 1.0, 2.0, 2.0], list("aabb")) == pytest.approx(1.0)
    assert intraclass_correlation([1.0, 2.0], ["a", "b"]) is None
    assert intraclass_correlation([1.0, 1.0, None], list("aab")) is None


def test_variance_factor_by_hand() -> None:
    assert (variance_factor(1, 0.3), variance_factor(4, 0.0), variance_factor(4, 1.0)) == (1.0, 0.25, 1.0)
    assert variance_factor(5, 0.36) == pytest.approx(0.488)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mcnemar_power(10, 0.7, 0.6),
        lambda: mcnemar_power(10, -0.1, 0.6),
        lambda: mcnemar_power(10, 0.1, 0.2, 1.0),
        lambda: paired_power(10, 1.0, 0.0),
        lambda: paired_power(10, 1.0, float("nan")),
        lambda: paired_power(10, 1.0, float("inf")),
        lambda: discordance(1.2, 0.5, 0.0),
        lambda: discordance(0.1, 0.9, 0.5),
        lambda: variance_factor(0, 0.1),
        lambda: fewest_prompts(lambda n: 1.0, 1.0),
    ],
)
def test_what_cannot_be_is_refused(call: object) -> None:
    with pytest.raises(BenchError):
        call()
