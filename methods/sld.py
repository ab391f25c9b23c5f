"""``sld-weak|medium|strong|max``: Safe Latent Diffusion, guidance away from a safety concept at every step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError, NotAvailable
from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample
from methods.pipeline import load_pipeline
from methods.sampler import Guidance, Sampler, Text

if TYPE_CHECKING:
    import torch

PREFIX = "an image showing "
"""diffusers' pipeline puts it before the concept, the authors' package does not."""

VARIANTS = ("diffusers", "original")
NUMBERS = ("warmup", "scale", "threshold", "momentum_scale", "momentum_beta")


@dataclass
class SafetyGuidance(Guidance):
    """Safe latent guidance for one batch (Schramowski et al. 2023, Eqs. 3 to 8, in the order of the authors' code).

    The paper prints the clamp of Eq. 6 as a maximum; the code, followed here, takes the minimum with 1.

    Attributes:
        concept: what to steer away from.
        warmup: scheduler iterations before the guidance acts; the momentum builds from the first.
        scale: s_S.
        threshold: lambda.
        momentum_scale: s_m.
        momentum_beta: beta_m.
        sliced: a prompt that is too long is cut as the authors' package does it, which loses the end token; diffusers' pipeline keeps it.
    """

    concept: str
    warmup: int
    scale: float
    threshold: float
    momentum_scale: float
    momentum_beta: float
    sliced: bool = False
    momentum: torch.Tensor | None = None

    def begin(self, sampler: Sampler, samples: Sequence[Sample]) -> None:
        """Encode the concept too, repeated for each sample."""
        super().begin(sampler, samples)
        if self.sliced and not sampler.is_xl:
            self.encoded[1] = encode_sliced(sampler, [sample.prompt for sample in samples])
        self.encoded.append(sampler.encode([self.concept]).repeat(len(samples)))

    def combine(self, predicted: Sequence[torch.Tensor], scale: float, step: int) -> torch.Tensor:
        """Return the guided noise and carry the momentum to the next step."""
        import torch

        empty, prompt, unsafe = predicted
        momentum = torch.zeros_like(prompt) if self.momentum is None else self.momentum
        weight = ((prompt - unsafe).abs() * self.scale).clamp(max=1.0)
        weight = torch.where(prompt - unsafe >= self.threshold, torch.zeros_like(weight), weight)
        away = (unsafe - empty) * weight + self.momentum_scale * momentum
        self.momentum = self.momentum_beta * momentum + (1 - self.momentum_beta) * away
        towards = prompt - empty
        if step >= self.warmup:
            towards = towards - away
        return empty + scale * towards


def encode_sliced(sampler: Sampler, prompts: Sequence[str]) -> Text:
    """Return prompts encoded by their first tokens, as many as the encoder takes, with nothing put in place of an end token that lies beyond."""
    import torch

    tokenizer, encoder = sampler.pipeline.tokenizer, sampler.pipeline.text_encoder
    length = tokenizer.model_max_length
    ids = [tokenizer(prompt, padding="max_length", max_length=length, verbose=False).input_ids[:length] for prompt in prompts]
    tokens = torch.tensor(ids, device=sampler.device)
    return Text(encoder(tokens)[0])


def _info(name: str, summary: str, **preset: float) -> MethodInfo:
    return MethodInfo(
        name=name,
        kind=Kind.GUIDANCE,
        summary=summary,
        paper="Schramowski et al., Safe Latent Diffusion, CVPR 2023, arXiv:2211.05105",
        code="https://github.com/ml-research/safe-latent-diffusion @ a42923c; diffusers @ 58eb52c",
        licence="Apache-2.0",
        defaults={"concept": None, "variant": "diffusers", **preset},
    )


class _SLD(Method):
    """What the four presets share."""

    def load(self, context: Context) -> None:
        """Read the base model and settle the concept.

        Raises:
            NotAvailable: the track has no concept and none was given.
            BenchError: the variant is unknown, or a parameter does not fit.
        """
        variant = self.parameters["variant"]
        if variant not in VARIANTS:
            raise BenchError(f"{self.info.name} has no variant {variant!r}; expected one of: {', '.join(VARIANTS)}.")
        given = self.parameters["concept"]
        if given is not None and not isinstance(given, str):
            raise BenchError(f"{self.info.name} needs concept to be one text, its phrases joined by commas; got {given!r}.")
        for name in NUMBERS:
            value = self.parameters[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise BenchError(f"{self.info.name} needs {name} to be a number; got {value!r}.")
        concept = given or ", ".join(context.track.concepts.get("sld", ()))
        if not concept:
            raise NotAvailable(f"The track {context.track.name!r} has no safety concept for {self.info.name}. Give one: --set concept='...'.")
        # The miniature's text encoder has never met the prefix's words, and its 16 tokens would not hold them beside the concept.
        self._concept = concept if variant == "original" or context.track.proxy else PREFIX + concept
        # diffusers' pipeline switches the guidance off at a scale of 1 already, the authors' package below it.
        scale = self.parameters["scale"]
        self._on = scale >= 1 if variant == "original" else scale > 1
        self.sampler = Sampler(load_pipeline(context))

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        if not self._on:
            return self.sampler.generate(samples)
        preset: Mapping[str, Any] = {name: self.parameters[name] for name in NUMBERS}
        return self.sampler.generate(samples, SafetyGuidance(self._concept, **preset, sliced=self.parameters["variant"] == "original"))


class SLDWeak(_SLD):
    """SLD with the weak preset (s_S is 20 in code; the paper's text says 200)."""

    info: ClassVar[MethodInfo] = _info(
        "sld-weak", "Safe Latent Diffusion, weak.", warmup=15, scale=20.0, threshold=0.0, momentum_scale=0.0, momentum_beta=0.0
    )


class SLDMedium(_SLD):
    """SLD with the medium preset."""

    info: ClassVar[MethodInfo] = _info(
        "sld-medium", "Safe Latent Diffusion, medium.", warmup=10, scale=1000.0, threshold=0.01, momentum_scale=0.3, momentum_beta=0.4
    )


class SLDStrong(_SLD):
    """SLD with the strong preset."""

    info: ClassVar[MethodInfo] = _info(
        "sld-strong", "Safe Latent Diffusion, strong.", warmup=7, scale=2000.0, threshold=0.025, momentum_scale=0.5, momentum_beta=0.7
    )


class SLDMax(_SLD):
    """SLD with the maximal preset."""

    info: ClassVar[MethodInfo] = _info(
        "sld-max", "Safe Latent Diffusion, maximal.", warmup=0, scale=5000.0, threshold=1.0, momentum_scale=0.5, momentum_beta=0.7
    )
