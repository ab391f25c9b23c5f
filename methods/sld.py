"""``sld-weak|medium|strong|max``: Safe Latent Diffusion, guidance away from a safety concept at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import NotAvailable
from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample
from bench.types.parameters import Number, OneOf, OneText
from methods.phrases import refuse_cut
from methods.pipeline import load_pipeline
from methods.sampler import Guidance, Sampler, iterations

if TYPE_CHECKING:
    import torch

PREFIX = "an image showing "
"""diffusers' pipeline puts it before the concept, the authors' package does not."""

_CLIP_READS = 77
"""Tokens of a text, start and end among them, on every real Stable Diffusion."""

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
        cut_end: whether a prompt that is too long loses its end token too.
        momentum: m, after the latest step.
        steered: at how many iterations each sample was steered, (samples,).
    """

    concept: str
    warmup: int
    scale: float
    threshold: float
    momentum_scale: float
    momentum_beta: float
    cut_end: bool = False
    momentum: torch.Tensor | None = None
    steered: torch.Tensor | None = None

    def begin(self, sampler: Sampler, samples: Sequence[Sample]) -> None:
        """Encode the concept too, repeated for each sample."""
        self.encoded = [sampler.empty(len(samples)), sampler.encode([sample.prompt for sample in samples], cut_end=self.cut_end)]
        self.encoded.append(sampler.encode([self.concept]).repeat(len(samples)))
        self.samples = len(samples)

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
            # Counted where the tensors are: asking for a number at every step would hold up a GPU.
            now = (away != 0).reshape(len(away), -1).any(1).int()
            self.steered = now if self.steered is None else self.steered + now
        return empty + scale * towards

    def acted(self) -> Sequence[int]:
        """Return at how many iterations each sample was steered: past the warm-up, with an element below the threshold or momentum left."""
        return [0] * self.samples if self.steered is None else self.steered.tolist()


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
    """What the four presets share.

    ``variant="diffusers"`` is diffusers' pipeline, ``"original"`` the authors' own package. They differ in the concept's prefix, in the scale at
    which the guidance is off, and in what they make of a prompt that the tokenizer cuts (over 77 tokens on Stable Diffusion): diffusers keeps its
    end token, the authors' code slices it off with the rest. The concept itself is encoded alike by both, with its end token, and both lists are
    short enough (52 and 49 tokens); one that would be cut is refused.
    """

    takes: ClassVar = {
        "concept": OneText(what="one text that names something, its phrases joined by commas", or_none=True),
        "variant": OneOf(words=VARIANTS),
        "warmup": Number(least=0),
        "scale": Number(),
        "threshold": Number(),
        "momentum_scale": Number(),
        "momentum_beta": Number(),
    }

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        if self.parameters["variant"] == "original":
            # Version 1 kept the end token of long prompts: other images, so another run.
            self.info = replace(self.info, version="2")  # type: ignore[misc]

    def cannot_act(self, context: Context, sample: Sample) -> str:
        """Return why the samples would be the base's: no guidance to steer, a scale that is off, or a warm-up that lasts to the end."""
        name, warmup = self.info.name, self.parameters["warmup"]
        if sample.guidance <= 1:
            return (
                f"{name} cannot act at guidance {sample.guidance:g}: it steers classifier-free guidance, which is off at 1 or less, so its images "
                "would be the base's. Run it with a guidance above 1: `guidance` in the track's file, or in the suite's rows."
            )
        if not self._on:
            least = "at least 1" if self.parameters["variant"] == "original" else "above 1"
            return f"{name} cannot act at scale {self.parameters['scale']:g}: its images would be the base's. Give one {least}: --set scale=NUMBER."
        # Iterations are counted from 0: the last is one less than there are.
        if warmup > sample.steps - 1 and warmup > (made := iterations(context, sample.steps)) - 1:
            return (
                f"{name} cannot act with warmup {warmup:g}: these samples take {made} iterations, so its images would be the base's. "
                f"Give a warm-up below that: --set warmup=NUMBER; or more `steps` in the track's file."
            )
        return ""

    def load(self, context: Context) -> None:
        """Read the base model and settle the concept.

        Raises:
            NotAvailable: the track has no concept and none was given.
            BenchError: the concept is longer than the base model reads.
        """
        concept = self.parameters["concept"] or ", ".join(context.track.concepts.get("sld", ()))
        if not concept:
            raise NotAvailable(f"The track {context.track.name!r} has no safety concept for {self.info.name}. Give one: --set concept='...'.")
        self.sampler = Sampler(load_pipeline(context))
        # A text encoder that reads less than CLIP's, such as the miniature's, has never met the prefix's words and has no room for them.
        prefixed = self.parameters["variant"] == "diffusers" and self.sampler.family.text_parts()[0].tokenizer.model_max_length >= _CLIP_READS
        self._concept = PREFIX + concept if prefixed else concept
        refuse_cut(self.info.name, "a concept", [self._concept], self.sampler.family)

    @property
    def _on(self) -> bool:
        """Whether the scale is one: diffusers' pipeline switches the guidance off at 1 already, the authors' package below it."""
        scale = self.parameters["scale"]
        return bool(scale >= 1 if self.parameters["variant"] == "original" else scale > 1)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        if not self._on:
            return [replace(each, acted=0) for each in self.sampler.generate(samples)]
        preset: Mapping[str, Any] = {name: self.parameters[name] for name in NUMBERS}
        return self.sampler.generate(samples, SafetyGuidance(self._concept, **preset, cut_end=self.parameters["variant"] == "original"))


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
