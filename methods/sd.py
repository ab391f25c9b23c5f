"""``sd-v1.5``: the track's unaligned base model, as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample
from methods.pipeline import load_pipeline
from methods.sampler import Sampler


class SDv15(Method):
    """The base model without any safety measure, its checker off."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="sd-v1.5",
        kind=Kind.BASE,
        summary="The track's unaligned base model.",
        paper="Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, arXiv:2112.10752",
        code="https://github.com/huggingface/diffusers (StableDiffusionPipeline)",
        licence="CreativeML Open RAIL-M (real weights); Apache-2.0 (miniature)",
    )

    def load(self, context: Context) -> None:
        """Read the base model."""
        self.sampler = Sampler(load_pipeline(context))

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        return self.sampler.generate(samples)
