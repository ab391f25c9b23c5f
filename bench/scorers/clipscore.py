"""CLIPScore: how well an image matches its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.scorers.clip import ClipFeatures
from bench.scorers.weights import hashed, weights_path
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    from bench.types import Image


class CLIPScore(Scorer):
    """100 times the cosine of image and prompt."""

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="clipscore",
        summary="100 times the cosine of image and prompt.",
        columns={"clipscore": "100 times the cosine, not clamped"},
        higher_is="better",
        source="Hessel et al., arXiv:2104.08718; the backbone is whatever the track's weights are",
        licence="MIT (OpenAI CLIP); Apache-2.0 (miniature)",
        defaults={"weights": None},
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the CLIP folder's files."""
        return hashed(self.info.name, self.parameters, "weights")

    def load(self, context: Context) -> None:
        """Read the CLIP folder."""
        self._clip = ClipFeatures(weights_path(self.info.name, self.parameters), context.device)

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``clipscore`` for each image."""
        cosines = (self._clip.images(images) * self._clip.texts([sample.prompt for sample in samples])).sum(-1)
        return [{"clipscore": 100.0 * float(cosine)} for cosine in cosines]
