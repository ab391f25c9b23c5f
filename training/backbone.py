"""The parts of Stable Diffusion that training needs, for SD-1.x and SDXL alike: U-Net, autoencoder, text encoders, noise schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import Image as Pillow

from bench.errors import BenchError
from bench.files.hashes import hash_weights
from methods.pipeline import read_pipeline

Conditioning = dict[str, torch.Tensor]
"""``states`` (n, tokens, width) and, for SDXL, ``pooled`` (n, width)."""


class Backbone:
    """A base model's parts, frozen.

    Attributes:
        unet: predicts noise (or velocity).
        noise: the training schedule, made from the pipeline's own scheduler configuration.
        size: pixels of a side.
    """

    def __init__(self, folder: Path, device: str | torch.device, dtype: torch.dtype, size: int | None = None) -> None:
        self.folder = folder
        self._pipeline: Any = read_pipeline(folder, dtype)
        self._pipeline.to(device)
        self.device = torch.device(device)
        self.dtype = dtype
        self.unet: UNet2DConditionModel = self._pipeline.unet.requires_grad_(False).eval()
        self._vae: Any = self._pipeline.vae.requires_grad_(False).eval()
        if self._vae.config.force_upcast and dtype == torch.float16:
            self._vae.to(torch.float32)  # SDXL's overflows in half precision
        self.noise = DDPMScheduler.from_config(self._pipeline.scheduler.config)
        self.size = size or self.unet.config.sample_size * self._pipeline.vae_scale_factor
        self.is_xl = isinstance(self._pipeline, StableDiffusionXLPipeline)

    def hashes(self) -> dict[str, str]:
        """Return ``{file: sha256}`` of everything that was read."""
        return hash_weights(self.folder)

    def pixels(self, images: Sequence[Any]) -> torch.Tensor:
        """Return pictures, uint8 (height, width, 3) each, resized and centre-cropped to the model's size: float32 (n, 3, size, size) in [-1, 1]."""
        return torch.stack([_fit(image, self.size) for image in images])

    @torch.no_grad()
    def moments(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the autoencoder's posterior for pictures (n, 3, size, size): mean and standard deviation, scaled, (n, 2 * channels, h, w)."""
        posterior = self._vae.encode(pixels.to(self.device, self._vae.dtype)).latent_dist
        shift = self._vae.config.shift_factor or 0.0
        return torch.cat([posterior.mean - shift, posterior.std], dim=1).float() * self._vae.config.scaling_factor

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Return the prompts' conditioning, on the CPU; what is too long is cut off, as at generation."""
        found = self._pipeline.encode_prompt(list(prompts), device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False)
        if self.is_xl:
            return {"states": found[0].cpu(), "pooled": found[2].cpu()}
        return {"states": found[0].cpu()}

    def target(self, latents: torch.Tensor, noise: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Return what the U-Net should predict: the noise, or the velocity where the model was trained on that."""
        kind = self.noise.config.prediction_type
        if kind == "epsilon":
            return noise
        if kind == "v_prediction":
            velocity: torch.Tensor = self.noise.get_velocity(latents, noise, time)
            return velocity
        raise BenchError(f"The base model {self.folder} predicts {kind!r}; training knows epsilon and v_prediction.")

    def arguments(self, conditioning: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return the U-Net's keyword arguments for a conditioning; SDXL also takes the picture's size, uncropped."""
        states = conditioning["states"].to(self.device)
        if not self.is_xl:
            return {"encoder_hidden_states": states}
        ids = torch.tensor([self.size, self.size, 0, 0, self.size, self.size], dtype=states.dtype, device=self.device).repeat(len(states), 1)
        return {"encoder_hidden_states": states, "added_cond_kwargs": {"text_embeds": conditioning["pooled"].to(self.device), "time_ids": ids}}

    def drop_encoders(self) -> None:
        """Give back the memory of the text encoders, once every prompt is encoded."""
        for name in ("text_encoder", "text_encoder_2"):
            if getattr(self._pipeline, name, None) is not None:
                setattr(self._pipeline, name, None)

    def save_lora(self, folder: Path, layers: Mapping[str, torch.Tensor]) -> None:
        """Write a LoRA in diffusers' own layout, ``pytorch_lora_weights.safetensors``."""
        type(self._pipeline).save_lora_weights(folder, unet_lora_layers=dict(layers), safe_serialization=True)


def _fit(image: Any, size: int) -> torch.Tensor:
    picture = Pillow.fromarray(image)
    if picture.size != (size, size):
        scale = size / min(picture.size)
        wide = (max(size, round(picture.width * scale)), max(size, round(picture.height * scale)))
        left, top = (wide[0] - size) // 2, (wide[1] - size) // 2
        picture = picture.resize(wide, Pillow.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1).float() / 127.5 - 1.0
