"""Worse pictures on purpose: what the preference model and the aesthetic head learn to dislike."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def degrade(pictures: torch.Tensor, amount: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return pictures spoilt by ``amount``: blurred, noised, blotched or faded, one way each.

    Args:
        pictures: float (n, 3, height, width) in [-1, 1].
        amount: float (n,) in [0, 1]; 0 changes nothing.
        generator: all randomness comes from here.
    """
    n, _, height, width = pictures.shape
    level = amount.view(n, 1, 1, 1)
    blurred = F.interpolate(F.avg_pool2d(pictures, 4), size=(height, width), mode="bilinear", align_corners=False)
    noise = torch.randn(pictures.shape, generator=generator) * 0.5
    blotches = F.interpolate(torch.randn(n, 3, 5, 5, generator=generator), size=(height, width), mode="bicubic", align_corners=False)
    faded = pictures.mean((1, 2, 3), keepdim=True).expand_as(pictures)
    ways = torch.stack(
        [
            pictures * (1 - level) + blurred * level,
            pictures + noise * level,
            pictures + blotches * level * 0.6,
            pictures * (1 - 0.8 * level) + faded * 0.8 * level,
        ]
    )
    way = torch.randint(len(ways), (n,), generator=generator)
    return ways[way, torch.arange(n)].clamp(-1, 1)
