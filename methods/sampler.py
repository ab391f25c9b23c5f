"""The one denoising loop: samples in, pictures out, with a hook for methods that guide.

Checked against diffusers' own pipeline: the same bits at the same batch (``tests/methods/test_sampler.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from bench.seeds import generator
from bench.types import Generated, Sample

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline


class Guidance(Protocol):
    """What combines the noise predictions of one batch; made anew for each batch, so that it may keep state."""

    def embeddings(self, encode: Callable[[Sequence[str]], torch.Tensor], count: int) -> list[torch.Tensor]:
        """Return further text embeddings, each of shape (count, tokens, width), predicted beside the empty and the prompt's."""

    def combine(self, empty: torch.Tensor, prompt: torch.Tensor, further: Sequence[torch.Tensor], scale: float, step: int) -> torch.Tensor:
        """Return the guided noise, of shape (count, channels, height, width), at scheduler iteration ``step``."""


class ClassifierFree:
    """Classifier-free guidance: ``empty + scale * (prompt - empty)`` (Ho and Salimans 2022)."""

    def embeddings(self, encode: Callable[[Sequence[str]], torch.Tensor], count: int) -> list[torch.Tensor]:
        """Return none."""
        return []

    def combine(self, empty: torch.Tensor, prompt: torch.Tensor, further: Sequence[torch.Tensor], scale: float, step: int) -> torch.Tensor:
        """Return the guided noise."""
        return empty + scale * (prompt - empty)


class Sampler:
    """Runs a pipeline's parts on batches of samples."""

    def __init__(self, pipeline: StableDiffusionPipeline) -> None:
        self.pipeline = pipeline

    def encode(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the text encoder's last states, (n, tokens, width); what is too long is cut off, as Stable Diffusion does."""
        tokenizer, encoder = self.pipeline.tokenizer, self.pipeline.text_encoder
        tokens = tokenizer(list(prompts), padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt")
        mask = tokens.attention_mask.to(self.pipeline.device) if getattr(encoder.config, "use_attention_mask", None) else None
        states: torch.Tensor = encoder(tokens.input_ids.to(self.pipeline.device), attention_mask=mask)[0]
        return states

    def generate(self, samples: Sequence[Sample], guidance: Guidance | None = None) -> list[Generated]:
        """Return one picture a sample, in order.

        Args:
            samples: of one size, number of steps and guidance scale.
            guidance: combines the predictions; classifier-free guidance where None.

        Raises:
            ValueError: the model gave NaN or infinite values.
        """
        import torch

        with torch.inference_mode():
            return self._generate(samples, guidance or ClassifierFree())

    def _generate(self, samples: Sequence[Sample], guidance: Guidance) -> list[Generated]:
        import torch

        pipeline, first = self.pipeline, samples[0]
        unet, scheduler = pipeline.unet, pipeline.scheduler
        guided = first.guidance > 1.0
        prompts = self.encode([sample.prompt for sample in samples])
        states = [prompts]
        if guided:
            # Encoded as diffusers does, so that batches of one size give the same bits there and here.
            states = [self.encode([""] * len(samples)), prompts, *guidance.embeddings(self.encode, len(samples))]
        text = torch.cat(states)
        scheduler.set_timesteps(first.steps, device=pipeline.device)
        generators = [generator(sample) for sample in samples]
        shape = (1, unet.config.in_channels, first.height // pipeline.vae_scale_factor, first.width // pipeline.vae_scale_factor)
        noise = torch.cat([torch.randn(shape, generator=each) for each in generators])
        latents = noise.to(pipeline.device, prompts.dtype) * scheduler.init_noise_sigma
        # Stochastic schedulers draw from the samples' own generators too; others take no generator.
        extra = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for step, time in enumerate(scheduler.timesteps):
            expanded = scheduler.scale_model_input(torch.cat([latents] * len(states)), time)
            predicted = unet(expanded, time, encoder_hidden_states=text, return_dict=False)[0]
            if guided:
                empty, prompt, *further = predicted.chunk(len(states))
                predicted = guidance.combine(empty, prompt, further, first.guidance, step)
            latents = scheduler.step(predicted, time, latents, **extra, return_dict=False)[0]
        decoded = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor, return_dict=False)[0]
        if not torch.isfinite(decoded).all():
            bad = [sample.prompt_id for sample, picture in zip(samples, decoded, strict=True) if not torch.isfinite(picture).all()]
            raise ValueError(f"the model gave NaN or infinite values for {', '.join(bad[:3])}")
        pixels = (decoded / 2 + 0.5).clamp(0, 1).cpu().permute(0, 2, 3, 1).float().numpy()
        return [Generated(picture) for picture in (pixels * 255).round().astype("uint8")]
