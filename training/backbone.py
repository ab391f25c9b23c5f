"""The parts of a base model that training needs, of whatever denoiser family: network, autoencoder, text encoders, noise schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from PIL import Image as Pillow

from bench.errors import BenchError
from bench.files.hashes import hash_weights
from methods.denoisers import family_of
from methods.denoisers.family import Text
from methods.pipeline import read_pipeline

Conditioning = dict[str, torch.Tensor]
"""The fields of :class:`methods.denoisers.family.Text` that the base has: ``states`` (n, tokens, width) and, for SDXL, ``pooled`` (n, width)."""


class Backbone:
    """A base model's parts, frozen.

    Attributes:
        family: what the base model can do.
        network: predicts noise (or velocity).
        noise: the training schedule, made from the pipeline's own scheduler configuration.
        size: pixels of a side.
    """

    def __init__(self, folder: Path, device: str | torch.device, dtype: torch.dtype, size: int | None = None) -> None:
        self.folder = folder
        self._pipeline: Any = read_pipeline(folder, dtype)
        self._pipeline.to(device)
        self.device = torch.device(device)
        self.dtype = dtype
        self.family = family_of(self._pipeline)
        self.network: Any = self.family.network.requires_grad_(False).eval()
        self._vae: Any = self.family.autoencoder.requires_grad_(False).eval()
        if self._vae.config.force_upcast and dtype == torch.float16:
            self._vae.to(torch.float32)  # SDXL's overflows in half precision
        self.noise = DDPMScheduler.from_config(self._pipeline.scheduler.config)
        self.size = size or self.family.size

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
        text = self.family.encode(prompts, self.device)
        return {"states": text.states.cpu(), **({} if text.pooled is None else {"pooled": text.pooled.cpu()})}

    def target(self, latents: torch.Tensor, noise: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Return what the network should predict: the noise, or the velocity where the model was trained on that."""
        kind = self.family.prediction_type
        if kind == "epsilon":
            return noise
        if kind == "v_prediction":
            velocity: torch.Tensor = self.noise.get_velocity(latents, noise, time)
            return velocity
        raise BenchError(f"The base model {self.folder} predicts {kind!r}; training knows epsilon and v_prediction.")

    def text(self, conditioning: Mapping[str, torch.Tensor]) -> Text:
        """Return a conditioning as the network takes it, on the device."""
        return Text(**{name: values.to(self.device) for name, values in conditioning.items()})

    def predict(self, network: Any, latents: torch.Tensor, time: torch.Tensor, text: Text) -> torch.Tensor:
        """Return what ``network``, the base's own or one made from it, predicts for latents (n, channels, h, w)."""
        return self.family.predict(latents, time, text, self.size, self.size, network)

    def drop_encoders(self) -> None:
        """Give back the memory of the text encoders, once every prompt is encoded."""
        for part in self.family.text_parts():
            setattr(self._pipeline, part.name, None)

    def save_lora(self, folder: Path, layers: Mapping[str, torch.Tensor]) -> None:
        """Write a LoRA in diffusers' own layout, ``pytorch_lora_weights.safetensors``."""
        self.family.save_lora(folder, layers)


def _fit(image: Any, size: int) -> torch.Tensor:
    picture = Pillow.fromarray(image)
    if picture.size != (size, size):
        scale = size / min(picture.size)
        wide = (max(size, round(picture.width * scale)), max(size, round(picture.height * scale)))
        left, top = (wide[0] - size) // 2, (wide[1] - size) // 2
        picture = picture.resize(wide, Pillow.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1).float() / 127.5 - 1.0
