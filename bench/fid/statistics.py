"""Reference statistics as clean-fid and pytorch-fid keep them: an ``.npz`` file with ``mu`` and ``sigma``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.errors import BenchError, first_line
from bench.stats.distances import Moments


def read_statistics(file: Path, width: int) -> Moments:
    """Return the mean and covariance in an ``.npz`` file. It says neither how many images they are of nor by which rules.

    Args:
        file: the file.
        width: features that the network has.

    Raises:
        BenchError: it is damaged, lacks either, or they are of another width, not finite, or no covariance.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            mean, covariance = (np.asarray(stored[name], dtype=np.float64) for name in ("mu", "sigma"))
    except Exception as error:
        first = first_line(error)
        raise BenchError(
            f"{file} is no file of statistics: {first}. Expected an .npz with arrays `mu` and `sigma`, as clean-fid writes it."
        ) from error
    wrong = ""
    if mean.shape != (width,) or covariance.shape != (width, width):
        wrong = f"`mu` has shape {mean.shape} and `sigma` {covariance.shape}; expected ({width},) and ({width}, {width})"
    elif not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        wrong = "not all of its numbers are finite"
    elif (covariance.diagonal() < 0).any() or not np.allclose(covariance, covariance.T, rtol=1e-4, atol=1e-6 * np.abs(covariance).max()):
        wrong = "`sigma` is no covariance: it must be symmetric, with a diagonal of 0 or more"
    if wrong:
        raise BenchError(f"{file} does not fit: {wrong}. Make it again with the network that the run was scored by.")
    return Moments(mean, (covariance + covariance.T) / 2)
