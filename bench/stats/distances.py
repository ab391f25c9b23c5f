"""How far apart two sets of images are, by a network's features: the Frechet distance (behind FID) and the kernel distance (KID).

The Frechet distance of n images is too large by something like 1/n, so that values at different n do not compare, and its interval is of
the distance at this n. The kernel distance is unbiased and may be negative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError
from bench.stats.estimate import Estimate
from bench.stats.intervals import LEVEL
from bench.stats.jackknife import GROUPS, Rows, deal, jackknife_interval

Floats = npt.NDArray[np.float64]

_BLOCK = 2048
"""Rows and columns of a kernel matrix that are held at once."""


@dataclass(frozen=True, slots=True)
class Features:
    """One side: the features of its images.

    Attributes:
        values: shape (images, width), finite.
        clusters: the prompt id of each image; None where the set is held fixed, as reference photographs are.
    """

    values: npt.NDArray[Any]
    clusters: Any = None


@dataclass(frozen=True, slots=True)
class Moments:
    """One side as mean and covariance alone, held fixed.

    Attributes:
        mean: shape (width,).
        covariance: shape (width, width), symmetric.
    """

    mean: Floats
    covariance: Floats


def frechet(mu1: Any, sigma1: Any, mu2: Any, sigma2: Any) -> float:
    """Return the Frechet distance between two normal distributions, ``|mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2))``.

    The trace of the root is the sum of the roots of the eigenvalues of ``R' sigma1 R`` with ``R R' = sigma2``, a symmetric matrix, so that
    nothing complex and nothing singular comes up. Source: Heusel et al. 2017, arXiv:1706.08500, equation 6.

    Args:
        mu1: shape (width,).
        sigma1: shape (width, width), symmetric and positive semi-definite.
        mu2: as ``mu1``.
        sigma2: as ``sigma1``.
    """
    first, second = (Moments(np.asarray(mu, np.float64), np.asarray(sigma, np.float64)) for mu, sigma in ((mu1, sigma1), (mu2, sigma2)))
    return _frechet(first, second, _root(second.covariance))


def _frechet(first: Moments, second: Moments, root: Floats) -> float:
    """Return the Frechet distance, given the root of the second covariance."""
    apart = first.mean - second.mean
    shared = np.sqrt(np.linalg.eigvalsh(root.T @ first.covariance @ root).clip(0)).sum()
    return max(0.0, float(apart @ apart + np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared))


def _root(covariance: Floats) -> Floats:
    """Return R with R R' = ``covariance``, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(values.clip(0)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Features, and their products, summed over some images, about a centre."""

    n: int
    values: Floats
    products: Floats

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.n + other.n, self.values + other.values, self.products + other.products)

    def __sub__(self, other: _Sums) -> _Sums:
        return _Sums(self.n - other.n, self.values - other.values, self.products - other.products)

    def moments(self, centre: Floats) -> Moments:
        covariance = (self.products - np.outer(self.values, self.values) / self.n) / (self.n - 1)
        return Moments(centre + self.values / self.n, covariance)


class _Parts:
    """One side of a Frechet distance in groups of images: its moments, whole or without one group."""

    def __init__(self, values: npt.NDArray[Any], rows: Rows) -> None:
        self._values, self._rows = values, rows
        # About the mean: sums of products about 0 would lose the digits that a small variance is made of.
        self._centre = values.mean(axis=0, dtype=np.float64)
        self._whole = self._of(rows[0])
        for group in rows[1:]:
            self._whole += self._of(group)

    def moments(self) -> Moments:
        return self._whole.moments(self._centre)

    def without(self, group: int) -> Moments:
        return (self._whole - self._of(self._rows[group])).moments(self._centre)

    def _of(self, rows: npt.NDArray[np.intp]) -> _Sums:
        about = self._values[rows].astype(np.float64) - self._centre
        return _Sums(len(about), about.sum(axis=0), about.T @ about)


def moments(values: npt.NDArray[Any]) -> Moments:
    """Return mean and covariance (divided by n - 1) of features of shape (images, width), two images or more."""
    return _Parts(values, _blocks(len(values))).moments()


def frechet_distance(
    ours: Features,
    theirs: Features | Moments,
    *,
    generator: np.random.Generator,
    groups: int = GROUPS,
    level: float = LEVEL,
    advance: Callable[[int], None] = lambda done: None,
) -> Estimate:
    """Return the Frechet distance with a jackknife interval over the prompts.

    Args:
        ours: the images that are judged.
        theirs: what they are held against.
        generator: deals the prompts into groups.
        groups: of the jackknife, at most.
        level: nominal coverage.
        advance: called with 1 when a group is done.

    Raises:
        BenchError: a side has no more images than features, so that its covariance is singular, or the sides' widths differ.
    """
    _check(ours, theirs)
    width = ours.values.shape[1]
    for side in (ours, theirs):
        if isinstance(side, Features) and len(side.values) <= width:
            raise BenchError(
                f"A Frechet distance over {width} features takes more than {width} images a side, or the covariance is singular; "
                f"here is a side of {len(side.values)}. Run more prompts, or take the kernel distance alone."
            )
    dealt, theirs_dealt = _dealt(ours, theirs, generator, groups)
    first = _Parts(ours.values, dealt)
    if isinstance(theirs, Moments):
        second, fixed = None, theirs
    else:
        second = _Parts(theirs.values, theirs_dealt or _blocks(len(theirs.values)))
        fixed = second.moments()
    root = _root(fixed.covariance)
    value = _frechet(first.moments(), fixed, root)
    without = []
    for group in range(len(dealt) if len(dealt) > 1 else 0):
        if second is not None and theirs_dealt:
            fixed = second.without(group)
            root = _root(fixed.covariance)
        without.append(_frechet(first.without(group), fixed, root))
        advance(1)
    return _estimate(value, without, ours, theirs, level, least=0.0)


def kid(x: Any, y: Any) -> float:
    """Return the kernel distance: the unbiased squared maximum mean discrepancy with the kernel ``(x'y / width + 1)^3``, over all pairs.

    clean-fid averages it over random subsets of 1000 images a side, which has the same mean and a larger spread.
    Source: Binkowski et al. 2018, arXiv:1801.01401, section 4.

    Args:
        x: features of shape (images, width), two images or more.
        y: likewise; another number of images will do.
    """
    first, second = np.asarray(x), np.asarray(y)
    return _Kernels(first, _blocks(len(first)), second, _blocks(len(second))).distance()


def kernel_distance(
    ours: Features,
    theirs: Features,
    *,
    generator: np.random.Generator,
    groups: int = GROUPS,
    level: float = LEVEL,
    advance: Callable[[int], None] = lambda done: None,
) -> Estimate:
    """Return the kernel distance (:func:`kid`) with a jackknife interval over the prompts; arguments as in :func:`frechet_distance`.

    Raises:
        BenchError: a side has fewer than two images, or the sides' widths differ.
    """
    _check(ours, theirs)
    dealt, theirs_dealt = _dealt(ours, theirs, generator, groups)
    kernels = _Kernels(ours.values, dealt, theirs.values, theirs_dealt or _blocks(len(theirs.values)), advance)
    without = [kernels.distance(group, both=bool(theirs_dealt)) for group in range(len(dealt) if len(dealt) > 1 else 0)]
    return _estimate(kernels.distance(), without, ours, theirs, level)


class _Kernels:
    """The kernel summed over every pair of groups, so that leaving one out costs nothing."""

    def __init__(
        self,
        x: npt.NDArray[Any],
        x_rows: Sequence[npt.NDArray[np.intp]],
        y: npt.NDArray[Any],
        y_rows: Sequence[npt.NDArray[np.intp]],
        advance: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._x_counts, self._y_counts = (np.array([len(rows) for rows in each], dtype=np.float64) for each in (x_rows, y_rows))
        self._xx, self._yy = np.zeros((len(x_rows), len(x_rows))), np.zeros((len(y_rows), len(y_rows)))
        self._xy = np.zeros((len(x_rows), len(y_rows)))
        for index, rows in enumerate(x_rows):
            group = x[rows].astype(np.float64)
            for other in range(index + 1):
                self._xx[index, other] = self._xx[other, index] = _kernel_sum(group, x[x_rows[other]], same=index == other)
            for other, other_rows in enumerate(y_rows):
                self._xy[index, other] = _kernel_sum(group, y[other_rows])
            advance(1)
        for index, rows in enumerate(y_rows):
            group = y[rows].astype(np.float64)
            for other in range(index + 1):
                self._yy[index, other] = self._yy[other, index] = _kernel_sum(group, y[y_rows[other]], same=index == other)

    def distance(self, without: int | None = None, *, both: bool = True) -> float:
        """Return the distance of everything, or without a group of x, and of y too where ``both``."""
        keep_x, keep_y = np.ones(len(self._x_counts)), np.ones(len(self._y_counts))
        if without is not None:
            keep_x[without] = 0
            if both:
                keep_y[without] = 0
        n, m = keep_x @ self._x_counts, keep_y @ self._y_counts
        within = keep_x @ self._xx @ keep_x / (n * (n - 1)) + keep_y @ self._yy @ keep_y / (m * (m - 1))
        return float(within - 2 * (keep_x @ self._xy @ keep_y) / (n * m))


def _kernel_sum(x: npt.NDArray[Any], y: npt.NDArray[Any], *, same: bool = False) -> float:
    """Return the kernel summed over all pairs of rows; of the ``same`` rows, over all pairs of two."""
    total = 0.0
    for start in range(0, len(y), _BLOCK):
        columns = y[start : start + _BLOCK].astype(np.float64).T
        for top in range(0, len(x), _BLOCK):
            total += float(((x[top : top + _BLOCK] @ columns / x.shape[1] + 1) ** 3).sum())
    if same:
        total -= float(((np.einsum("ij,ij->i", x, x) / x.shape[1] + 1) ** 3).sum())
    return total


def _blocks(n: int) -> Rows:
    """Return the rows 0 to n - 1 in blocks that memory holds."""
    return [np.arange(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]


def _dealt(ours: Features, theirs: Features | Moments, generator: np.random.Generator, groups: int) -> tuple[Rows, Rows]:
    """Return each side's rows by group; none for a side that is held fixed."""
    if isinstance(theirs, Features) and theirs.clusters is not None:
        first, second = deal([ours.clusters, theirs.clusters], generator, groups)
        return first, second
    return deal([ours.clusters], generator, groups)[0], []


def _check(ours: Features, theirs: Features | Moments) -> None:
    widths = [ours.values.shape[1], theirs.values.shape[1] if isinstance(theirs, Features) else len(theirs.mean)]
    if widths[0] != widths[1]:
        raise BenchError(f"These are features of two networks: {widths[0]} numbers an image on one side, {widths[1]} on the other.")
    for side in (ours, theirs):
        if isinstance(side, Features) and len(side.values) < 2:
            raise BenchError(f"A distance takes two images a side at least; here is a side of {len(side.values)}.")


def _estimate(
    value: float, without: Sequence[float], ours: Features, theirs: Features | Moments, level: float, least: float | None = None
) -> Estimate:
    labels = np.unique(np.asarray(ours.clusters).astype(str))
    if not without:
        return Estimate(value, None, None, len(ours.values), len(labels), "none: one prompt", 0, level)
    low, high = jackknife_interval(value, without, level)
    fixed = "" if isinstance(theirs, Features) and theirs.clusters is not None else ", the reference held fixed"
    method = f"jackknife, {len(without)} groups of prompts{fixed}"
    return Estimate(value, low if least is None else max(least, low), high, len(ours.values), len(labels), method, 0, level)
