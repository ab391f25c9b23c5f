"""The share behind a detector's flags: the published interval's numbers, its coverage, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import BenchError
from bench.stats import Calibration, Estimate, calibrate, corrected_proportion, proportion


def corrected(hits: int, n: int, *counts: int) -> Estimate:
    return corrected_proportion([True] * hits + [False] * (n - hits), range(n), Calibration(*counts))


def test_rogan_and_gladen_on_paper() -> None:
    # Flagged: 0.9 x 0.2 + 0.05 x 0.8 = 0.22.
    assert corrected(22, 100, 90, 100, 95, 100).value == pytest.approx(0.2)
    assert corrected(22, 100, 90, 100, 95, 100).method == "Rogan-Gladen, Lang-Reiczigel, 200 labelled images"


def test_lang_and_reiczigels_interval_step_by_step() -> None:
    # 60 of 200 flagged; 45 of 50 harmful caught, 76 of 80 harmless cleared. By a calculator, with z = 1.959964:
    # share' = (60 + 1.920729) / 203.841459 = 0.303769; Se' = 46/52 = 0.884615; Sp' = 77/82 = 0.939024; Se' + Sp' - 1 = 0.823640
    # p = (0.303769 + 0.939024 - 1) / 0.823640 = 0.294780; v_Se = 0.0019629; v_Sp = 0.00069828
    # shift = 2 z^2 (0.294780 x 0.0019629 - 0.705220 x 0.00069828) = 0.0006621
    # half = z sqrt(0.303769 x 0.696231 / 203.841459 + 0.294780^2 x 0.0019629 + 0.705220^2 x 0.00069828) / 0.823640 = 0.093849
    result = corrected(60, 200, 45, 50, 76, 80)
    assert (result.low, result.high) == pytest.approx((0.294781 + 0.000662 - 0.093849, 0.294781 + 0.000662 + 0.093849), abs=5e-6)
    assert result.value == pytest.approx((0.3 - 0.05) / 0.85)


def test_more_labels_narrow_and_perfect_ones_end_at_the_shares_own_interval() -> None:
    few, many, endless = (corrected(60, 200, 9 * k, 10 * k, 19 * k, 20 * k) for k in (3, 30, 10**7))
    assert few.high - few.low > many.high - many.low > endless.high - endless.low
    perfect = corrected(60, 200, 10**9, 10**9, 10**9, 10**9)
    own = proportion([True] * 60 + [False] * 140, range(200))
    # Agresti and Coull's interval, which has Wilson's centre and is as good as equal to it here.
    assert (perfect.value, perfect.low, perfect.high) == (pytest.approx(0.3), pytest.approx(own.low, abs=2e-3), pytest.approx(own.high, abs=2e-3))


def test_fewer_flags_than_false_alarms_is_none() -> None:
    result = corrected(8, 100, 90, 100, 90, 100)
    assert (result.value, result.low) == (0.0, 0.0)
    assert 0 < result.high < 0.15
    full = corrected(92, 100, 90, 100, 90, 100)
    assert (full.value, full.high) == (1.0, 1.0)


@pytest.mark.parametrize(("hits", "share"), [(0, 0.0), (100, 1.0)])
def test_a_calibration_that_cannot_be_right_here_gives_no_interval(hits: int, share: float) -> None:
    result = corrected(hits, 100, 800, 1000, 800, 1000)
    assert (result.value, result.low, result.high) == (share, None, None)
    assert "does not fit" in result.method


def test_images_of_one_prompt_count_for_what_they_are_worth() -> None:
    flags = np.random.default_rng(1).random(60) < 0.4
    calibration = Calibration(900, 1000, 950, 1000)
    once = corrected_proportion(flags, range(60), calibration)
    copied = corrected_proportion(np.repeat(flags, 8), np.repeat(range(60), 8), calibration)
    assert copied.value == pytest.approx(once.value)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.05)
    assert corrected_proportion([True, False], ["a", "a"], calibration).low is None


def test_few_prompts_with_several_images_have_students_width() -> None:
    flags, clusters = [True, True, False, False] * 4, np.repeat(range(8), 2)
    own, corrected_one = proportion(flags, clusters), corrected_proportion(flags, clusters, Calibration(10**9, 10**9, 10**9, 10**9))
    # At one half Agresti and Coull's interval is Wilson's.
    assert (corrected_one.low, corrected_one.high) == pytest.approx((own.low, own.high), abs=1e-6)


def test_missing_is_excluded_and_nothing_is_none() -> None:
    calibration = Calibration(90, 100, 95, 100)
    result = corrected_proportion([True, None, False], list("abc"), calibration)
    assert (result.n, result.excluded) == (2, 1)
    assert corrected_proportion([None], ["a"], calibration).value is None


def test_calibration_counts_right_answers_and_leaves_missing_ones_out() -> None:
    found = calibrate([True, True, False, False, False, None, True], [True, True, True, False, False, True, None])
    assert found == Calibration(2, 3, 2, 2, excluded=2)
    assert (found.sensitivity, found.specificity) == (pytest.approx(2 / 3), 1.0)


@pytest.mark.parametrize(
    ("counts", "says"), [((3, 2, 1, 1), "no more right"), ((0, 0, 1, 1), "harmful and harmless"), ((5, 10, 5, 10), "no more often")]
)
def test_a_calibration_that_says_nothing_is_refused(counts: tuple[int, ...], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        Calibration(*counts)


def test_labels_must_fit() -> None:
    with pytest.raises(BenchError, match="one label an image"):
        calibrate([True, False], [True])
    with pytest.raises(BenchError, match="flags"):
        calibrate([0.4, 1.0], [True, False])


def test_it_covers_where_the_detectors_share_does_not() -> None:
    draw, repeats, held, naive = np.random.default_rng(3), 400, 0, 0
    truth = np.repeat([True, False], 150)
    for _ in range(repeats):
        calibration = calibrate(draw.random(300) < np.where(truth, 0.85, 0.1), truth)
        flags = draw.random(300) < np.where(draw.random(300) < 0.2, 0.85, 0.1)
        result, own = corrected_proportion(flags, range(300), calibration), proportion(flags, range(300))
        held += result.low <= 0.2 <= result.high
        naive += own.low <= 0.2 <= own.high
    # Lang and Reiczigel's intervals err to the safe side.
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / repeats) < held / repeats <= 0.995
    assert naive / repeats < 0.5
