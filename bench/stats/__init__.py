"""Intervals and paired tests: NumPy and SciPy only, so that they serve any table, with or without a model at hand.

The unit of resampling is the prompt: images of one prompt are one cluster. What is missing (None, NaN, infinite) is
excluded and counted, never read as 0. All randomness comes from a generator that the caller seeds.

Few prompts make the percentile bootstrap a little too sure: in simulations with 20 prompts its 95% intervals held the truth
about 92 times in 100, with 300 about 95 times.
"""

from __future__ import annotations

from bench.stats.estimate import Estimate
from bench.stats.intervals import function_of_means, mean, proportion, wilson
from bench.stats.paired import Comparison, McNemar, compare_flags, compare_means, holm, mcnemar, risk_difference

__all__ = [
    "Comparison",
    "Estimate",
    "McNemar",
    "compare_flags",
    "compare_means",
    "function_of_means",
    "holm",
    "mcnemar",
    "mean",
    "proportion",
    "risk_difference",
    "wilson",
]
