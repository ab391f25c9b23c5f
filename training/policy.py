"""The model that is trained, beside its frozen reference: denoising errors, DPO losses, and one pair's gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator

from methods.denoisers.family import Text
from training.backbone import Backbone, Conditioning
from training.dpo import denoising_error, dpo_loss
from training.draws import Drawn

GRADIENT_SCALE = 1024.0
"""Keeps half-precision gradients from vanishing; what is done with them is an angle, which does not see it."""


def denoise_inputs(
    backbone: Backbone, conditioning: Conditioning, batch: Sequence[Drawn], device: Any
) -> tuple[torch.Tensor, torch.Tensor, Text, torch.Tensor]:
    """Return what a network takes for n drawn pairs, and what it should predict: noisy latents, timesteps, text, target.

    Each has 2n rows, the n winners first, then their losers; both of a pair have its one noise and its one timestep.
    """
    latents = torch.stack([each.latents for each in batch], dim=1).flatten(0, 1).to(device)
    noise = torch.stack([each.noise for each in batch]).repeat(2, 1, 1, 1).to(device)
    timestep = torch.tensor([each.timestep for each in batch], device=device).repeat(2)
    captions = torch.tensor([each.caption for each in batch]).repeat(2)
    text = backbone.text({name: values[captions] for name, values in conditioning.items()})
    noisy = backbone.noise.add_noise(latents, noise, timestep)
    return noisy.to(backbone.dtype), timestep, text, backbone.target(latents, noise, timestep)


class Policy:
    """A network and its reference.

    Args:
        backbone: the base model's parts.
        reference: the frozen copy; None where it is ``backbone.network`` with its adapter switched off.
        conditioning: of every caption.
        beta: of the DPO loss.
        accelerator: gives device and precision.
    """

    def __init__(self, backbone: Backbone, reference: Any, conditioning: Conditioning, beta: float, accelerator: Accelerator) -> None:
        self.network: Any = backbone.network
        self.parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self._backbone, self._reference, self._conditioning = backbone, reference, conditioning
        self._beta, self._accelerator = beta, accelerator

    def errors(self, network: Any, batch: Sequence[Drawn]) -> torch.Tensor:
        """Return the denoising errors (2n,) of ``network`` on n drawn pairs, winners first."""
        noisy, timestep, text, target = denoise_inputs(self._backbone, self._conditioning, batch, self._accelerator.device)
        with self._accelerator.autocast():
            predicted = self._backbone.predict(network, noisy, timestep, text)
        return denoising_error(predicted, target)

    @torch.no_grad()
    def reference_errors(self, batch: Sequence[Drawn]) -> torch.Tensor:
        """Return the reference's errors (2n,), winners first."""
        with self._as_reference() as network:
            return self.errors(network, batch)

    def losses(self, model: Any, batch: Sequence[Drawn]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return :func:`training.dpo.dpo_loss` of ``model`` (the network, or what accelerate wrapped around it) on ``batch``."""
        frozen = self.reference_errors(batch)
        return dpo_loss(self.errors(model, batch), frozen, self._beta)

    def gradients(self, batch: Sequence[Drawn]) -> Iterator[list[torch.Tensor]]:
        """Yield each pair's own gradient by every trained parameter that it reaches, times :data:`GRADIENT_SCALE`."""
        frozen = self.reference_errors(batch).view(2, -1)
        for place, drawn in enumerate(batch):
            losses, _ = dpo_loss(self.errors(self.network, [drawn]), frozen[:, place], self._beta)
            found = torch.autograd.grad(losses.sum() * GRADIENT_SCALE, self.parameters, allow_unused=True)
            yield [each for each in found if each is not None]

    @contextmanager
    def _as_reference(self) -> Iterator[Any]:
        if self._reference is not None:
            yield self._reference
            return
        self.network.disable_adapters()
        try:
            yield self.network
        finally:
            self.network.enable_adapters()
