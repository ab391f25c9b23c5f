"""Intervals, paired tests, ranks, trade-offs and power: NumPy and SciPy only, so that they serve any table, with or without a model at hand.

The unit of resampling is the prompt: images of one prompt are one cluster. What is missing (None, NaN, infinite) is
excluded and counted, never read as 0. All randomness comes from a generator that the caller seeds.

How often each interval holds the truth is measured by `benchmarks/coverage.py`; `docs/statistics.md` says how to read them.
"""

from __future__ import annotations

from bench.stats.detector import Calibration, calibrate, corrected_proportion
from bench.stats.estimate import Estimate
from bench.stats.intervals import function_of_means, mean, proportion, wilson
from bench.stats.maximum import expected_maximum
from bench.stats.paired import Comparison, McNemar, benjamini_hochberg, compare_flags, compare_means, holm, mcnemar, risk_difference
from bench.stats.pareto import Ellipse, TradeOff, trade_offs
from bench.stats.ranks import Rank, Ranking, rank_methods
from bench.stats.sensitivity import Band, uas_bands

__all__ = [
    "Band",
    "Calibration",
    "Comparison",
    "Ellipse",
    "Estimate",
    "McNemar",
    "Rank",
    "Ranking",
    "TradeOff",
    "benjamini_hochberg",
    "calibrate",
    "compare_flags",
    "compare_means",
    "corrected_proportion",
    "expected_maximum",
    "function_of_means",
    "holm",
    "mcnemar",
    "mean",
    "proportion",
    "rank_methods",
    "risk_difference",
    "trade_offs",
    "uas_bands",
    "wilson",
]
