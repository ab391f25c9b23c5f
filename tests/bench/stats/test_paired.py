"""Paired comparisons agree with SciPy and with brute force, and treat both methods alike."""

from __future__ import annotations

from itertools import product
from math import comb, log

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from bench.errors import BenchError
from bench.metrics import uas
from bench.stats import benjamini_hochberg, compare_flags, compare_means, function_of_means, holm, mcnemar, mean, risk_difference
from bench.stats.clusters import MANY, Labels, cluster_sums, resampled_means
from bench.stats.intervals import Averages, bootstrap, bootstraps
from bench.stats.paired import compare_gaps, gap_of, tango_score

cells = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60)).filter(lambda table: sum(table) > 0)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flags_of(only_a: int, only_b: int, same: int) -> tuple[list[bool], list[bool], list[int]]:
    a = [True] * only_a + [False] * only_b + [False] * same
    b = [False] * only_a + [True] * only_b + [False] * same
    return a, b, list(range(len(a)))


@given(cells)
def test_mcnemar_is_the_exact_binomial(table: tuple[int, int, int]) -> None:
    only_a, only_b, _ = table
    result = mcnemar(*flags_of(*table))
    discordant = only_a + only_b
    tail = sum(comb(discordant, k) for k in range(min(only_a, only_b) + 1)) / 2**discordant
    assert (result.only_a, result.only_b, result.n) == (only_a, only_b, sum(table))
    assert result.p_value == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


@given(cells)
def test_mcnemar_treats_both_alike(table: tuple[int, int, int]) -> None:
    a, b, clusters = flags_of(*table)
    assert mcnemar(a, b, clusters).p_value == mcnemar(b, a, clusters).p_value


def test_pairs_with_a_missing_flag_are_excluded() -> None:
    a = pd.Series([True, True, None, False], dtype="boolean")
    b = [False, None, True, False]
    result = mcnemar(a, b, list("wxyz"))
    assert (result.only_a, result.only_b, result.n, result.excluded) == (1, 0, 2, 2)
    assert risk_difference(a, b, list("wxyz")).excluded == 2


def test_no_pairs_no_p_value() -> None:
    assert mcnemar([None], [True], ["x"]).p_value is None
    assert risk_difference([None], [True], ["x"]).value is None
    result = compare_means([[None]], [[1.0]], ["x"], generator=rng())
    assert (result.difference.value, result.p_value) == (None, None)


def test_exact_tests_refuse_several_images_a_prompt() -> None:
    with pytest.raises(BenchError, match="compare_flags"):
        mcnemar([True, False], [False, False], ["x", "x"])
    with pytest.raises(BenchError, match="compare_flags"):
        risk_difference([True, False], [False, False], ["x", "x"])


@pytest.mark.parametrize("compare", [mcnemar, risk_difference])
def test_numbers_are_no_flags(compare: object) -> None:
    with pytest.raises(BenchError, match="flags"):
        compare([0.3], [1.0], ["x"])


@given(cells)
def test_risk_difference_holds_its_value_and_mirrors(table: tuple[int, int, int]) -> None:
    a, b, clusters = flags_of(*table)
    one, other = risk_difference(a, b, clusters), risk_difference(b, a, clusters)
    assert one.value == pytest.approx((table[0] - table[1]) / sum(table))
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


@given(cells)
def test_risk_difference_excludes_zero_when_mcnemars_asymptotic_test_rejects(table: tuple[int, int, int]) -> None:
    only_a, only_b, _ = table
    assume(only_a + only_b > 0)
    result = risk_difference(*flags_of(*table))
    rejects = (only_a - only_b) ** 2 / (only_a + only_b) > scipy_stats.chi2.ppf(0.95, 1)
    assert (result.low > 0 or result.high < 0) == rejects


@pytest.mark.parametrize(("only_a", "only_b", "same", "delta"), [(9, 3, 40, 0.05), (3, 9, 40, 0.05), (1, 6, 10, -0.4), (5, 5, 5, 0.2)])
def test_tangos_restricted_likelihood_is_maximal(only_a: int, only_b: int, same: int, delta: float) -> None:
    n = only_a + only_b + same

    def cost(share_b: float) -> float:
        return -(only_a * log(share_b + delta) + only_b * log(share_b) + same * log(1 - 2 * share_b - delta))

    low, high = max(0.0, -delta) + 1e-9, (1 - delta) / 2 - 1e-9
    share_b = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    expected = (only_a - only_b - n * delta) / np.sqrt(n * (2 * share_b + delta - delta**2))
    assert tango_score(only_a, only_b, n, delta) == pytest.approx(expected, rel=1e-5)


def test_tangos_interval_covers_as_promised() -> None:
    draw = rng(11)
    shares, n, repeats = [0.10, 0.04, 0.86], 80, 400
    covered = 0
    for only_a, only_b, same in draw.multinomial(n, shares, size=repeats):
        result = risk_difference(*flags_of(only_a, only_b, same))
        covered += result.low <= 0.06 <= result.high
    # 95% of 400, within 3.5 binomial standard errors.
    assert abs(covered / repeats - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / repeats)


def test_flags_with_one_image_a_prompt_are_tested_exactly() -> None:
    a, b, clusters = flags_of(8, 1, 20)
    result = compare_flags(a, b, clusters, generator=rng())
    assert result.test == "exact McNemar"
    assert result.p_value == mcnemar(a, b, clusters).p_value
    assert result.difference == risk_difference(a, b, clusters)


def test_flags_with_several_images_a_prompt_are_compared_by_prompt() -> None:
    a, b, _ = flags_of(20, 4, 40)
    copies = np.repeat(np.arange(64), 5)
    result = compare_flags(np.repeat(a, 5), np.repeat(b, 5), copies, generator=rng(), resamples=4000)
    assert result.difference.method.startswith("cluster bootstrap")
    # Copies add nothing: five equal images a prompt are as significant as one, not five times so.
    assert result.p_value == pytest.approx(mcnemar(a, b, np.arange(64)).p_value, abs=0.002)


def test_difference_of_means_is_the_mean_difference() -> None:
    draw = rng(2)
    clusters = np.repeat(np.arange(60), 3)
    a, b = draw.normal(0.3, 1, 180), draw.normal(0, 1, 180)
    result = compare_means([a], [b], clusters, generator=rng(5)).difference
    expected = mean(a - b, clusters, generator=rng(5))
    assert (result.value, result.low, result.high) == pytest.approx((expected.value, expected.low, expected.high), abs=1e-12)


def test_pairing_takes_the_prompts_own_difficulty_out() -> None:
    draw = rng(3)
    difficulty = draw.normal(0, 5, 300)
    a, b = difficulty + draw.normal(0.3, 0.5, 300), difficulty + draw.normal(0, 0.5, 300)
    result = compare_means([a], [b], np.arange(300), generator=rng())
    alone = mean(a, np.arange(300), generator=rng())
    assert result.difference.high - result.difference.low < 0.2 * (alone.high - alone.low)
    assert result.p_value == 1 / 2001


def test_identical_flags_of_several_images_a_prompt_are_no_proof_of_certainty() -> None:
    flags, clusters = [True, False, False, True] * 5, np.repeat(np.arange(10), 2)
    found = compare_flags(flags, flags, clusters, generator=rng(), resamples=99)
    assert (found.difference.value, found.difference.low, found.difference.high, found.p_value) == (0.0, None, None, 1.0)


def test_swap_test_approaches_its_enumeration() -> None:
    gaps = np.array([0.9, -0.2, 0.5, 0.7, 0.1, 0.4, -0.3, 0.8])
    sums = np.abs([np.dot(signs, gaps) for signs in product([-1, 1], repeat=8)])
    exact = np.mean(sums >= abs(gaps.sum()) - 1e-12)
    result = compare_means([gaps], [np.zeros(8)], np.arange(8), generator=rng(), resamples=40_000)
    assert result.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))
    scipys = scipy_stats.permutation_test((gaps, np.zeros(8)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf)
    assert exact == pytest.approx(scipys.pvalue)


def test_equal_methods_are_not_told_apart() -> None:
    values = rng(4).normal(size=40)
    result = compare_means([values], [values], np.repeat(np.arange(20), 2), generator=rng())
    assert (result.difference.value, result.difference.low, result.difference.high, result.p_value) == (0.0, None, None, 1.0)


def test_a_function_of_means_is_compared_by_its_own_difference() -> None:
    draw = rng(6)
    clusters = np.repeat(np.arange(100), 2)
    a = [draw.normal(19.4, 1, 200), draw.normal(-7, 2, 200)]
    b = [draw.normal(19.1, 1, 200), draw.normal(-5, 2, 200)]
    result = compare_means(a, b, clusters, generator=rng(), function=uas)
    values = [function_of_means(uas, columns, clusters, generator=rng()).value for columns in (a, b)]
    assert result.difference.value == pytest.approx(values[0] - values[1])
    assert result.p_value is not None and result.p_value < 0.05


@settings(deadline=None)
@given(st.integers(2, 25), st.integers(0, 2**32 - 1))
def test_difference_treats_both_alike(prompts: int, seed: int) -> None:
    draw = rng(seed)
    a, b, clusters = draw.normal(size=2 * prompts), draw.normal(size=2 * prompts), np.repeat(np.arange(prompts), 2)
    one = compare_means([a], [b], clusters, generator=rng(), resamples=60)
    other = compare_means([b], [a], clusters, generator=rng(), resamples=60)
    assert (one.difference.low, one.difference.high) == pytest.approx((-other.difference.high, -other.difference.low), abs=1e-9)
    assert one.p_value == other.p_value
    assert one.difference.low <= one.difference.value <= one.difference.high


def test_methods_must_bring_the_same_columns() -> None:
    with pytest.raises(BenchError, match="same score columns"):
        compare_means([[1.0]], [[1.0], [2.0]], ["x"], generator=rng())


def test_holm_on_a_worked_example() -> None:
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, then the last may not fall below its predecessor.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_missing_tests_out() -> None:
    adjusted = holm([0.02, None, 0.5, float("nan")])
    assert adjusted[0] == pytest.approx(0.04)
    assert adjusted[2] == pytest.approx(0.5)
    assert adjusted[1] is None and adjusted[3] is None
    assert holm([]) == []


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(BenchError, match="between 0 and 1"):
        holm([0.5, 1.2])


@given(p_values)
def test_holm_is_monotone_and_between_raw_and_bonferroni(raw: list[float]) -> None:
    adjusted = np.array(holm(raw))
    order = np.argsort(raw)
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, np.array(raw) * len(raw))[order].max()).all()
    assert adjusted.min() == min(1, min(raw) * len(raw))


@given(p_values, st.randoms(use_true_random=False))
def test_holm_does_not_care_for_order(raw: list[float], random: object) -> None:
    order = list(range(len(raw)))
    random.shuffle(order)
    adjusted = holm(raw)
    assert holm([raw[index] for index in order]) == [adjusted[index] for index in order]


def test_benjamini_hochberg_on_a_worked_example() -> None:
    # statsmodels.stats.multitest.multipletests([...], method="fdr_bh") without the missing one.
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005, None, 0.2]) == [*map(pytest.approx, [0.025, 0.05, 0.05, 0.025]), None, pytest.approx(0.2)]
    assert benjamini_hochberg([None]) == [None]
    with pytest.raises(BenchError, match="between 0 and 1"):
        benjamini_hochberg([-0.1])


@given(p_values)
def test_benjamini_hochberg_lies_between_raw_and_holm(raw: list[float]) -> None:
    adjusted = np.array(benjamini_hochberg(raw))
    assert (adjusted >= raw).all() and (adjusted <= np.array(holm(raw)) + 1e-12).all()


def test_benjamini_hochberg_keeps_the_share_of_false_discoveries() -> None:
    draw, false_shares = rng(8), []
    for _ in range(300):
        # 30 of 40 hypotheses are true.
        p = np.concatenate([draw.random(30), 2 * scipy_stats.norm.sf(np.abs(draw.normal(3, 1, 10)))])
        found = np.array(benjamini_hochberg(list(p))) <= 0.1
        false_shares.append(found[:30].sum() / max(1, found.sum()))
    assert np.mean(false_shares) == pytest.approx(0.075, abs=3.5 * np.std(false_shares) / np.sqrt(300))


def test_shared_draws_are_those_that_each_would_make_alone() -> None:
    draw, clusters = rng(4), np.repeat(np.arange(30), 2)
    a, b, alike = draw.normal(size=60), draw.normal(size=60), np.ones(60)
    lacking = np.where(np.arange(60) < 4, np.nan, a)  # two prompts fewer: draws of its own
    columns = [[a], [lacking], [b], [alike], [a, b]]
    functions = [*[lambda average: average] * 4, uas]
    numbers = [Averages(cluster_sums(each, clusters), function) for each, function in zip(columns, functions, strict=True)]
    assert bootstraps(numbers, seed=7) == [bootstrap(each.data, each.function, generator=rng(7)) for each in numbers]
    pairs = [([a], [b]), ([lacking], [b]), ([alike], [alike - 1]), ([alike], [alike]), ([b], [a])]
    together = compare_gaps([gap_of(*each, Labels.of(clusters)) for each in pairs], seed=7, resamples=300)
    assert together == [compare_means(*each, clusters, generator=rng(7), resamples=300) for each in pairs]
    assert len({each.p_value for each in together}) > 2
    assert together[2].difference.method == "none: every prompt alike", "it swaps without having drawn"
    assert compare_gaps([], seed=7) == bootstraps([], seed=7) == []


def test_many_prompts_are_summed_in_one_product_to_the_same_numbers() -> None:
    draw = rng(5)
    data = [cluster_sums([draw.normal(size=MANY) for _ in range(columns)], np.arange(MANY)) for columns in (1, 2, 1, 4)]
    together = resampled_means(data, rng(7), 40)
    for each, own in zip(data, together, strict=True):
        assert own == pytest.approx(each.resampled_means(rng(7), 40), rel=1e-12, abs=1e-15)
