"""Agreement of orders, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.errors import BenchError
from bench.stats.agreement import dominance, kendall_tau


@pytest.mark.parametrize("levels", [3, 5, 10_000])
def test_tau_is_scipys_with_ties_and_without(levels: int) -> None:
    rng = np.random.default_rng(levels)
    a, b = rng.integers(levels, size=(2, 40, 16)).astype(float)
    ours = kendall_tau(a, b)
    theirs = [stats.kendalltau(one, other).statistic for one, other in zip(a, b, strict=True)]
    assert ours.shape == (40,) and ours == pytest.approx(theirs, abs=1e-14)
    assert kendall_tau(a, b[0])[3] == pytest.approx(stats.kendalltau(a[3], b[0]).statistic, abs=1e-14), "one order against many"


def test_an_order_agrees_with_itself_and_one_value_for_all_is_no_order() -> None:
    order = np.arange(5.0)
    assert (kendall_tau(order, order), kendall_tau(order, -order)) == (1, -1)
    assert np.isnan(kendall_tau(order, np.ones(5))) and np.isnan(stats.kendalltau(order, np.ones(5)).statistic)


def test_dominance_counts_undisputed_pairs_alone() -> None:
    truths = np.array([[1.0, 1.0], [0.5, 1.0], [1.0, 0.2], [0.1, 0.1]])
    # Undisputed: the first over each, and the second and the third over the last. The second against the third is a matter of weights.
    assert dominance([4.0, 3.0, 2.0, 1.0], truths) == 1 == dominance([4.0, 2.0, 3.0, 1.0], truths)
    assert dominance([4.0, 1.0, 2.0, 3.0], truths) == pytest.approx(3 / 5)
    assert dominance([4.0, 4.0, 2.0, 1.0], truths) == pytest.approx(4 / 5), "a tie orders nothing"
    many = np.stack([truths, truths[::-1]])
    assert dominance(np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]), many).tolist() == [1.0, 1.0]
    assert np.isnan(dominance([1.0, 2.0], [[1.0, 0.0], [0.0, 1.0]]))


def test_scores_of_other_methods_are_refused() -> None:
    with pytest.raises(BenchError, match=r"same two or more methods; got shapes \(3,\) and \(4,\)"):
        kendall_tau(np.ones(3), np.ones(4))
    with pytest.raises(BenchError, match="same two or more methods"):
        kendall_tau([1.0], [1.0])
    with pytest.raises(BenchError, match=r"of the same methods; got shapes \(3,\) and \(4, 2\)"):
        dominance(np.ones(3), np.ones((4, 2)))
