"""Distances against SciPy and plain loops, intervals against doing it all again, and how often they hold the truth."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy import linalg

from bench.errors import BenchError
from bench.stats.distances import Features, Moments, frechet, frechet_distance, kernel_distance, kid, moments
from bench.stats.jackknife import deal, jackknife_interval


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some(n: int, width: int, seed: int, scale: float = 1.0) -> np.ndarray:
    """Features with correlations and a skew, as float32."""
    draw = rng(seed)
    return np.abs(draw.normal(size=(n, width)) @ rng(99).normal(size=(width, width)) * scale).astype(np.float32)


@pytest.mark.parametrize(("width", "n", "m"), [(1, 5, 9), (8, 40, 60), (64, 200, 100)])
def test_frechet_is_what_scipys_matrix_root_gives(width: int, n: int, m: int) -> None:
    x, y = some(n, width, 1), some(m, width, 2, 1.2)
    mu1, mu2 = x.mean(axis=0, dtype=float), y.mean(axis=0, dtype=float)
    sigma1, sigma2 = (np.atleast_2d(np.cov(each.astype(float), rowvar=False)) for each in (x, y))
    expected = ((mu1 - mu2) ** 2).sum() + np.trace(sigma1 + sigma2 - 2 * np.real(linalg.sqrtm(sigma1 @ sigma2)))
    assert frechet(mu1, sigma1, mu2, sigma2) == pytest.approx(expected, rel=1e-9)
    assert frechet(mu2, sigma2, mu1, sigma1) == pytest.approx(expected, rel=1e-9)
    assert frechet(mu1, sigma1, mu1, sigma1) == pytest.approx(0, abs=1e-9 * np.trace(sigma1))
    ours, theirs = Features(x, range(n)), Features(y, range(m))
    if width > 1:
        assert frechet_distance(ours, theirs, generator=rng()).value == pytest.approx(expected, rel=1e-9)


def test_frechet_keeps_its_digits_where_a_covariance_is_nearly_or_quite_singular() -> None:
    turn = linalg.qr(rng(3).normal(size=(300, 300)))[0]
    first, second = np.logspace(2, -14, 300), np.logspace(1, -12, 300)
    second[-100:] = 0
    sigma1, sigma2 = (turn * first) @ turn.T, (turn * second) @ turn.T
    expected = ((np.sqrt(first) - np.sqrt(second)) ** 2).sum()  # both turn the same way
    assert frechet(np.zeros(300), sigma1, np.zeros(300), sigma2) == pytest.approx(expected, rel=1e-6)


def test_moments_are_numpys_far_from_zero_too() -> None:
    x = (some(5000, 3, 4) + 1e3).astype(np.float32)
    found = moments(x)
    np.testing.assert_allclose(found.mean, x.mean(axis=0, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(x.astype(float), rowvar=False), rtol=1e-9)


def all_pairs(x: np.ndarray, y: np.ndarray) -> float:
    """KID by its definition."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (float(a.astype(float) @ b.astype(float)) / len(a) + 1) ** 3

    within = sum(np.mean([kernel(a, b) for a, b in permutations(side, 2)]) for side in (x, y))
    return float(within - 2 * np.mean([kernel(a, b) for a, b in product(x, y)]))


def test_kid_is_its_definition_and_the_mean_of_all_subsets() -> None:
    x, y = some(6, 5, 5, 0.3), some(5, 5, 6, 0.4)
    assert kid(x, y) == pytest.approx(all_pairs(x, y), rel=1e-9)
    subsets = [kid(x[list(some_x)], y[list(some_y)]) for some_x in combinations(range(6), 3) for some_y in combinations(range(5), 3)]
    assert kid(x, y) == pytest.approx(np.mean(subsets), rel=1e-9)  # clean-fid draws some of them


def test_kid_in_blocks_is_kid_at_once() -> None:
    x, y = some(2500, 4, 7, 0.3), some(2100, 4, 8, 0.31)
    gram = [(a.astype(float) @ b.astype(float).T / 4 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    within = [(each.sum() - np.trace(each)) / (len(each) * (len(each) - 1)) for each in gram[:2]]
    assert kid(x, y) == pytest.approx(sum(within) - 2 * gram[2].mean(), rel=1e-7)


def _one_by_one(function: object, ours: Features, theirs: Features, fixed: bool) -> list[float]:
    """Return the number without each group, computed from the images alone."""
    if fixed:
        (rows,), others = deal([ours.clusters], rng(1), 5), None
    else:
        rows, others = deal([ours.clusters, theirs.clusters], rng(1), 5)
    found = []
    for group in range(5):
        x = np.delete(ours.values, rows[group], axis=0)
        y = theirs.values if others is None else np.delete(theirs.values, others[group], axis=0)
        found.append(function(x, y))  # type: ignore[operator]
    return found


def _frechet_of(x: np.ndarray, y: np.ndarray) -> float:
    return frechet(x.mean(axis=0, dtype=float), np.cov(x.astype(float).T), y.mean(axis=0, dtype=float), np.cov(y.astype(float).T))


@pytest.mark.parametrize("kind", ["shared prompts", "other prompts", "fixed"])
@pytest.mark.parametrize(("estimate", "plain"), [(frechet_distance, _frechet_of), (kernel_distance, kid)])
def test_intervals_are_those_of_leaving_groups_out(estimate: object, plain: object, kind: str) -> None:
    ours = Features(some(60, 4, 9, 0.3), np.repeat(np.arange(30), 2))
    labels = {"shared prompts": np.repeat(np.arange(30), 3), "other prompts": np.repeat(np.arange(100, 130), 3), "fixed": None}[kind]
    theirs = Features(some(90, 4, 10, 0.35), labels)
    found = estimate(ours, theirs, generator=rng(1), groups=5)  # type: ignore[operator]
    value = plain(ours.values, theirs.values)  # type: ignore[operator]
    low, high = jackknife_interval(value, _one_by_one(plain, ours, theirs, kind == "fixed"))
    assert found.value == pytest.approx(value, rel=1e-8)
    assert (found.low, found.high) == pytest.approx((max(low, 0.0) if estimate is frechet_distance else low, high), rel=1e-6)
    assert (found.n, found.n_clusters) == (60, 30) and found.method.endswith("held fixed") == (kind == "fixed")


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = rng(2).normal(size=40)
    without = [np.delete(values, index).mean() for index in range(40)]
    low, high = jackknife_interval(float(values.mean()), without)
    assert high - low == pytest.approx(2 * 2.022691 * values.std(ddof=1) / np.sqrt(40), rel=1e-6)  # Student's t with 39 degrees


def test_a_shared_prompt_is_in_one_group_and_groups_are_even() -> None:
    first = np.repeat(np.arange(100), 2)
    second = np.arange(60, 200)
    both = (first, second)
    dealt = deal(both, rng(0), 20)
    groups = [{label: group for group, rows in enumerate(side) for label in labels[rows]} for side, labels in zip(dealt, both, strict=True)]
    assert all(groups[0][label] == groups[1][label] for label in range(60, 100))
    for side, labels in zip(dealt, both, strict=True):
        assert sorted(np.concatenate(side)) == list(range(len(labels)))
        sizes = [len(np.unique(labels[rows])) for rows in side]
        assert max(sizes) - min(sizes) <= 2
    assert len(deal([np.array(["a", "b", "a"])], rng(0), 20)[0]) == 2


@pytest.mark.parametrize("estimate", [frechet_distance, kernel_distance])
def test_an_interval_holds_the_expected_value_about_as_often_as_it_says(estimate: object) -> None:
    draw, found = rng(11), []
    for _ in range(150):
        prompts = draw.normal(size=(80, 1, 3))  # what the images of a prompt have in common, on both sides
        x, y = (np.abs(0.7 * prompts + 0.7 * draw.normal(size=(80, 2, 3)) + shift).reshape(160, 3) for shift in (0, 0.4))
        labels = np.repeat(np.arange(80), 2)
        found.append(estimate(Features(x, labels), Features(y, labels), generator=draw))  # type: ignore[operator]
    truth = np.mean([each.value for each in found])
    assert 0.88 <= np.mean([each.low <= truth <= each.high for each in found]) <= 0.99
    assert np.mean([each.high - each.low for each in found]) < 6 * np.std([each.value for each in found])


def test_a_set_is_at_no_distance_from_itself() -> None:
    side = Features(some(50, 4, 12), np.arange(50))
    found = frechet_distance(side, side, generator=rng())
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0), abs=1e-8)


def test_moments_stand_for_their_images() -> None:
    ours, theirs = Features(some(50, 4, 13), np.arange(50)), some(70, 4, 14)
    found = frechet_distance(ours, moments(theirs), generator=rng())
    assert found == frechet_distance(ours, Features(theirs), generator=rng())


def test_too_few_images_are_refused_and_one_prompt_has_no_interval() -> None:
    ours = Features(some(5, 4, 15), np.zeros(5))
    with pytest.raises(BenchError, match=r"over 4 features takes more than 4 images a side.*here is a side of 4"):
        frechet_distance(ours, Features(some(4, 4, 16)), generator=rng())
    with pytest.raises(BenchError, match="two networks: 4 numbers an image on one side, 3 on the other"):
        kernel_distance(ours, Features(some(9, 3, 16)), generator=rng())
    with pytest.raises(BenchError, match="two networks"):
        frechet_distance(ours, Moments(np.zeros(3), np.eye(3)), generator=rng())
    with pytest.raises(BenchError, match="two images a side at least; here is a side of 1"):
        kernel_distance(ours, Features(some(1, 4, 16)), generator=rng())
    found = frechet_distance(ours, Features(some(9, 4, 16)), generator=rng())
    assert found.value is not None and (found.low, found.high, found.method) == (None, None, "none: one prompt")
