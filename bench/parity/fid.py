"""What FID and KID are made of, beside clean-fid, in this environment: how an image is prepared, and the two distances."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before clean-fid imports torchvision
from bench.errors import NotAvailable
from bench.parity.comparison import Line, Options, difference
from bench.parity.located import SEED
from bench.parity.pictures import Picture

PIXEL_TOLERANCE = 1e-6
"""Of the network's input, in [-1, 1): both sides scale by PIL, and a float32 near 1 is right to 6e-8."""
DISTANCE_TOLERANCE = 1e-9
"""Of distances between 0.04 and 41: all of both sides is float64."""
SETS = ((300, 16), (400, 64), (900, 256))
"""Images and features of the made-up sets. The Frechet distance is compared where the covariance is regular: clean-fid adds 1e-6 where it is not."""


def compare_fid(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return the pixels of each image as the network gets them, then FID and KID of made-up features.

    The network itself is not run: clean-fid's is a TorchScript file that it downloads. KID is compared over one subset of all images, since
    clean-fid otherwise draws subsets by chance.

    Args:
        pictures: their prompts do not matter.
        folder: not used.
        options: the user's.

    Raises:
        NotAvailable: the extra ``parity`` is not installed.
    """
    if find_spec("cleanfid") is None:
        raise NotAvailable("clean-fid is not installed; it is in an extra. Install it: pip install 't2i-safety-bench[parity]'.")
    from cleanfid.fid import frechet_distance, kernel_distance
    from cleanfid.utils import ResizeDataset

    from bench.scorers.inception.scorer import prepare
    from bench.stats.distances import frechet, kid

    options.report(f"fid: both sides prepare {len(pictures)} images")
    read = ResizeDataset([str(picture.file) for picture in pictures], mode="clean")
    lines = []
    for index, picture in enumerate(pictures):
        ours, theirs = prepare(picture.image).numpy(), (read[index].numpy() - 128) / 128
        apart = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf
        lines.append(_line("mean pixel", picture.name, float(ours.mean()), float(theirs.mean()), PIXEL_TOLERANCE, apart, "none"))
    generator = np.random.default_rng(SEED)
    for images, width in SETS:
        mixing = generator.normal(size=(width, width)) / width**0.5
        first = generator.normal(size=(images, width)) @ mixing
        second = generator.normal(0.1, 1.2, size=(images, width)) @ mixing + 0.05
        moments = [each for features in (first, second) for each in (features.mean(axis=0), np.cov(features, rowvar=False))]
        name, made_up = f"{images} rows of {width}", f"none, made-up features (seed {SEED})"
        for what, mine, published in (
            ("FID", frechet(*moments), float(frechet_distance(*moments))),
            ("KID", kid(first, second), kernel_distance(first, second, num_subsets=1, max_subset_size=images)),
        ):
            lines.append(_line(what, name, mine, published, DISTANCE_TOLERANCE, difference(mine, published), made_up))
    return lines


def _line(what: str, name: str, ours: float, package: float, tolerance: float, apart: float, weights: str) -> Line:
    return Line("fid", what, name, "", ours, package, tolerance, "clean-fid 0.1.35", weights, apart)
