"""How far one order of methods agrees with another: Kendall's tau, and the share of undisputed pairs that a score gets right.

Both work on the last axis, so that all resamples of a bootstrap are one call.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError
from bench.stats.clusters import Floats


def kendall_tau(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return Kendall's tau-b of two scores of the same methods (Kendall 1945, Biometrika 33:239-251).

    Concordant less discordant pairs, over the geometric mean of the pairs that are not tied in either. Every pair counts the same, whether the
    two methods lie far apart or not.

    Args:
        a: shape (..., methods).
        b: likewise; leading axes broadcast.

    Returns:
        Shape (...): in [-1, 1], NaN where all methods of one side have the same score.

    Raises:
        BenchError: the two are of different methods, or of fewer than two.
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if one.ndim == 0 or other.ndim == 0 or one.shape[-1] != other.shape[-1] or one.shape[-1] < 2:
        raise BenchError(f"Kendall's tau takes two scores of the same two or more methods; got shapes {one.shape} and {other.shape}.")
    i, j = np.triu_indices(one.shape[-1], 1)
    ours, theirs = np.sign(one[..., i] - one[..., j]), np.sign(other[..., i] - other[..., j])
    untied = np.sqrt(np.abs(ours).sum(axis=-1) * np.abs(theirs).sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((ours * theirs).sum(axis=-1) / untied, dtype=np.float64)


def dominance(score: npt.ArrayLike, truths: npt.ArrayLike) -> Floats:
    """Return the share of the undisputed pairs that ``score`` orders rightly.

    A pair is undisputed where one method is at least as good in every truth and better in one: whatever the truths' weights are, it is the better
    one. A score that gives both the same value has not ordered them.

    Args:
        score: shape (..., methods), higher is better.
        truths: shape (..., methods, truths), higher is better.

    Returns:
        Shape (...): in [0, 1], NaN where no pair is undisputed.

    Raises:
        BenchError: the two are of different methods.
    """
    found, known = np.asarray(score, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    if found.ndim == 0 or known.ndim < 2 or found.shape[-1] != known.shape[-2]:
        raise BenchError(f"Dominance takes a score and truths of the same methods; got shapes {found.shape} and {known.shape}.")
    better, least = known[..., :, None, :] > known[..., None, :, :], known[..., :, None, :] >= known[..., None, :, :]
    undisputed = least.all(axis=-1) & better.any(axis=-1)
    right = undisputed & (found[..., :, None] > found[..., None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(right.sum(axis=(-1, -2)) / undisputed.sum(axis=(-1, -2)), dtype=np.float64)
