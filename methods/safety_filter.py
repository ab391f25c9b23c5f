"""``sd-v1.5-filter``: the base model behind CompVis' safety checker; a flagged image is blocked and never leaves memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from bench.errors import NotAvailable, first_line
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.files.tensors import has_safetensors
from bench.types import Blocked, Context, Kind, Method, MethodInfo, Outcome, Sample
from bench.types.parameters import LOCATION
from methods.pipeline import damaged, load_pipeline
from methods.sampler import Sampler


class SDv15Filter(Method):
    """Stable Diffusion with diffusers' ``StableDiffusionSafetyChecker``: 17 concepts, 3 special-care concepts, thresholds from its weights."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="sd-v1.5-filter",
        kind=Kind.FILTER,
        summary="The base model behind the safety checker; flagged images are blocked.",
        paper="Rando et al., Red-Teaming the Stable Diffusion Safety Filter, arXiv:2210.04610",
        code="https://github.com/huggingface/diffusers (stable_diffusion/safety_checker.py)",
        licence="CreativeML Open RAIL-M (real weights); Apache-2.0 (miniature)",
        defaults={"checker": None},
    )
    takes: ClassVar = {"checker": LOCATION}

    def _folder(self, context: Context) -> Path:
        location = self.parameters["checker"] or context.track.safety_checker
        if location is None:
            raise NotAvailable(f"The track {context.track.name!r} names no safety checker. Give one: --set checker=FOLDER.")
        return resolve(location)

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the checker's files."""
        return hash_weights(self._folder(context))

    def load(self, context: Context) -> None:
        """Read the base model and the checker.

        Raises:
            NotAvailable: the track names no checker and none was given.
            BenchError: the checker's weights are missing, truncated or incomplete.
        """
        import torch

        self.sampler = Sampler(load_pipeline(context))
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from diffusers.utils import logging
        from transformers import CLIPImageProcessor

        # The checker warns of every flagged image; here that is a count in the table.
        logging.get_logger("diffusers.pipelines.stable_diffusion.safety_checker").setLevel(logging.ERROR)
        folder = self._folder(context)
        try:
            checker, info = StableDiffusionSafetyChecker.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=has_safetensors(folder), local_files_only=True, output_loading_info=True
            )
            self._processor = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise damaged("the safety checker", folder, first_line(error)) from error
        if info["missing_keys"]:
            raise damaged("the safety checker", folder, f"its weights lack {min(info['missing_keys'])}")
        self._checker = checker.to(context.device).eval()

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return the picture, or a refusal where the checker flags it."""
        generated = self.sampler.generate(samples)
        pixels = self._processor([each.image for each in generated], return_tensors="pt").pixel_values.to(self._checker.device)
        # The checker blackens the list it is given; these placeholders keep the pictures out of its hands.
        _, flagged = self._checker(clip_input=pixels, images=[each.image[:1, :1] for each in generated])
        return [Blocked("flagged by the safety checker") if flag else replace(each, acted=0) for each, flag in zip(generated, flagged, strict=True)]
