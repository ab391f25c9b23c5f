"""From score columns to sums per prompt: what every bootstrap and every paired test here works on.

Resampling sums and counts instead of rows makes the cost depend on the prompts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError

Floats = npt.NDArray[np.float64]

NUMBERS_AT_ONCE = 2**20
"""How many numbers the bootstraps hold at once: 8 MiB, whatever the number of prompts, methods and resamples."""

MANY = 2**13
"""From so many clusters on, several tables are summed in one product, in a sixth of the time; a small one may round the last bit otherwise."""


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Columns summed within each cluster, over the rows in which no column is missing.

    Attributes:
        sums: shape (clusters, columns).
        counts: rows per cluster, shape (clusters,), each at least 1.
        excluded: rows left out because at least one column was missing.
    """

    sums: Floats
    counts: Floats
    excluded: int

    @property
    def n(self) -> int:
        """Rows that were kept."""
        return int(self.counts.sum())

    @property
    def n_clusters(self) -> int:
        """Clusters with at least one row that was kept."""
        return len(self.counts)

    @property
    def effective_clusters(self) -> float:
        """How many clusters of one size tell as much: the fewer, the more unequal their sizes (see :func:`effective_number`)."""
        return effective_number(self.counts)

    @property
    def single(self) -> bool:
        """True where no cluster has more than one row, so that rows are as independent as prompts."""
        return bool((self.counts == 1).all())

    def means(self) -> Floats:
        """Return the mean of each column over the rows, shape (columns,)."""
        return np.asarray(self.sums.sum(axis=0) / self.counts.sum(), dtype=np.float64)

    def resampled_means(self, generator: np.random.Generator, resamples: int) -> Floats:
        """Return the column means of ``resamples`` draws of whole clusters with replacement, shape (resamples, columns)."""
        return resampled_means([self], generator, resamples)[0]


def resampled_means(data: Sequence[ClusterSums], generator: np.random.Generator, resamples: int) -> list[Floats]:
    """Return, for each of ``data``, the column means of ``resamples`` draws of whole clusters with replacement, shape (resamples, columns).

    All of them have the same number of clusters and see the same draws, so that each is what it would be alone: drawing costs more than summing.
    Clusters differ in size once rows are missing, so a draw's mean is its sum over its own count of rows.
    """
    clusters = data[0].n_clusters
    tables = [np.column_stack([each.sums, each.counts]) for each in data]
    ends = np.cumsum([table.shape[1] for table in tables])[:-1]
    if clusters >= MANY:
        tables = [np.column_stack(tables)]
    totals = [np.empty((resamples, table.shape[1])) for table in tables]
    at_once = max(1, NUMBERS_AT_ONCE // clusters)
    for start in range(0, resamples, at_once):
        times = times_drawn(generator, clusters, min(at_once, resamples - start))
        for total, table in zip(totals, tables, strict=True):
            total[start : start + at_once] = times @ table
    found = np.split(totals[0], ends, axis=1) if clusters >= MANY else totals
    return [np.asarray(total[:, :-1] / total[:, -1:], dtype=np.float64) for total in found]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The cluster of each row as a number, in the order of the labels' texts: what several columns of the same rows need not find out again.

    Attributes:
        codes: shape (rows,), from 0 on.
    """

    codes: npt.NDArray[np.intp]

    @classmethod
    def of(cls, clusters: Any) -> Labels:
        """Return the labels of ``clusters``: one of any type a row, or labels already."""
        if isinstance(clusters, cls):
            return clusters
        return cls(np.unique(np.asarray(clusters).astype(str), return_inverse=True)[1].astype(np.intp))

    def __len__(self) -> int:
        """Rows."""
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Labels:
        """Return the labels of some rows: a mask, positions or a slice."""
        return Labels(self.codes[rows])


def effective_number(weights: Floats) -> float:
    """Return how many equal weights are worth as much as these, (sum w)^2 / sum w^2, at least 2 (Kish 1965, Survey Sampling).

    Where a few clusters hold most of the rows, a variance between clusters is known from those few.
    """
    return max(2.0, float(weights.sum() ** 2 / (weights @ weights)))


def times_drawn(generator: np.random.Generator, clusters: int, resamples: int) -> Floats:
    """Return how often each resample drew each cluster, with replacement, shape (resamples, clusters); every row adds up to ``clusters``."""
    drawn = generator.integers(clusters, size=(resamples, clusters))
    times = np.empty((resamples, clusters))
    for row, numbers in zip(times, drawn, strict=True):  # one resample's counts stay in the processor's cache, all of them do not
        row[:] = np.bincount(numbers, minlength=clusters)
    return times


def as_floats(values: Any) -> Floats:
    """Return ``values`` (a sequence, an array or a pandas Series) as floats, with NaN for None, NA and the infinite.

    Raises:
        BenchError: they are not numbers or flags, or have more than one dimension.
    """
    try:
        # A nullable Series would otherwise become an array of objects, in which NA cannot be turned into a float.
        raw = values.to_numpy(dtype=np.float64, na_value=np.nan) if hasattr(values, "to_numpy") else np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BenchError(f"A score column holds something that is not a number: {error}. Expected numbers, flags or missing values.") from error
    floats = np.array(raw, dtype=np.float64)
    if floats.ndim != 1:
        raise BenchError(f"A score column must have one dimension; this one has shape {floats.shape}.")
    floats[~np.isfinite(floats)] = np.nan
    return floats


def as_flags(values: Any) -> Floats:
    """Return ``values`` as :func:`as_floats` does, refusing all but true, false and missing."""
    flags = as_floats(values)
    if not np.isin(flags[~np.isnan(flags)], (0.0, 1.0)).all():
        raise BenchError("A share needs flags: true, false or missing. Use a mean for numbers.")
    return flags


def cluster_sums(columns: Sequence[Any], clusters: Any) -> ClusterSums:
    """Sum ``columns`` within each cluster, over the rows in which none of them is missing.

    Args:
        columns: score columns of equal length, one row an image.
        clusters: the prompt id of each row, or its :class:`Labels`.

    Raises:
        BenchError: there is no column, or lengths differ, or a column is not numeric.
    """
    if not columns:
        raise BenchError("No score column was given; expected at least one.")
    table = [as_floats(column) for column in columns]
    labels = Labels.of(clusters)
    lengths = {len(column) for column in table} | {len(labels)}
    if len(lengths) > 1:
        raise BenchError(f"Score columns and prompt ids must have one length; these have {sorted(lengths)}.")
    kept = ~np.isnan(table).any(axis=0)
    cluster = labels.codes[kept]
    rows = np.bincount(cluster)
    there = rows > 0
    sums = [np.bincount(cluster, weights=column[kept])[there] for column in table]
    return ClusterSums(np.column_stack(sums), rows[there].astype(np.float64), int((~kept).sum()))
