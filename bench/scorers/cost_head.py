"""The Safety Cost Model's own part: a light adapter on frozen CLIP image features (paper Sec. 3.1). Trained by ``training/scm.py``."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file
from torch import nn

from bench.errors import BenchError, first_line


class CostConfig(BaseModel):
    """What a checkpoint says of itself, in its ``config.json``.

    Attributes:
        width: of the encoder's features.
        hidden: of the adapter.
        encoder: where the encoder was when it was trained: for the reader, not for loading.
        encoder_sha256: ``{file: sha256}`` of the encoder; another encoder's features mean nothing to this adapter.
        mean_safe: the mean cost of the verified safe pool, the anchor of Eq. 3.
        centers: what UAS subtracts: mean ``pickscore`` and ``safety_cost`` of the track's unaligned base; empty where not measured.
        widths: what UAS divides by, of the same names; empty where not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int
    hidden: int
    encoder: str
    encoder_sha256: dict[str, str]
    mean_safe: float
    centers: dict[str, float] = {}
    widths: dict[str, float] = {}


class CostHead(nn.Module):
    """Two linear layers with a GELU between: features to one cost, positive for harmful, negative for safe."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return costs (n,) for normalised features (n, width)."""
        costs: torch.Tensor = self.layers(features).squeeze(-1)
        return costs


def load_cost_head(folder: Path) -> tuple[CostHead, CostConfig]:
    """Return the adapter in ``folder`` with its configuration.

    Raises:
        BenchError: a file is missing, damaged or does not fit the other.
    """
    try:
        config = CostConfig.model_validate(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        head = CostHead(config.width, config.hidden)
        head.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, RuntimeError, ValidationError) as error:
        first = first_line(error)
        raise BenchError(f"Cannot read the safety cost model {folder}: {first}. Train it again: `bench train scm`, or fetch it again.") from error
    except Exception as error:  # safetensors raises a class of its own
        raise BenchError(f"Cannot read the safety cost model {folder}: {error}. Train it again: `bench train scm`, or fetch it again.") from error
    return head.eval(), config
