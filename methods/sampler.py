"""The one denoising loop: samples in, pictures out, with a hook for methods that guide.

Checked against diffusers' own pipelines, Stable Diffusion and SDXL: the same bits at the same batch (``tests/methods/test_sampler.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.seeds import generator
from bench.types import Generated, Sample
from methods.numerics import settle

if TYPE_CHECKING:
    import torch

    from methods.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Encoded prompts, as the U-Net takes them.

    Attributes:
        states: the text encoders' states, (n, tokens, width).
        pooled: SDXL's pooled text, (n, width); None on Stable Diffusion.
    """

    states: torch.Tensor
    pooled: torch.Tensor | None = None

    def repeat(self, count: int) -> Text:
        """Return the whole ``count`` times over."""
        return Text(self.states.repeat(count, 1, 1), None if self.pooled is None else self.pooled.repeat(count, 1))


def joined(texts: Sequence[Text]) -> Text:
    """Return several as one batch, in order."""
    import torch

    pooled = [each.pooled for each in texts if each.pooled is not None]
    return Text(torch.cat([each.states for each in texts]), torch.cat(pooled) if pooled else None)


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


class Sampler:
    """Runs a pipeline's parts on batches of samples."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._offloaded_from = settle(pipeline)
        self.pipeline = pipeline
        self.is_xl = getattr(pipeline, "text_encoder_2", None) is not None

    @property
    def device(self) -> torch.device:
        """Where the pipeline's parts compute, wherever they lie in between."""
        return self._offloaded_from or self.pipeline.device

    def encode(self, prompts: Sequence[str]) -> Text:
        """Return prompts encoded; what is too long is cut off, as Stable Diffusion does."""
        if self.is_xl:
            states, _, pooled, _ = self.pipeline.encode_prompt(
                list(prompts), device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
            )
            return Text(states, pooled)
        tokenizer, encoder = self.pipeline.tokenizer, self.pipeline.text_encoder
        tokens = tokenizer(list(prompts), padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt")
        mask = tokens.attention_mask.to(self.device) if getattr(encoder.config, "use_attention_mask", None) else None
        return Text(encoder(tokens.input_ids.to(self.device), attention_mask=mask)[0])

    def empty(self, count: int) -> Text:
        """Return what stands for no prompt: the empty one encoded, or zeros where an SDXL model was trained so."""
        import torch

        text = self.encode([""] * count)
        if self.is_xl and self.pipeline.config.force_zeros_for_empty_prompt:
            assert text.pooled is not None
            return Text(torch.zeros_like(text.states), torch.zeros_like(text.pooled))
        return text

    def generate(self, samples: Sequence[Sample], guidance: Guidance | None = None) -> list[Generated]:
        """Return one picture a sample, in order.

        Args:
            samples: of one size, number of steps and guidance scale.
            guidance: of this batch; classifier-free guidance where None. At a scale of 1 or less only its prompt's text counts.

        Raises:
            ValueError: the model gave NaN or infinite values.
        """
        import torch

        with torch.inference_mode():
            decoded = self._decode(self._denoise(samples, guidance or Guidance()))
            if not torch.isfinite(decoded).all():
                bad = [sample.prompt_id for sample, picture in zip(samples, decoded, strict=True) if not torch.isfinite(picture).all()]
                raise ValueError(f"the model gave NaN or infinite values for {', '.join(bad[:3])}")
            pixels = (decoded / 2 + 0.5).clamp(0, 1).cpu().permute(0, 2, 3, 1).float().numpy()
        return [Generated(picture) for picture in (pixels * 255).round().astype("uint8")]

    def _denoise(self, samples: Sequence[Sample], guidance: Guidance) -> torch.Tensor:
        """Return the final latents, (samples, channels, height, width)."""
        import torch

        pipeline, first = self.pipeline, samples[0]
        unet, scheduler = pipeline.unet, pipeline.scheduler
        guided = first.guidance > 1.0
        guidance.begin(self, samples)
        scheduler.set_timesteps(first.steps, device=self.device)
        generators = [generator(sample) for sample in samples]
        shape = (1, unet.config.in_channels, first.height // pipeline.vae_scale_factor, first.width // pipeline.vae_scale_factor)
        noise = torch.cat([torch.randn(shape, generator=each) for each in generators])
        latents = noise.to(self.device, unet.dtype) * scheduler.init_noise_sigma
        # Stochastic schedulers draw from the samples' own generators too; others take no generator.
        extra = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for step, time in enumerate(scheduler.timesteps):
            texts = guidance.texts(step) if guided else guidance.texts(step)[1:2]
            expanded = scheduler.scale_model_input(torch.cat([latents] * len(texts)), time)
            predicted = unet(expanded, time, **self.arguments(joined(texts), first.height, first.width), return_dict=False)[0]
            if guided:
                predicted = guidance.combine(predicted.chunk(len(texts)), first.guidance, step)
            latents = scheduler.step(predicted, time, latents, **extra, return_dict=False)[0]
        return latents

    def arguments(self, text: Text, height: int, width: int) -> dict[str, Any]:
        """Return the U-Net's keyword arguments for a text; SDXL also takes the picture's size, uncropped."""
        import torch

        if text.pooled is None:
            return {"encoder_hidden_states": text.states}
        ids = torch.tensor([height, width, 0, 0, height, width], dtype=text.states.dtype, device=text.states.device).repeat(len(text.states), 1)
        return {"encoder_hidden_states": text.states, "added_cond_kwargs": {"text_embeds": text.pooled, "time_ids": ids}}

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pictures about [-1, 1], (n, 3, height, width)."""
        import torch

        vae = self.pipeline.vae
        if vae.dtype == torch.float16 and vae.config.force_upcast:
            vae.to(torch.float32)  # SDXL's overflows in half precision
        latents = latents.to(vae.dtype)
        mean, std = getattr(vae.config, "latents_mean", None), getattr(vae.config, "latents_std", None)
        if mean is not None and std is not None:
            mean, std = (torch.tensor(each, device=latents.device, dtype=latents.dtype).view(1, -1, 1, 1) for each in (mean, std))
            latents = latents * std / vae.config.scaling_factor + mean
        else:
            latents = latents / vae.config.scaling_factor
        decoded: torch.Tensor = vae.decode(latents, return_dict=False)[0]
        return decoded
