"""The one denoising loop: samples in, pictures out, with a hook for methods that guide.

Checked against diffusers' own pipelines, Stable Diffusion and SDXL: the same bits at the same batch (``tests/methods/test_sampler.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import BenchError
from bench.seeds import generator
from bench.tracks.schedulers import configured
from bench.types import Context, Generated, Sample
from methods.denoisers import family_of
from methods.denoisers.family import Text, joined
from methods.numerics import settle
from methods.scheduling import step_options

if TYPE_CHECKING:
    import torch

    from methods.denoisers.family import Pipeline

__all__ = ["Guidance", "Sampler", "Text", "iterations", "joined"]


def iterations(context: Context, steps: int) -> int:
    """Return how many iterations the track's scheduler makes of ``steps`` denoising steps: PNDM makes one more, Heun nearly twice as many.

    A scheduler that cannot be made counts as many as there are steps: loading the method says what is wrong with it.
    """
    import diffusers

    found = configured(context.track.config_path(), context.track.scheduler)
    try:
        scheduler = getattr(diffusers, str(found["class"])).from_config(found["config"])
        scheduler.set_timesteps(steps)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return steps
    return len(scheduler.timesteps)


class Guidance:
    """Classifier-free guidance: ``empty + scale * (prompt - empty)`` (Ho and Salimans 2022). Methods that guide subclass it.

    One object guides one batch, so it may keep state from step to step.
    """

    def begin(self, sampler: Sampler, samples: Sequence[Sample]) -> None:
        """Encode what the noise is predicted for. A subclass may append to ``self.encoded``: each further text gives a further prediction."""
        # The empty prompts are encoded as a batch, as diffusers does, so that batches of one size give the same bits there and here.
        self.encoded = [sampler.empty(len(samples)), sampler.encode([sample.prompt for sample in samples])]

    def texts(self, step: int) -> Sequence[Text]:
        """Return the texts of scheduler iteration ``step``: the unconditional one first, the prompt's second; each of as many rows as samples."""
        return self.encoded

    def combine(self, predicted: Sequence[torch.Tensor], scale: float, step: int) -> torch.Tensor:
        """Return the guided noise from a prediction for each text, all of shape (samples, channels, height, width)."""
        empty, prompt = predicted
        return empty + scale * (prompt - empty)

    def acted(self) -> Sequence[int] | None:
        """Return, after the last step, at how many scheduler iterations each sample was guided otherwise than by :class:`Guidance` itself.

        None where a subclass does not say.
        """
        return None


class Sampler:
    """Runs a pipeline's parts on batches of samples.

    Attributes:
        pipeline: of diffusers.
        family: what it can do, whichever network denoises in it.
        changed: whether its models are known to be others than the base's, so that no picture of it is the base's.
    """

    def __init__(self, pipeline: Pipeline, *, changed: bool = False) -> None:
        self.pipeline = pipeline
        self.changed = changed
        self.family = family_of(pipeline)
        self._offloaded_from = settle(self.family)

    @property
    def device(self) -> torch.device:
        """Where the pipeline's parts compute, wherever they lie in between."""
        return self._offloaded_from or self.pipeline.device

    def encode(self, prompts: Sequence[str], *, cut_end: bool = False) -> Text:
        """Return prompts encoded; what is too long is cut off, as diffusers does, or with ``cut_end`` its end token too."""
        return self.family.encode(prompts, self.device, cut_end=cut_end)

    def empty(self, count: int) -> Text:
        """Return what stands for no prompt: the empty one encoded, or zeros where an SDXL model was trained so."""
        return self.family.empty(count, self.device)

    def generate(self, samples: Sequence[Sample], guidance: Guidance | None = None) -> list[Generated]:
        """Return one picture a sample, in order.

        Args:
            samples: of one size, number of steps and guidance scale.
            guidance: of this batch; classifier-free guidance where None. At a scale of 1 or less only its prompt's text counts.

        Raises:
            ValueError: the model gave NaN or infinite values.
        """
        import torch

        if guidance is not None and self.family.distilled and type(guidance).combine is not Guidance.combine:
            raise BenchError(
                "This method steers by what is predicted without the prompt. The network has its guidance distilled into it "
                "(time_cond_proj_dim) and predicts with the prompt alone: use another base."
            )
        with torch.inference_mode():
            acted: Sequence[int | None] | None = None
            decoded = self.family.decode(self._denoise(samples, guidance or Guidance()))
            if guidance is not None:
                acted = guidance.acted() or self._idle(samples, guidance)
            elif self.changed:
                acted = [len(self.pipeline.scheduler.timesteps)] * len(samples)
            if not torch.isfinite(decoded).all():
                bad = [sample.prompt_id for sample, picture in zip(samples, decoded, strict=True) if not torch.isfinite(picture).all()]
                raise ValueError(f"the model gave NaN or infinite values for {', '.join(bad[:3])}")
            pixels = (decoded / 2 + 0.5).clamp(0, 1).cpu().permute(0, 2, 3, 1).float().numpy()
        images = (pixels * 255).round().astype("uint8")
        return [Generated(*each) for each in zip(images, acted or [None] * len(images), strict=True)]

    def _idle(self, samples: Sequence[Sample], guidance: Guidance) -> Sequence[int] | None:
        """Return zeros where a guidance that does not say so cannot have acted: unguided, with the prompts' own texts; else None."""
        import torch

        if samples[0].guidance > 1.0 or type(guidance).texts is not Guidance.texts:
            return None
        own, used = self.encode([sample.prompt for sample in samples]), guidance.encoded[1]
        pairs = [(own.states, used.states), *([(own.pooled, used.pooled)] if own.pooled is not None and used.pooled is not None else [])]
        return [0] * len(samples) if all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs) else None

    def _denoise(self, samples: Sequence[Sample], guidance: Guidance) -> torch.Tensor:
        """Return the final latents, (samples, channels, height, width)."""
        import torch

        family, scheduler, first = self.family, self.pipeline.scheduler, samples[0]
        guided = first.guidance > 1.0 and not family.distilled
        guidance.begin(self, samples)
        scheduler.set_timesteps(first.steps, device=self.device)
        generators = [generator(sample) for sample in samples]
        shape = (1, *family.latent_shape(first.height, first.width))
        noise = torch.cat([torch.randn(shape, generator=each) for each in generators])
        latents = noise.to(self.device, family.network.dtype) * scheduler.init_noise_sigma
        extra = step_options(scheduler, generators)
        for step, time in enumerate(scheduler.timesteps):
            texts = guidance.texts(step) if guided else guidance.texts(step)[1:2]
            expanded = scheduler.scale_model_input(torch.cat([latents] * len(texts)), time)
            predicted = family.predict(expanded, time, joined(texts), first.height, first.width, guidance=first.guidance)
            if guided:
                predicted = guidance.combine(predicted.chunk(len(texts)), first.guidance, step)
            latents = scheduler.step(predicted, time, latents, **extra, return_dict=False)[0]
        return latents
