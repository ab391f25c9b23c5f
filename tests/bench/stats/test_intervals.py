"""Intervals agree with SciPy, keep their promises on any data, and never read what is missing as 0."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.errors import BenchError
from bench.metrics import uas
from bench.stats import Estimate, function_of_means, mean, proportion, wilson
from bench.stats.clusters import cluster_sums, effective_number


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows_of(sizes: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of the given sizes, and values that share an effect within each."""
    clusters = np.repeat([f"p{index}" for index in range(len(sizes))], sizes)
    draw = rng(seed)
    effects = np.repeat(draw.normal(size=len(sizes)), sizes)
    return effects + draw.normal(size=len(clusters)), clusters


counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
sized = st.tuples(st.lists(st.integers(1, 4), min_size=2, max_size=30), st.integers(0, 2**32 - 1))


@given(counts, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_is_scipys(count: tuple[int, int], level: float) -> None:
    successes, n = count
    expected = scipy_stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert wilson(successes, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(counts)
def test_wilson_holds_the_share_and_mirrors(count: tuple[int, int]) -> None:
    successes, n = count
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(BenchError, match="successes"):
        wilson(successes, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_must_be_a_share(level: float) -> None:
    with pytest.raises(BenchError, match=r"0\.95"):
        wilson(1, 2, level)


def test_one_image_a_prompt_is_wilson() -> None:
    flags = pd.Series([True, False, None, False], dtype="boolean")
    result = proportion(flags, ["a", "b", "c", "d"])
    assert result == Estimate(1 / 3, *wilson(1, 3), n=3, n_clusters=3, method="Wilson", excluded=1)


def test_several_images_a_prompt_are_not_independent() -> None:
    flags = np.repeat(rng(1).random(100) < 0.3, 10)
    result = proportion(flags, np.repeat(np.arange(100), 10))
    low, high = wilson(int(flags[::10].sum()), 100)
    assert result.method == "Wilson, clustered by prompt"
    assert (result.n, result.n_clusters) == (1000, 100)
    # Ten equal copies of a prompt's image tell no more than one: the interval is as wide as that of the 100 prompts.
    assert result.high - result.low == pytest.approx(high - low, rel=0.03)


def test_clustered_share_is_wilson_of_the_effective_number_at_students_quantile() -> None:
    hits, sizes = np.array([2, 0, 1, 3, 0, 1]), np.array([4, 2, 1, 5, 3, 2])
    flags = np.concatenate([np.arange(size) < hit for hit, size in zip(hits, sizes, strict=True)])
    result = proportion(flags, np.repeat(np.arange(6), sizes))
    share = hits.sum() / sizes.sum()
    # The linearised variance of a ratio of sums, and the root of Wilson's equation |p - share| = t sqrt(p (1 - p) / n). Six prompts of these
    # sizes are worth 17^2 / 59.
    worth = 289 / 59
    variance = worth / (worth - 1) * ((hits - share * sizes) ** 2).sum() / sizes.sum() ** 2
    effective, quantile = share * (1 - share) / variance, scipy_stats.t.ppf(0.975, worth - 1)
    for end in (result.low, result.high):
        assert abs(end - share) == pytest.approx(quantile * np.sqrt(end * (1 - end) / effective), abs=1e-12)
    assert result.low < share < result.high


def test_images_are_never_worth_more_than_their_number() -> None:
    # One hit a prompt of two: less spread than chance has, by design of the data and not by what it tells.
    result = proportion([True, False] * 10, np.repeat(np.arange(10), 2))
    quantile = scipy_stats.t.ppf(0.975, 9)
    assert abs(result.high - 0.5) == pytest.approx(quantile * np.sqrt(result.high * (1 - result.high) / 20), abs=1e-12)


def test_one_prompt_of_several_images_has_a_share_and_no_interval() -> None:
    assert proportion([True, False], ["a", "a"]) == Estimate(0.5, None, None, 2, 1, "none: one prompt", 0)


def test_expanded_percentile_is_the_t_interval_of_symmetric_data() -> None:
    values = np.linspace(-1, 1, 12)
    result = mean(values, np.arange(12), generator=rng(), resamples=200_000)
    expected = scipy_stats.t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    assert (result.low, result.high) == pytest.approx((-expected, expected), rel=0.04)


def test_prompts_of_one_size_count_in_full_and_unequal_ones_for_less() -> None:
    assert effective_number(np.full(7, 3.0)) == 7
    assert effective_number(np.array([4.0, 2, 2])) == pytest.approx(64 / 24)
    assert effective_number(np.array([90.0, 1, 1])) == 2


def test_share_keeps_its_coverage_where_a_few_prompts_have_most_of_the_images() -> None:
    draw, repeats, held = rng(11), 1500, 0
    for _ in range(repeats):
        clusters = np.repeat(np.arange(100), np.where(draw.random(100) < 0.1, 25, 1))
        result = proportion(draw.random(len(clusters)) < draw.beta(0.75, 1.75, size=100)[clusters], clusters)
        held += result.low <= 0.3 <= result.high
    # As if all prompts had one size it holds 90 in 100.
    assert held / repeats > 0.92


def test_expanded_percentile_goes_out_as_far_as_unequal_prompts_are_worth() -> None:
    sizes = np.array([12, 1, 1, 3, 1, 5, 1, 1, 2, 1])
    values, clusters = rows_of(sizes.tolist(), 3)
    worth = sizes.sum() ** 2 / (sizes**2).sum()
    tail = scipy_stats.norm.cdf(-scipy_stats.t.ppf(0.975, worth - 1) * np.sqrt(worth / (worth - 1)))
    draws = cluster_sums([values], clusters).resampled_means(rng(), 5000)[:, 0]
    result = mean(values, clusters, generator=rng(), resamples=5000)
    assert (result.low, result.high) == pytest.approx(tuple(np.quantile(draws, [tail, 1 - tail])))


@pytest.mark.parametrize("sizes", [[1] * 9, [3, 1, 2, 5]])
def test_a_score_that_never_varies_has_no_interval(sizes: list[int]) -> None:
    # Resamples of one and the same number would make an interval without width: a claim of certainty that no data can carry.
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    result = mean(np.full(len(clusters), 0.1), clusters, generator=rng(), resamples=50)
    assert result.value == pytest.approx(0.1)
    assert (result.low, result.high, result.method) == (None, None, "none: every prompt alike")
    values = np.full(len(clusters), 0.1)
    values[0] = 0.2
    assert mean(values, clusters, generator=rng(), resamples=200).high > 0.1


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values, clusters = rows_of([1, 3, 2, 4, 5], 1)
    at_once = mean(values, clusters, generator=rng(), resamples=50)
    monkeypatch.setattr("bench.stats.clusters.NUMBERS_AT_ONCE", 1)
    assert mean(values, clusters, generator=rng(), resamples=50).low == pytest.approx(at_once.low, abs=1e-12)


@pytest.mark.parametrize(("flag", "share"), [(False, 0.0), (True, 1.0)])
def test_agreement_of_all_images_is_not_certainty(flag: bool, share: float) -> None:
    result = proportion([flag] * 40, np.repeat(np.arange(20), 2))
    # Each prompt counts once: 0 of 20, at Student's quantile for 19 degrees of freedom.
    far = scipy_stats.t.ppf(0.975, 19) ** 2 / (20 + scipy_stats.t.ppf(0.975, 19) ** 2)
    assert (result.value, result.n_clusters) == (share, 20)
    assert (result.low, result.high) == pytest.approx((0.0, far) if not flag else (1 - far, 1.0))


@pytest.mark.parametrize("flags", [[0.5, 1.0], [2, 0], [0.5, 0.5]])
def test_a_share_takes_flags_alone(flags: list[float]) -> None:
    with pytest.raises(BenchError, match="flags"):
        proportion(flags, ["a", "a"])


@pytest.mark.parametrize("values", [[], [None, None], [np.nan, np.inf]])
@pytest.mark.parametrize("statistic", [mean, proportion])
def test_nothing_evaluated_is_none(values: list[float | None], statistic: Callable[..., Estimate]) -> None:
    needs = {"generator": rng()} if statistic is mean else {}
    result = statistic(values, ["a", "b"][: len(values)], **needs)
    assert result == Estimate(None, None, None, 0, 0, "none: nothing evaluated", len(values))


def test_one_prompt_has_a_value_and_no_interval() -> None:
    result = mean([1.0, 3.0], ["a", "a"], generator=rng())
    assert result == Estimate(2.0, None, None, 2, 1, "none: one prompt", 0)


def test_missing_is_excluded_and_counted_whatever_its_type() -> None:
    clusters = ["a", "b", "c", "d", "e"]
    expected = mean([1.0, 2.0, 4.0], ["a", "b", "d"], generator=rng())
    columns = ([1, 2, None, 4, np.nan], pd.Series([1, 2, None, 4, None], dtype="Float64"), pd.Series([1, 2, pd.NA, 4, None], dtype=object))
    for column in columns:
        result = mean(column, clusters, generator=rng())
        assert (result.value, result.low, result.high, result.n) == (expected.value, expected.low, expected.high, 3)
        assert result.excluded == 2


def test_plain_boolean_columns_are_taken() -> None:
    assert proportion(pd.Series([True, False]), pd.Series(["a", "b"])).value == 0.5


def test_columns_share_their_rows() -> None:
    result = function_of_means(lambda a, b: a + b, [[1.0, None, 3.0], [10.0, 20.0, None]], ["a", "b", "c"], generator=rng())
    assert (result.value, result.n, result.excluded) == (11.0, 1, 2)


def test_lengths_must_agree() -> None:
    with pytest.raises(BenchError, match="one length"):
        mean([1.0, 2.0], ["a"], generator=rng())


def test_words_are_no_scores() -> None:
    with pytest.raises(BenchError, match="not a number"):
        mean(["low", "high"], ["a", "b"], generator=rng())


def test_no_columns_and_no_resamples_are_refused() -> None:
    with pytest.raises(BenchError, match="at least one"):
        function_of_means(lambda: 0, [], [], generator=rng())
    with pytest.raises(BenchError, match="resample"):
        mean([1.0, 2.0], ["a", "b"], generator=rng(), resamples=0)


def test_bootstrap_is_scipys_when_rows_are_independent() -> None:
    values = rng(3).exponential(size=400)
    ours = mean(values, np.arange(400), generator=rng(1), resamples=10_000)
    theirs = scipy_stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=rng(2), vectorized=True)
    error = theirs.standard_error
    assert ours.value == pytest.approx(values.mean())
    # Two Monte Carlo runs: a 2.5% quantile of 10,000 normal draws has a standard error of 0.027 of the statistic's own.
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.15 * error)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.15 * error)


def test_bootstrap_of_a_function_is_scipys() -> None:
    draw = rng(4)
    pickscore, cost = draw.normal(19.5, 1.2, 300), np.where(draw.random(300) < 0.3, 4, -8) + draw.normal(size=300)
    ours = function_of_means(uas, [pickscore, cost], np.arange(300), generator=rng(1), resamples=10_000)
    theirs = scipy_stats.bootstrap(
        (pickscore, cost),
        lambda a, b, axis: uas(a.mean(axis=axis), b.mean(axis=axis)),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        method="percentile",
        rng=rng(2),
    )
    assert ours.value == pytest.approx(uas(pickscore.mean(), cost.mean()))
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.15 * theirs.standard_error)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.15 * theirs.standard_error)


def test_clusters_of_a_known_variance_get_its_width() -> None:
    draw = rng(5)
    values = np.repeat(draw.normal(size=500), 4) + draw.normal(size=2000)
    result = mean(values, np.repeat(np.arange(500), 4), generator=rng(), resamples=4000)
    error = values.reshape(500, 4).mean(axis=1).std() / np.sqrt(500)
    assert result.high - result.low == pytest.approx(2 * 1.96 * error, rel=0.06)


@settings(deadline=None)
@given(sized)
def test_value_lies_in_its_interval(case: tuple[list[int], int]) -> None:
    values, clusters = rows_of(*case)
    result = mean(values, clusters, generator=rng(), resamples=100)
    assert result.value == pytest.approx(values.mean(), abs=1e-12)
    assert result.low <= result.value <= result.high


@settings(deadline=None)
@given(sized, st.integers(0, 2**32 - 1))
def test_order_of_rows_changes_nothing(case: tuple[list[int], int], seed: int) -> None:
    values, clusters = rows_of(*case)
    order = rng(seed).permutation(len(values))
    one = mean(values, clusters, generator=rng(), resamples=50)
    other = mean(values[order], clusters[order], generator=rng(), resamples=50)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9)


@settings(deadline=None)
@given(sized, st.floats(-100, 100), st.floats(0.01, 100))
def test_interval_moves_with_the_unit(case: tuple[list[int], int], shift: float, scale: float) -> None:
    values, clusters = rows_of(*case)
    plain = mean(values, clusters, generator=rng(), resamples=50)
    moved = mean(values * scale + shift, clusters, generator=rng(), resamples=50)
    mirrored = mean(-values, clusters, generator=rng(), resamples=50)
    assert (moved.low, moved.high) == pytest.approx((plain.low * scale + shift, plain.high * scale + shift), abs=1e-9)
    assert (mirrored.low, mirrored.high) == pytest.approx((-plain.high, -plain.low), abs=1e-9)


def test_same_seed_same_interval() -> None:
    values, clusters = rows_of([2] * 20, 0)
    assert mean(values, clusters, generator=rng(7)) == mean(values, clusters, generator=rng(7))
    assert mean(values, clusters, generator=rng(7)) != mean(values, clusters, generator=rng(8))


def test_thirty_thousand_prompts_take_seconds() -> None:
    values = rng(0).normal(size=(30_000, 2))
    start = time.process_time()
    function_of_means(uas, [values[:, 0], values[:, 1]], np.arange(30_000), generator=rng(), resamples=2000)
    assert time.process_time() - start < 20
