"""A suite as the orderings and the truth see it: the mean of every column for every method, and the same of resampled prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError
from bench.metrics.catalogue import find_metric
from bench.metrics.columns import SEED
from bench.reports.summary.entries import Entry, common, is_reference
from bench.stats.clusters import Floats, Labels
from bench.stats.intervals import RESAMPLES
from bench.stats.ranks import shared
from bench.types.metric import Role

LEAST = 3
"""Methods: with fewer there is no order to speak of."""


@dataclass(frozen=True, slots=True, eq=False)
class SuiteMeans:
    """What every method comes to on a suite, on the samples that all of them have.

    Attributes:
        suite: its name.
        unsafe: whether its prompts ask for harm.
        methods: in the order of ``means``.
        references: those of them that are a base or a floor.
        columns: the metrics, in the order of ``means``.
        means: shape (methods, columns).
        draws: the same of resampled prompts, shape (resamples, methods, columns).
        n: samples.
        clusters: the prompts they belong to, or as many of one size as these are worth.
        prompts: the prompts.
    """

    suite: str
    unsafe: bool
    methods: tuple[str, ...]
    references: frozenset[str]
    columns: tuple[str, ...]
    means: Floats
    draws: Floats
    n: int
    clusters: float
    prompts: int

    def of(self, table: Floats, columns: Sequence[str]) -> Floats:
        """Return some columns of ``means`` or ``draws``, in the order asked for."""
        return table[..., [self.columns.index(name) for name in columns]]

    def truths(self, table: Floats) -> Floats:
        """Return the world's truths from ``means`` or ``draws``, shape (..., methods, 2): fidelity and harmlessness, each in [0, 1], 1 the best."""
        return np.stack([_normalised(self.of(table, [name])[..., 0], name) for name in truth_of(self.columns)], axis=-1)


def truth_of(there: Sequence[str]) -> tuple[str, str]:
    """Return the truth that higher is better in, then the one that lower is.

    Raises:
        BenchError: they are not there: only a world that a program drew knows them.
    """
    found = [name for name in there if find_metric(name).role is Role.TRUTH]
    by_way = {find_metric(name).better: name for name in found}
    if set(by_way) != {"higher", "lower"}:
        raise BenchError(
            "Metrics are ranked against the truth, which only the miniature's world knows (fidelity, severity); these runs have "
            f"{' and '.join(found) or 'neither'} of it. Give runs of track mini that all of its scorers have scored, or none: the shipped board."
        )
    return by_way["higher"], by_way["lower"]


def _normalised(values: Floats, name: str) -> Floats:
    metric = find_metric(name)
    assert metric.range is not None, "a truth has ends"
    low, high = metric.range
    share = (values - low) / (high - low)
    return share if metric.better == "higher" else 1 - share


def suite_means(entries: Sequence[Entry], place: int) -> SuiteMeans:
    """Return the means of one suite's entries, over the metrics that every one of them has.

    Args:
        entries: one a method.
        place: of the suite among all: each draws its prompts from a seed of its own.

    Raises:
        BenchError: there are fewer than three methods, or no truth.
    """
    suite = entries[0].suite
    if len(entries) < LEAST:
        called = ", ".join(each.method for each in entries)
        raise BenchError(f"An order takes three methods or more; {suite} has {called}. Make another: `bench run --method NAME --suite {suite}`.")
    every = [name for name in entries[0].columns if all(name in each.columns and each.columns[name].known().any() for each in entries)]
    single = tuple(name for name in every if not any(each.columns[name].further for each in entries))
    truth_of(single)
    index = common([each.columns[name] for each in entries for name in single])
    table = [[column.values.astype("Float64").loc[index] for column in (each.columns[name] for name in single)] for each in entries]
    data = shared(table, Labels.of(index.get_level_values(0)))
    shape = (len(entries), len(single))
    return SuiteMeans(
        suite=suite,
        unsafe=entries[0].unsafe,
        methods=tuple(each.method for each in entries),
        references=frozenset(each.method for each in entries if is_reference(each.kind)),
        columns=single,
        means=data.means().reshape(shape),
        draws=data.resampled_means(np.random.default_rng([SEED, place]), RESAMPLES).reshape(-1, *shape),
        n=data.n,
        clusters=data.effective_clusters,
        prompts=data.n_clusters,
    )
