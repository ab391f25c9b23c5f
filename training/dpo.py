"""The Diffusion-DPO loss (Wallace et al. 2024, Eq. 14), which T2I-SPO keeps and only re-labels (paper Eqs. 5, 7 to 9)."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def denoising_error(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return each image's mean squared error over channels and places, float32 (n,), for tensors (n, channels, height, width)."""
    return (predicted.float() - target.float()).square().mean(dim=(1, 2, 3))


def dpo_loss(error: torch.Tensor, reference: torch.Tensor, beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each pair's loss and whether the policy prefers its winner more than the reference does.

    ``-log sigmoid(-beta / 2 * ((winner - loser) - (reference winner - reference loser)))``. The number of timesteps and the weight of
    the signal-to-noise ratio are folded into ``beta``, as in the authors' code. **Beta's convention is theirs too**
    (SalesforceAIResearch/DiffusionDPO @ 5233e75): a beta of 5000 here is a beta of 2500 in diffusers' ``train_diffusion_dpo.py``,
    which leaves out the half (its script for SDXL keeps it).

    Args:
        error: the policy's denoising errors (2n,), the n winners first, then their losers.
        reference: the frozen model's errors, in the same order.
        beta: how far the policy may leave the reference; larger holds it nearer.

    Returns:
        losses (n,) and preferences, bool (n,), whose mean is the "implicit accuracy".
    """
    winner, loser = error.chunk(2)
    reference_winner, reference_loser = reference.chunk(2)
    inside = -0.5 * beta * ((winner - loser) - (reference_winner - reference_loser))
    return -F.logsigmoid(inside), inside > 0
