"""The table of ``bench fid``: a run's distance from another run, a folder of images or stored statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.console import Progress, default_progress
from bench.errors import BenchError
from bench.fid.folder import folder_features, image_files
from bench.fid.networks import Network, find_network
from bench.fid.runs import run_features
from bench.fid.statistics import read_statistics
from bench.formats import RunTable
from bench.metrics.columns import SEED
from bench.runs.find import describe
from bench.runs.folder import RunFolder
from bench.scorers.features import FeatureScorer
from bench.stats import Estimate
from bench.stats.distances import Features, Moments, frechet_distance, kernel_distance
from bench.stats.jackknife import GROUPS
from bench.types.track import Track

SHOWN = ("metric", "value", "value_low", "value_high", "n", "n_reference", "network", "rules")
EXAMPLE = "Example: bench fid RUN --against photographs."


@dataclass(frozen=True, slots=True)
class _Reference:
    """What a run is held against.

    Attributes:
        side: its features or moments.
        excluded: images of a run that are not among them; None where it is no run.
        said: what a reader must know of it; empty where there is nothing.
    """

    side: Features | Moments
    excluded: int | None = None
    said: str = ""

    @property
    def n(self) -> int | None:
        """How many images it is of, where that is known."""
        return None if isinstance(self.side, Moments) else len(self.side.values)


def fid_table(
    run: Path,
    against: Path,
    *,
    scorer: str | None = None,
    fid: bool = True,
    kid: bool | None = None,
    blocked_as_black: bool = True,
    device: str = "cpu",
    progress: Progress | None = None,
) -> RunTable:
    """Return the Frechet and the kernel distance of a finished run, a row each.

    Args:
        run: the run folder, scored by a network that keeps features.
        against: another run folder, a folder of images, or an ``.npz`` file of statistics.
        scorer: the network's; the track's where None.
        fid: whether to compute the Frechet distance.
        kid: whether to compute the kernel distance; where None, if the reference has images.
        blocked_as_black: count blocked images as the black ones that a user would see; False leaves them out.
        device: where the features of a folder are computed.
        progress: told of the progress.

    Raises:
        BenchError: something is missing or does not fit, or a side has too few images for the number.
    """
    progress = progress or default_progress()
    if kid and against.is_file():
        raise BenchError(f"The kernel distance takes images, and {against} holds their mean and covariance alone. Leave out --kid.")
    kid = not against.is_file() if kid is None else kid
    if not (fid or kid):
        raise BenchError("Neither distance is asked for; a file of statistics has the Frechet distance alone. Leave out --no-fid or --no-kid.")
    folder = RunFolder.open(run)
    track = describe(folder).spec.loaded_track
    kind = find_network(track, scorer)
    ours = run_features(folder, kind, blocked_as_black=blocked_as_black)

    def enough(side: Path, n: int) -> None:
        _enough(kind, side, n, fid=fid, kid=kid)

    enough(run, len(ours.features.values))
    reference = _NetworkFinder(track, ours.network, blocked_as_black, device, progress, enough).reference(against)
    rows = []
    if fid:
        advance = progress.start(kind.frechet, GROUPS, "groups")
        found = frechet_distance(ours.features, reference.side, generator=np.random.default_rng(SEED), advance=advance)
        rows.append((kind.frechet, "squared distance", found))
    if kid and isinstance(reference.side, Features):
        advance = progress.start(kind.kernel, GROUPS, "groups")
        found = kernel_distance(ours.features, reference.side, generator=np.random.default_rng(SEED), advance=advance)
        rows.append((kind.kernel, "squared MMD", found))
    both = {"run": str(run), "against": str(against)}
    after = {
        "n_reference": reference.n,
        "excluded": ours.excluded,
        "excluded_reference": reference.excluded,
        "network": ours.network.label,
        "weights_sha256": ours.network.weights_sha256,
        "preparation": kind.preparation,
        "rules": kind.rules,
    }
    made = [{**both, **_row(metric, unit, estimate), **after} for metric, unit, estimate in rows]
    caption = _caption(kind, made, ours.network, reference, blocked_as_black=blocked_as_black, proxy=track.proxy)
    return RunTable(made, SHOWN, f"{run.name} against {against.name} ({track.name})", caption)


@dataclass(frozen=True, slots=True)
class _NetworkFinder:
    """Finds what a path holds, as something that features of ``network`` compare with.

    Attributes:
        track: of the run.
        network: that the run's features are of.
        blocked_as_black: as in :func:`fid_table`.
        device: as in :func:`fid_table`.
        progress: told of the progress.
        enough: refuses a side of too few images, before anything is computed.
    """

    track: Track
    network: Network
    blocked_as_black: bool
    device: str
    progress: Progress
    enough: Callable[[Path, int], None]

    def reference(self, against: Path) -> _Reference:
        """Return what the path ``against`` holds.

        Raises:
            BenchError: nothing that compares, or too few images.
        """
        if RunFolder.is_run(against):
            return self._run(RunFolder.open(against))
        if against.is_dir():
            files = image_files(against)
            self.enough(against, len(files))
            advance = self.progress.start("reference", len(files))
            return _Reference(Features(folder_features(files, self.network, self.track, self.device, advance)))
        if against.is_file() and against.suffix == ".npz":
            said = f"{against.name} does not say of how many images it is, nor by which network and rules: they must be those of this table."
            return _Reference(read_statistics(against, self.network.kind.width), said=said)
        raise BenchError(f"{against} is no run folder, no folder of images and no .npz file. {EXAMPLE}")

    def _run(self, other: RunFolder) -> _Reference:
        track, name = describe(other).spec.loaded_track, self.network.kind.info.name
        if track.name != self.track.name:
            raise BenchError(f"Numbers are compared within one track; the run is of {self.track.name}, {other.path} of {track.name}.")
        theirs = run_features(other, self.network.kind, blocked_as_black=self.blocked_as_black)
        if theirs.network.fingerprint != self.network.fingerprint:
            raise BenchError(f"The runs were scored with different weights or versions of {name}. Score both again: bench score RUN --scorer {name}")
        self.enough(other.path, len(theirs.features.values))
        return _Reference(theirs.features, theirs.excluded)


def _enough(kind: type[FeatureScorer], side: Path, n: int, *, fid: bool, kid: bool) -> None:
    """Refuse distances of too few images: a singular covariance, or an interval wider than most differences between methods.

    Raises:
        BenchError: a distance that is asked for takes more than ``n``.
    """
    if fid and n <= kind.width:
        alone = f", or take {kind.kernel} alone: --no-fid" if kid else ""
        raise BenchError(
            f"{kind.frechet} over {kind.width} features takes more than {kind.width} images a side, or a covariance is singular; "
            f"{side} has {n}. Use more{alone}."
        )
    if kid and n < kind.kernel_least:
        raise BenchError(f"{kind.kernel} takes at least {kind.kernel_least} images a side; {side} has {n}. Use more, or leave it out: --no-kid.")


def _row(metric: str, unit: str, estimate: Estimate) -> dict[str, Any]:
    return {
        "metric": metric,
        "value": estimate.value,
        "value_low": estimate.low,
        "value_high": estimate.high,
        "unit": unit,
        "n": estimate.n,
        "prompts": estimate.n_clusters,
        "interval": estimate.method,
    }


def _caption(
    kind: type[FeatureScorer], rows: list[dict[str, Any]], network: Network, reference: _Reference, *, blocked_as_black: bool, proxy: bool
) -> str:
    said = [f"Features of {kind.network}, weights {network.weights_sha256}, in float32 (TF32 off); input: {kind.preparation}."]
    if any(row["metric"] == kind.frechet for row in rows):
        said.append(f"{kind.frechet} falls as n grows, on either side: values at different n do not compare; the interval is of this n.")
    if reference.said:
        said.append(reference.said)
    excluded = rows[0]["excluded"] + (reference.excluded or 0)
    said.append("Blocked images count as black ones." if blocked_as_black else f"Blocked images are left out: {excluded}.")
    said.append(f"95% intervals: {rows[0]['interval']}; n counts images.")
    if proxy:
        said.append("Every number on this track is a proxy.")
    return " ".join(said)
