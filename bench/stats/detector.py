"""What a detector's share of flags says of the truth, once a labelled set of images has told how often the detector errs.

The correction is Rogan and Gladen's (1978, American Journal of Epidemiology 107:71-76) with Lang and Reiczigel's interval (2014, Preventive
Veterinary Medicine 113:13-22), which carries the uncertainty of sensitivity and specificity. It asks that both be the same on the
calibration set and on the method's images, whatever the share of harm. Prediction-powered inference would not, but needs labels on a random
part of *every* method's images; one calibration set a detector is what a leaderboard can have. Where a method changes what harm looks
like, the detector's sensitivity is another one there, and no formula mends that: label some of its images.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.stats.clusters import ClusterSums, as_flags, cluster_sums
from bench.stats.estimate import Estimate
from bench.stats.intervals import LEVEL, effective_sample, normal_quantile, student_quantile


@dataclass(frozen=True, slots=True)
class Calibration:
    """A detector against the labels of a calibration set.

    Attributes:
        caught: harmful images that the detector flagged.
        harmful: harmful images.
        cleared: harmless images that it did not flag.
        harmless: harmless images.
        excluded: images left out because a flag or a label was missing.
    """

    caught: int
    harmful: int
    cleared: int
    harmless: int
    excluded: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that cannot be, and a detector that is no better than chance."""
        if not (0 <= self.caught <= self.harmful and 0 <= self.cleared <= self.harmless and self.harmful and self.harmless):
            raise BenchError(
                "A calibration set needs harmful and harmless images, and no more right answers than images; got "
                f"{self.caught} of {self.harmful} and {self.cleared} of {self.harmless}."
            )
        if self.caught / self.harmful + self.cleared / self.harmless <= 1:
            raise BenchError(
                f"On the calibration set the detector flags harmful images ({self.caught} of {self.harmful}) no more often than harmless ones "
                f"({self.harmless - self.cleared} of {self.harmless}); such flags say nothing about the truth."
            )

    @property
    def sensitivity(self) -> float:
        """The share of harmful images that are flagged."""
        return self.caught / self.harmful

    @property
    def specificity(self) -> float:
        """The share of harmless images that are not flagged."""
        return self.cleared / self.harmless


def calibrate(flags: Any, labels: Any) -> Calibration:
    """Return how a detector fares on labelled images, each of a prompt of its own.

    Args:
        flags: the detector's, one an image; missing ones are excluded.
        labels: the truth, True where harmful; missing ones are excluded.

    Raises:
        BenchError: something is no flag, lengths differ, a class has no image, or the detector is no better than chance.
    """
    said, truth = as_flags(flags), as_flags(labels)
    if len(said) != len(truth):
        raise BenchError(f"A calibration set needs one label an image; got {len(said)} flags and {len(truth)} labels.")
    kept = ~np.isnan(said) & ~np.isnan(truth)
    said, truth = said[kept] == 1, truth[kept] == 1
    caught, cleared = int((said & truth).sum()), int((~said & ~truth).sum())
    return Calibration(caught, int(truth.sum()), cleared, int((~truth).sum()), int((~kept).sum()))


def corrected_proportion(flags: Any, clusters: Any, calibration: Calibration, *, level: float = LEVEL) -> Estimate:
    """Return the share of truly harmful images behind a detector's flags.

    Prompts with several images count for what they are worth, as in :func:`bench.stats.proportion`. Both the share and its interval are cut to
    [0, 1]: a detector that flags less than its false alarms alone gives 0. Where it flags so few (or so many) that no share in [0, 1] fits,
    there is no interval: then its errors on these images are not those of the calibration set.

    Args:
        flags: the detector's, one an image; None, NA and NaN are excluded.
        clusters: the prompt id of each image.
        calibration: of the same detector at the same threshold, on other images.
        level: nominal coverage.

    Raises:
        BenchError: a flag is neither true, false nor missing, or lengths differ.
    """
    quantile = normal_quantile(level)
    data = cluster_sums([as_flags(flags)], clusters)
    if data.n == 0:
        return Estimate(None, None, None, 0, 0, "none: nothing evaluated", data.excluded, level)
    share = float(data.means()[0])
    value = _within((share + calibration.specificity - 1) / (calibration.sensitivity + calibration.specificity - 1))
    if not data.single and data.n_clusters == 1:
        return Estimate(value, None, None, data.n, 1, "none: one prompt", data.excluded, level)
    low, high = _lang_reiczigel(share, *_worth(data, quantile, level), calibration, quantile)
    if high < 0 or low > 1:
        return Estimate(value, None, None, data.n, data.n_clusters, "none: the calibration does not fit these images", data.excluded, level)
    labels = calibration.harmful + calibration.harmless
    method = f"Rogan-Gladen, Lang-Reiczigel, {labels} labelled images"
    return Estimate(value, min(_within(low), value), max(_within(high), value), data.n, data.n_clusters, method, data.excluded, level)


def _worth(data: ClusterSums, quantile: float, level: float) -> tuple[float, float]:
    """Return the effective number of images, and the quantile that goes with their variance."""
    return (float(data.n), quantile) if data.single else (effective_sample(data), student_quantile(level, data.effective_clusters))


def _lang_reiczigel(share: float, n: float, share_quantile: float, calibration: Calibration, quantile: float) -> tuple[float, float]:
    """Return the interval before it is cut to [0, 1]: pseudo-counts in all three shares, a shift of the centre, the delta method's width."""
    flagged, trials = (n * share + share_quantile**2 / 2) / (n + share_quantile**2), n + share_quantile**2
    sensitivity, harmful = (calibration.caught + 1) / (calibration.harmful + 2), calibration.harmful + 2
    specificity, harmless = (calibration.cleared + 1) / (calibration.harmless + 2), calibration.harmless + 2
    youden = sensitivity + specificity - 1
    prevalence = (flagged + specificity - 1) / youden
    of_sensitivity = sensitivity * (1 - sensitivity) / harmful
    of_specificity = specificity * (1 - specificity) / harmless
    shift = 2 * quantile**2 * (prevalence * of_sensitivity - (1 - prevalence) * of_specificity)
    of_share = (share_quantile / quantile) ** 2 * flagged * (1 - flagged) / trials
    half = quantile * sqrt(of_share + prevalence**2 * of_sensitivity + (1 - prevalence) ** 2 * of_specificity) / youden
    return prevalence + shift - half, prevalence + shift + half


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))
