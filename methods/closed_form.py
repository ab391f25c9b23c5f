"""Closed forms: edits of the cross-attention's keys and values as least squares. Solved in float64, for the matrices are ill-conditioned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    import torch

    Pair = tuple[torch.Tensor, torch.Tensor]
    """Rows of a concept, (rows, width), and the rows that they are mapped to, aligned."""

TECHNIQUES = ("replace", "tensor")


def edit(
    weights: Mapping[str, torch.nn.Parameter],
    pairs: Sequence[Pair],
    kept: torch.Tensor,
    *,
    erase_scale: float,
    preserve_scale: float,
    lamb: float,
    technique: str = "replace",
) -> int:
    """Edit projections of the text, keys and values, in place (UCE, Gandikota et al. 2024, Eq. 7).

    For each projection ``W``, with rows ``c`` of the pairs' concepts, their values ``v`` and rows ``k`` of ``kept``:
    ``W' = (lamb W + a sum v c^T + b sum (W k) k^T) (lamb I + a sum c c^T + b sum k k^T)^-1``
    with ``a = erase_scale`` and ``b = preserve_scale``.

    Args:
        weights: the model's projections (:meth:`methods.denoisers.family.DenoiserFamily.projections`).
        pairs: the concepts' rows and the rows ``n`` that they are mapped to.
        kept: (rows, width), what is to give the same keys and values as before.
        erase_scale: weight of the mapped rows.
        preserve_scale: weight of the kept rows.
        lamb: weight of leaving the matrix as it is.
        technique: ``replace`` takes ``v = W n``; ``tensor`` takes from a pair's ``W n`` its part along the pair's ``W c``, each as one vector.

    Returns:
        How many projections it changed.

    Raises:
        BenchError: the matrix cannot be inverted in float64: ``lamb`` is too small beside the scales.
    """
    import torch

    changed = 0
    with torch.no_grad():
        pairs = [(c.detach().double().cpu(), n.detach().double().cpu()) for c, n in pairs]
        c, k = torch.cat([pair[0] for pair in pairs]), kept.detach().double().cpu()
        right = lamb * torch.eye(c.shape[1], dtype=torch.float64) + erase_scale * c.T @ c + preserve_scale * k.T @ k
        unsolvable = f"The edit cannot be solved with lamb={lamb:g}, erase_scale={erase_scale:g}, preserve_scale={preserve_scale:g}: raise lamb."
        try:
            factors = torch.linalg.lu_factor(right)  # the same matrix for every projection
        except RuntimeError:  # singular
            raise BenchError(unsolvable) from None
        for parameter in weights.values():
            weight = parameter.double().cpu()
            values = torch.cat([_values(weight, *pair, technique) for pair in pairs])
            left = lamb * weight + erase_scale * values.T @ c + preserve_scale * (weight @ k.T) @ k
            solved = torch.linalg.lu_solve(*factors, left, left=False).to(parameter)
            if not solved.isfinite().all():
                raise BenchError(unsolvable)
            changed += not torch.equal(solved, parameter)
            parameter.copy_(solved)
    return changed


def _values(weight: torch.Tensor, concept: torch.Tensor, guide: torch.Tensor, technique: str) -> torch.Tensor:
    """Return what a pair's concept is to give, (rows, outputs)."""
    values = guide @ weight.T
    if technique == "tensor":
        along = concept @ weight.T
        along = along / along.norm()
        values = values - (along * values).sum() * along
    return values


def rederive(weights: Mapping[str, torch.Tensor], original: Mapping[str, torch.Tensor], concept: torch.Tensor, regularizer: float) -> torch.Tensor:
    """Return rows that give an edited model the keys and values which ``concept`` gave the original one (RECE, Gong et al. 2024, Eq. 8).

    They minimise ``sum ||We c' - Wo c||^2 + r ||c'||^2`` over all projections, edited ``We`` and original ``Wo``:
    ``c' = (sum We^T We + r I)^-1 (sum We^T Wo) c``.

    Args:
        weights: the edited model's projections.
        original: the original model's, by the same names.
        concept: (rows, width), text states; rows of several concepts are solved for at once.
        regularizer: r, above 0.
    """
    import torch

    with torch.no_grad():
        width = concept.shape[1]
        square, mixed = regularizer * torch.eye(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
        for name, parameter in weights.items():
            edited = parameter.double().cpu()
            square += edited.T @ edited
            mixed += edited.T @ original[name].double().cpu()
        found: torch.Tensor = torch.linalg.solve(square, mixed @ concept.detach().double().cpu().T).T
    return found
