"""CLIPScore: how well an image matches its prompt. The backbone is in the name, since values of two backbones mean different things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError
from bench.files.checkpoint import hashed, weights_path
from bench.scorers.clip.encoders import encoders_of
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    from bench.types import Image

_CLAMP = "not clamped: torchmetrics' clamp at 0 is of the mean"


def _info(model: str, says: str, where: str, **more: Any) -> ScorerInfo:
    name = f"clipscore_{model.lower().replace('/', '')}"
    return ScorerInfo(
        name=name,
        summary=f"100 times the cosine of image and prompt, by {says}.",
        columns={name: f"100 times the cosine, {_CLAMP}"},
        higher_is="better",
        label=f"CLIPScore ({model})",
        explanation=f"Mean cosine x 100 of prompt and image in {where}.",
        unit="100 x cosine",
        bounds={name: (-100, 100)},
        defaults={"weights": None},
        encoder="weights",
        **more,
    )


class CLIPScore(Scorer):
    """100 times the cosine of image and prompt; a prompt is cut at the model's length. Subclasses name the backbone."""

    backbone: ClassVar[tuple[int, int, int]] = (0, 0, 0)
    """Image side and patch side in pixels, and width of the features."""

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the CLIP folder's files."""
        return hashed(self.info.name, self.parameters, "weights")

    def load(self, context: Context) -> None:
        """Read the CLIP folder.

        Raises:
            BenchError: it is damaged, or of another backbone than the name says.
        """
        folder = weights_path(self.info.name, self.parameters)
        self._clip = encoders_of(context).clip(folder, context.device)
        if self._clip.backbone != self.backbone:
            (side, patch, width), (wanted_side, wanted_patch, wanted_width) = self._clip.backbone, self.backbone
            raise BenchError(
                f"The scorer {self.info.name!r} reads a CLIP with {wanted_side} pixels, patches of {wanted_patch} and {wanted_width} features; "
                f"{folder} has {side}, {patch} and {width}. Choose the scorer that is named after it: `bench ls scorers`."
            )

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return the score of each image."""
        cosines = (self._clip.images(images) * self._clip.texts([sample.prompt for sample in samples])).sum(-1)
        return [{self.info.name: 100.0 * float(cosine)} for cosine in cosines]


_PAPER = "Hessel et al., arXiv:2104.08718"


class CLIPScoreL14(CLIPScore):
    """The usual one: torchmetrics' default, and by its range the paper's."""

    info = _info("L/14", "OpenAI's ViT-L/14", "CLIP ViT-L/14", source=f"{_PAPER}; openai/clip-vit-large-patch14", licence="MIT")
    backbone = (224, 14, 768)


class CLIPScoreB32(CLIPScore):
    """Hessel's own, and that of ESD, UCE, RECE and MACE."""

    info = _info("B/32", "OpenAI's ViT-B/32", "CLIP ViT-B/32", source=f"{_PAPER}; openai/clip-vit-base-patch32", licence="MIT")
    backbone = (224, 32, 512)


class CLIPScoreH14(CLIPScore):
    """That of SafetyDPO and Diffusion-DPO."""

    info = _info("H/14", "LAION's OpenCLIP ViT-H/14", "CLIP ViT-H/14", source=f"{_PAPER}; laion/CLIP-ViT-H-14-laion2B-s32B-b79K", licence="MIT")
    backbone = (224, 14, 1024)


class CLIPScoreMini(CLIPScore):
    """The miniature's own CLIP."""

    info = _info(
        "mini", "the miniature's CLIP", "the miniature's own CLIP", source=f"{_PAPER}; training/miniature/clip.py", tracks=("mini",), proxy=True
    )
    backbone = (32, 4, 128)
