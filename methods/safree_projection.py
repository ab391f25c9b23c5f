"""SAFREE's linear algebra: which tokens of a prompt point to a concept, what is left without it, and how long that text is used.

Yoon et al. 2025; the authors' code at b8b2c3f, ``models/modified_stable_diffusion_pipeline.py``. It works in the encoder's
precision, with the pseudo-inverse of a Gram matrix; here the subspaces have orthonormal bases in float64, which is the same
projection (``tests/methods/test_safree.py``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SMALLEST = 1e-5
"""Singular values below this share of the largest are the encoder's rounding, no direction of their own: texts given twice."""

SLOPE = 2.5
"""k of the self-validating filter. The code has other constants for artists' styles: 3.5, with a midpoint of 5.5."""

MIDPOINT = 5.333
"""Ten times the beta at which half of the steps are filtered."""


def basis(vectors: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis of what the rows of ``vectors`` span.

    Args:
        vectors: (n, width); n may be 0.

    Returns:
        (rank, width), float64.
    """
    import torch

    _, sizes, directions = torch.linalg.svd(vectors.double(), full_matrices=False)
    return directions[sizes > SMALLEST * sizes.max()] if len(sizes) else directions


def inside(vectors: torch.Tensor, subspace: torch.Tensor) -> torch.Tensor:
    """Return the part of each row of ``vectors``, (n, width), that lies in the subspace with the orthonormal basis ``subspace``."""
    return vectors.double() @ subspace.T @ subspace


def triggers(masked: torch.Tensor, concept: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return which tokens point to the concept: without one of those, the prompt lies further from it than without the others.

    A token passes where its distance is below ``1 + alpha`` times the mean of the other tokens' distances. A lone token has no others;
    it counts as a trigger, as in the authors' code, where the mean of nothing is NaN.

    Args:
        masked: the pooled prompt with each content token masked in turn, (tokens, width).
        concept: the concept's orthonormal basis, (rank, width).
        alpha: how far above the mean a distance may lie.

    Returns:
        (tokens,), bool.
    """
    import torch

    if len(masked) == 1:
        return torch.ones(1, dtype=torch.bool, device=masked.device)
    distance = (masked.double() - inside(masked, concept)).norm(dim=1)
    others = (distance.sum() - distance) / (len(masked) - 1)
    return ~(distance < (1 + alpha) * others)


def without(states: torch.Tensor, prompt: torch.Tensor, concept: torch.Tensor) -> torch.Tensor:
    """Return each row of ``states``, (rows, width), brought into the prompt's subspace and out of the concept's: ``(I - Pc) Pi``, float64."""
    within = inside(states, prompt)
    return within - inside(within, concept)


def beta(filtered: torch.Tensor, states: torch.Tensor) -> float:
    """Return one less the mean cosine between the rows of two texts, both (rows, width); a row of zeros has a cosine of 0."""
    import torch

    return 1 - float(torch.nn.functional.cosine_similarity(filtered, states.double(), dim=1).mean())


def last_step(beta: float, up_t: int) -> int:
    """Return the last scheduler iteration, from 0, that uses the filtered text: the further the filter moves the text, the later, up to ``up_t``.

    The code's form: ``beta`` counts tenfold, and its sigmoid is twice as steep as the slope says.
    """
    return round(up_t / (1 + math.exp(-2 * SLOPE * (10 * beta - MIDPOINT))))
