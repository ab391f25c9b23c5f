"""The miniature's stand-in for the Inception features: those of its own CLIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from bench.errors import BenchError
from bench.files.checkpoint import hashed, weights_path
from bench.scorers.clip.encoders import encoders_of
from bench.scorers.features import FeatureScorer
from bench.scorers.precision import full_float32
from bench.types import Context, ScorerInfo

if TYPE_CHECKING:
    from bench.types import Image


class ClipMini(FeatureScorer):
    """128 features of the miniature's CLIP, normalised. Their distance is a proxy and bears another name than FID."""

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="clip_mini",
        summary="Features of the miniature's CLIP, for its proxies of FID and KID (`bench fid`); no number by itself.",
        columns={"features": "128 normalised image features"},
        higher_is="neither",
        source="training/miniature/clip.py",
        tracks=("mini",),
        proxy=True,
        defaults={"weights": None},
        encoder="weights",
    )
    network = "the miniature's CLIP"
    width = 128
    frechet = "fd_clip_mini"
    kernel = "kd_clip_mini"
    kernel_least = 100
    rules = "proxy"
    preparation = "as the CLIP folder's processor has it; features of length 1"

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the CLIP folder's files."""
        return hashed(self.info.name, self.parameters, "weights")

    def load(self, context: Context) -> None:
        """Read the CLIP folder.

        Raises:
            BenchError: it is damaged, or its features have another width.
        """
        folder = weights_path(self.info.name, self.parameters)
        self._tower = encoders_of(context).images(folder, context.device)
        if self._tower.width != self.width:
            raise BenchError(f"The scorer {self.info.name!r} keeps {self.width} features; the CLIP {folder} has {self._tower.width}.")

    def features(self, image: Image) -> list[float]:
        """Return the features of an RGB image, uint8 (height, width, 3)."""
        with full_float32():
            found: list[float] = self._tower.images([image])[0].tolist()
        return found
