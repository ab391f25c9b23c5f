"""What a training step sees: drawn from (seed, step, place in the global batch) alone.

Neither the number of processes, nor accumulation, nor an interruption changes a draw.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from bench.seeds import derive_seed
from training.dfm import probe_time
from training.preferences import Encoded


class Drawn(NamedTuple):
    """A pair as a step sees it: one noise and one timestep for both pictures, as in Diffusion-DPO's own code.

    Attributes:
        latents: (2, channels, h, w), the winner first.
        noise: (channels, h, w).
        timestep: of the training schedule.
        caption: the row of its conditioning; 0 is the empty prompt.
        posterior: (2, channels, h, w), the standard normal draw behind the latents: an augmented pair takes the same; None where
            latents are the posterior's mean.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timestep: int
    caption: int
    posterior: torch.Tensor | None = None


def latents_of(moments: torch.Tensor, posterior: torch.Tensor | None) -> torch.Tensor:
    """Return latents (2, channels, h, w) of a pair's moments (2, 2 * channels, h, w): the mean, and the spread times ``posterior``."""
    mean, std = moments.float().chunk(2, dim=1)
    return mean if posterior is None else mean + std * posterior


class Draws:
    """Draws pairs of ``data``.

    Args:
        data: the encoded pairs.
        seed: of everything.
        timesteps: of the training schedule.
        empty_prompts: the share of captions replaced by the empty one.
        sample: True where latents are drawn from the autoencoder's posterior, False where they are its mean.
    """

    def __init__(self, data: Encoded, seed: int, timesteps: int, empty_prompts: float, *, sample: bool) -> None:
        self._data, self._seed, self._timesteps, self._empty, self._sample = data, seed, timesteps, empty_prompts, sample
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def pair_at(self, position: int) -> int:
        """Return the pair at a place of the endless sequence of epochs, each a permutation of its own."""
        epoch, place = divmod(position, len(self._data))
        if epoch != self._epoch:
            self._epoch, self._order = epoch, torch.randperm(len(self._data), generator=self._generator("epoch", epoch))
        return int(self._order[place])

    def draw(self, step: int, place: int, pair: int) -> Drawn:
        """Return ``pair`` as it stands at ``place`` of the global batch of ``step``."""
        generator = self._generator(f"step-{step}", place)
        moments = self._data.moments[pair]
        posterior = torch.randn(moments.chunk(2, dim=1)[0].shape, generator=generator) if self._sample else None
        latents = latents_of(moments, posterior)
        noise = torch.randn(latents.shape[1:], generator=generator)
        timestep = int(torch.randint(self._timesteps, (), generator=generator))
        empty = float(torch.rand((), generator=generator)) < self._empty
        return Drawn(latents, noise, timestep, 0 if empty else int(self._data.caption[pair]), posterior)

    def probe(self, pair: int) -> Drawn:
        """Return the pair's probe: the same at every visit."""
        latents = latents_of(self._data.moments[pair], None)
        noise = torch.randn(latents.shape[1:], generator=self._generator("probe", pair))
        return Drawn(latents, noise, probe_time(pair, self._timesteps), int(self._data.caption[pair]))

    def augmenter(self, name: str, step: int, place: int) -> torch.Generator:
        """Return the generator of one augmentation of the pair at ``place`` of ``step``."""
        return self._generator(f"augment-{step}-{name}", place)

    def _generator(self, what: str, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self._seed, what, number))
