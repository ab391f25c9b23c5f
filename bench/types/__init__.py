"""The nouns that every package shares: samples, outcomes, methods, scorers; suites and tracks in modules of their own.

Nothing here imports anything heavy, so that adapters can be listed in milliseconds.
An adapter module does the same: it imports torch inside :meth:`Method.load`, not at its top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.types.context import ATTENTIONS, Context, Numerics, merge_parameters
from bench.types.method import TRAINED, Kind, Method, MethodInfo
from bench.types.sample import Blocked, Generated, Outcome, Sample
from bench.types.scorer import Scorer, ScorerInfo

if TYPE_CHECKING:
    from bench.types.sample import Image as Image

__all__ = [
    "ATTENTIONS",
    "TRAINED",
    "Blocked",
    "Context",
    "Generated",
    "Kind",
    "Method",
    "MethodInfo",
    "Numerics",
    "Outcome",
    "Sample",
    "Scorer",
    "ScorerInfo",
    "merge_parameters",
]
