"""Ranks: the published sets, rebuilt pair by pair; all intervals hold together as often as they say; ties share."""

from __future__ import annotations

import time
import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.errors import BenchError
from bench.metrics import uas
from bench.stats import rank_methods
from bench.stats.ranks import Ranking, significantly_better, tiers


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ranked(columns: list[np.ndarray] | np.ndarray, better: str = "lower", seed: int = 0, resamples: int = 400, **options: object) -> Ranking:
    clusters = options.pop("clusters", np.arange(len(columns[0])))
    return rank_methods([[column] for column in columns], clusters, better=better, generator=rng(seed), resamples=resamples, **options)


def methods_with(shares: tuple[float, ...], prompts: int, draw: np.random.Generator) -> np.ndarray:
    difficulty = draw.normal(size=prompts)
    return difficulty + draw.normal(size=(len(shares), prompts)) < np.sqrt(2) * scipy_stats.norm.ppf(shares)[:, None]


def by_hand(goodness: np.ndarray, errors: np.ndarray, n: int, level: float) -> set[tuple[int, int]]:
    """Romano and Wolf's steps down over ordered pairs, one pair at a time."""
    pairs = list(permutations(range(len(goodness)), 2))
    scale = {(i, j): np.std(errors[:, i] - errors[:, j], ddof=1) for i, j in pairs}
    beaten: set[tuple[int, int]] = set()
    while True:
        left = [pair for pair in pairs if pair not in beaten]
        largest = np.max([(errors[:, i] - errors[:, j]) / scale[i, j] for i, j in left], axis=0)
        normal = np.quantile(largest, level)
        student = scipy_stats.t.isf(scipy_stats.norm.sf(normal), n - 1) * np.sqrt(n / (n - 1))
        new = {(i, j) for i, j in left if (goodness[i] - goodness[j]) / scale[i, j] > student}
        if not new:
            return beaten
        beaten |= new


@pytest.mark.parametrize("seed", range(6))
def test_sets_are_the_published_procedure(seed: int) -> None:
    draw = rng(seed)
    truth = np.arange(6) * 1.6
    mixing = draw.normal(size=(6, 6)) * 0.4
    errors, goodness = draw.normal(size=(300, 6)) @ mixing, truth + draw.normal(size=6) @ mixing
    beats = significantly_better(goodness, errors, 30, 0.95)
    expected = by_hand(goodness, errors, 30, 0.95)
    assert set(zip(*np.nonzero(beats), strict=True)) == expected
    assert 0 < len(expected) < 15


@pytest.mark.parametrize("n", [8, 30, 2000])
def test_two_methods_meet_students_bar(n: int) -> None:
    errors = rng(2).normal(size=(500, 2))
    gaps = errors[:, 0] - errors[:, 1]
    normal = np.quantile(np.abs(gaps) / gaps.std(ddof=1), 0.95)
    bar = gaps.std(ddof=1) * scipy_stats.t.isf(scipy_stats.norm.sf(normal), n - 1) * np.sqrt(n / (n - 1))
    for gap, called in ((bar * (1 + 1e-6), True), (bar * (1 - 1e-6), False)):
        assert significantly_better(np.array([gap, 0.0]), errors, n, 0.95).tolist() == [[False, called], [False, False]]


def test_steps_down_find_more_than_one_step_alone() -> None:
    # Four far apart, two near: once the far pairs are called, the near pair has a lower bar to take.
    errors = rng(1).normal(size=(4000, 5))
    goodness = np.array([0.0, 20.0, 40.0, 60.0, 63.75])
    single = np.quantile(np.abs([errors[:, i] - errors[:, j] for i in range(5) for j in range(i)]).max(axis=0), 0.95)
    assert single * np.std(errors[:, 4] - errors[:, 3], ddof=1) / np.sqrt(2) > 3.75
    assert significantly_better(goodness, errors, 10**6, 0.95)[4, 3]


@pytest.mark.parametrize("shares", [(0.3,) * 6, (0.1, 0.1, 0.3, 0.3, 0.3, 0.6)])
def test_all_intervals_hold_together(shares: tuple[float, ...]) -> None:
    draw, repeats, held = rng(5), 200, 0
    lows = np.array([1 + sum(other < share for other in shares) for share in shares])
    highs = np.array([sum(other <= share for other in shares) for share in shares])
    for _ in range(repeats):
        ranks = ranked(methods_with(shares, 150, draw), seed=int(draw.integers(2**31)), resamples=300).ranks
        held += all(each.rank_low <= low and each.rank_high >= high for each, low, high in zip(ranks, lows, highs, strict=True))
    # Equal methods: the level itself. Methods that differ: at least the level. Within 3 binomial standard errors.
    error = 3 * np.sqrt(0.95 * 0.05 / repeats)
    assert held / repeats > 0.95 - error
    if len(set(shares)) == 1:
        assert held / repeats < min(1.0, 0.95 + error)


def test_all_intervals_hold_together_where_prompts_have_unequal_numbers_of_images() -> None:
    draw, repeats, called = rng(9), 300, 0
    for _ in range(repeats):
        clusters = np.repeat(np.arange(120), np.where(draw.random(120) < 0.1, 25, 1))
        columns = draw.normal(size=(6, 120))[:, clusters] + 0.5 * draw.normal(size=(6, len(clusters)))
        called += ranked(columns, seed=int(draw.integers(2**31)), resamples=300, clusters=clusters).beats.any()
    # As if all prompts had one size this calls a difference between equal methods in 16 of 100 tables.
    assert called / repeats < 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


def test_equal_methods_share_rank_and_tier() -> None:
    flags = rng(2).random(80) < 0.4
    found = ranked([flags, flags, np.ones(80)])
    assert [each.rank for each in found.ranks] == [1, 1, 3]
    assert [(each.rank_low, each.rank_high, each.tier) for each in found.ranks] == [(1, 2, 1), (1, 2, 1), (3, 3, 2)]
    assert found.beats.tolist() == [[False, False, True], [False, False, True], [False, False, False]]


def test_a_difference_that_never_varies_is_certain() -> None:
    values = np.arange(20.0)
    found = ranked([values, values + 1])
    assert [(each.rank_low, each.rank_high, each.tier) for each in found.ranks] == [(1, 1, 1), (2, 2, 2)]


def test_direction_turns_the_order_round() -> None:
    columns = methods_with((0.05, 0.3, 0.7), 200, rng(3)).astype(float)
    lower, higher = ranked(columns), ranked(columns, "higher")
    assert [each.rank for each in lower.ranks] == [1, 2, 3] and [each.rank for each in higher.ranks] == [3, 2, 1]
    assert [(each.rank_low, each.tier) for each in lower.ranks] == [(4 - each.rank_high, 4 - each.tier) for each in higher.ranks]
    with pytest.raises(BenchError, match="lower, higher"):
        ranked(columns, "up")


def test_images_of_a_prompt_are_one_cluster() -> None:
    columns = methods_with((0.2, 0.4), 40, rng(7))
    once = ranked(columns)
    copied = ranked(np.repeat(columns, 5, axis=1), clusters=np.repeat(np.arange(40), 5))
    assert copied.ranks == once.ranks
    assert (copied.n, copied.n_clusters) == (200, 40)


def test_only_samples_of_all_methods_count() -> None:
    columns = methods_with((0.2, 0.4), 30, rng(7)).astype(float)
    columns[1, :4] = np.nan
    found, without = ranked(columns), ranked(columns[:, 4:])
    assert (found.excluded, found.n) == (4, 26)
    assert found.ranks == without.ranks


def test_ranks_of_a_function_of_means() -> None:
    draw = rng(4)
    methods = [[draw.normal(quality, 1, 200), draw.normal(cost, 2, 200)] for quality, cost in ((19, -2), (19.5, -6), (18, -1))]
    found = rank_methods(methods, np.arange(200), better="higher", generator=rng(), function=uas)
    assert [each.rank for each in found.ranks] == [2, 1, 3]
    assert [each.value for each in found.ranks] == pytest.approx([float(uas(a.mean(), b.mean())) for a, b in methods])
    assert [each.tier for each in found.ranks] == [2, 1, 3]


def test_one_method_is_first() -> None:
    assert [(each.rank, each.rank_low, each.rank_high, each.tier) for each in ranked([rng().normal(size=9)]).ranks] == [(1, 1, 1, 1)]


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(BenchError, match="two prompts"):
        ranked([np.array([1.0, np.nan]), np.array([np.nan, 1.0])])
    with pytest.raises(BenchError, match="same score columns"):
        rank_methods([[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]], ["a", "b"], better="lower", generator=rng())
    with pytest.raises(BenchError, match="at least one method"):
        rank_methods([], ["a", "b"], better="lower", generator=rng())
    with pytest.raises(BenchError, match="resamples"):
        ranked([np.array([1.0, 2.0])], resamples=1)


def test_same_seed_same_ranks() -> None:
    columns = methods_with((0.2, 0.25, 0.3), 60, rng(9))
    assert ranked(columns, seed=3).ranks == ranked(columns, seed=3).ranks


def test_tiers_are_chains() -> None:
    beats = np.zeros((4, 4), dtype=bool)
    beats[0, 2] = beats[2, 3] = beats[0, 3] = True
    assert tiers(np.array([4.0, 3.0, 2.0, 1.0]), beats) == [1, 1, 2, 3]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 7), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_rank_lies_in_its_interval_and_tiers_follow_who_beats_whom(methods: int, prompts: int, seed: int) -> None:
    draw = rng(seed)
    found = ranked(draw.normal(size=(methods, prompts)) + draw.normal(size=(methods, 1)), "higher", resamples=60)
    assert all(1 <= each.rank_low <= each.rank <= each.rank_high <= methods for each in found.ranks)
    for better, worse in zip(*np.nonzero(found.beats), strict=True):
        assert found.ranks[better].tier < found.ranks[worse].tier and found.ranks[better].rank < found.ranks[worse].rank
    assert {each.tier for each in found.ranks} == set(range(1, 1 + max(each.tier for each in found.ranks)))


def test_a_hundred_methods_take_seconds_and_little_memory() -> None:
    columns = methods_with(tuple(np.linspace(0.1, 0.4, 100)), 4703, rng(6)).astype(float)
    tracemalloc.start()
    start = time.process_time()
    found = ranked(columns, resamples=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 20 and peak < 150e6
    assert max(each.tier for each in found.ranks) > 3
