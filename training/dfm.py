"""The Dynamic Focusing Mechanism: which pairs do not get easier, and which augmentation turns their gradient most (paper Sec. 4.3).

The paper's descent rate is taken over a pair's recent losses. A Diffusion-DPO loss depends far more on its random timestep and noise
than on the weights, so the difference of two such losses says nothing. Here every pair has **one probe of its own**, a timestep and a
noise that never change: the queue holds the loss on that probe, and the rate is the descent of one and the same quantity. The
reference's error on a probe never changes either and is kept, so that a probe costs one forward pass without gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field

from training.augmentations import POOL


class DFMSettings(BaseModel):
    """How the mechanism works.

    Attributes:
        threshold: gamma: a pair is slow where its rate is below this share of the batch's mean rate (0.2 in the paper); where the batch
            does not descend on average, where its own loss rises.
        queue: N, the probe losses that a rate is taken over. A pair is seen about 17 times in the paper's training, so it must be short.
        patience: "continuously": so many visits in a row must be slow. The paper does not say how many.
        augmentations: the pool, by name.
        most: hard pairs augmented a step and process, the slowest first; the others are counted. Each costs one backward pass for
            itself and one for each augmentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = 0.2
    queue: int = Field(4, ge=2)
    patience: int = Field(2, ge=1)
    augmentations: tuple[str, ...] = tuple(POOL)
    most: int = Field(4, ge=1)


class LossQueues:
    """The probe losses of every pair, and who is hard.

    Attributes:
        losses: (pairs, queue), NaN where there is none yet; the last column is the newest.
        slow: (pairs,): visits in a row with a rate below the threshold.
        reference: (pairs, 2): the reference's errors on the probe, winner and loser; NaN before the first visit.
    """

    def __init__(self, pairs: int, settings: DFMSettings) -> None:
        self._settings = settings
        self.losses = torch.full((pairs, settings.queue), torch.nan)
        self.slow = torch.zeros(pairs, dtype=torch.long)
        self.reference = torch.full((pairs, 2), torch.nan)

    def update(self, index: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
        """Take one visit of the pairs ``index`` with their probe ``losses``; return which of them are hard, bool, in order.

        Call it with the whole batch of all processes, so that every process keeps the same queues.
        """
        self.losses[index] = torch.cat([self.losses[index][:, 1:], losses.float().cpu().unsqueeze(1)], dim=1)
        rates = self.rates(index)
        known = ~rates.isnan()
        if not known.any():
            return torch.zeros(len(index), dtype=torch.bool)
        # Where a batch does not descend on average, a share of its negative mean would call those slow that rise least.
        below = known & (rates < self._settings.threshold * rates[known].mean().clamp(min=0))
        self.slow[index] = torch.where(below, self.slow[index] + 1, torch.zeros_like(self.slow[index]))
        return self.slow[index] >= self._settings.patience

    def rates(self, index: torch.Tensor) -> torch.Tensor:
        """Return Eq. 10, the average descent a visit over the queue, for the pairs ``index``; NaN where it holds fewer than two losses."""
        queue = self.losses[index]
        count = (~queue.isnan()).sum(dim=1)
        first = queue.gather(1, (queue.shape[1] - count).clamp(max=queue.shape[1] - 1).unsqueeze(1)).squeeze(1)
        return torch.where(count >= 2, (first - queue[:, -1]) / (count - 1).clamp(min=1), torch.full_like(first, torch.nan))

    def state(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint holds."""
        return {"losses": self.losses, "slow": self.slow, "reference": self.reference}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Take a checkpoint's state."""
        self.losses, self.slow, self.reference = (state[name].clone() for name in ("losses", "slow", "reference"))


def turn(gradient: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    """Return how far two gradients point apart: one minus their cosine (Eq. 11, inferred), over all parameters together."""
    dot = sum(float((a * b).sum()) for a, b in zip(gradient, other, strict=True))
    norms = [sum(float(a.square().sum()) for a in each) ** 0.5 for each in (gradient, other)]
    return 1.0 - dot / max(norms[0] * norms[1], 1e-30)


def probe_time(index: int, timesteps: int) -> int:
    """Return the pair's probe timestep: the golden-ratio sequence, which spreads any number of pairs evenly over the schedule."""
    return int(index * 0.6180339887498949 % 1 * timesteps)
