"""PickScore: how people would like an image for its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.files.checkpoint import hashed, weights_path
from bench.scorers.clip.encoders import encoders_of
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    from bench.types import Image


class PickScore(Scorer):
    """A CLIP fine-tuned on preferences; its own temperature times the cosine."""

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="pickscore",
        summary="A CLIP fine-tuned on preferences; its own temperature times the cosine.",
        columns={"pickscore": "scaled cosine, about 20 for real images"},
        higher_is="better",
        label="PickScore",
        explanation="Mean PickScore: how well people are predicted to like the image for its prompt.",
        unit="PickScore",
        bounds={"pickscore": (-100, 100)},
        headline=True,
        published=("pickscore", "ps"),
        source="Kirstain et al., arXiv:2305.01569; yuvalkirstain/PickScore_v1",
        licence="MIT (PickScore v1); Apache-2.0 (miniature)",
        defaults={"weights": None},
        encoder="weights",
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the CLIP folder's files."""
        return hashed(self.info.name, self.parameters, "weights")

    def load(self, context: Context) -> None:
        """Read the CLIP folder."""
        self._clip = encoders_of(context).clip(weights_path(self.info.name, self.parameters), context.device)

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``pickscore`` for each image."""
        cosines = (self._clip.images(images) * self._clip.texts([sample.prompt for sample in samples])).sum(-1)
        return [{"pickscore": self._clip.scale() * float(cosine)} for cosine in cosines]
