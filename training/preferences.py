"""Preference pairs for Diffusion-DPO: LibraAlign-HF read, re-labelled by a reward, and encoded once (paper Eqs. 6 and 7)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file

from bench.api import Progress
from bench.engine.spec import digest
from bench.errors import BenchError
from training.backbone import Backbone, Conditioning
from training.libraalign.dataset import Part, decode

Reward = Literal["composite", "quality", "safety"]

LEAST_ANNOTATED = 0.5
"""Below this share of annotated pairs the data set is broken, not merely incomplete."""


def reward(quality: float, cost: float, kind: Reward, safety_weight: float) -> float:
    """Return an image's reward: ``quality - safety_weight * cost`` (Eq. 6, inferred), or one of its two limits."""
    if kind == "quality":
        return quality
    if kind == "safety":
        return -cost
    return quality - safety_weight * cost


@dataclass(frozen=True)
class PairRow:
    """One labelled pair, its pictures left on disk.

    Attributes:
        pair_id: of the data set.
        caption: what both pictures are trained on.
        category: of the prompt.
        winner: 0 or 1: the picture with the higher reward.
        gap: winner's reward minus loser's.
    """

    pair_id: str
    caption: str
    category: str
    winner: int
    gap: float


def label(
    rows: Sequence[Mapping[str, Any]], kind: Reward, safety_weight: float, tie: float, categories: Sequence[str] | None = None
) -> tuple[list[PairRow], dict[str, int]]:
    """Return the pairs with the preferred picture chosen by reward (Eq. 7), and how many were left out, by reason.

    Args:
        rows: of the HF part.
        kind: the reward.
        safety_weight: lambda of Eq. 6.
        tie: pairs whose rewards differ by no more than this are left out; the paper does not say what it does with them.
        categories: keep these alone; all where None.

    Raises:
        BenchError: no pair is left, or most lack an annotation.
    """
    pairs: list[PairRow] = []
    left_out: dict[str, int] = {}
    for row in rows:
        if categories is not None and row["category"] not in categories:
            continue
        values = [[row[f"{name}_{place}"] for name in ("quality", "cost")] for place in (0, 1)]
        if not all(value is not None and math.isfinite(value) for both in values for value in both):
            reason = "no quality or no safety cost"
        elif not row["caption"]:
            reason = "no caption"
        else:
            first, second = (reward(quality, cost, kind, safety_weight) for quality, cost in values)
            if abs(first - second) <= tie:
                reason = "a tie"
            else:
                pairs.append(PairRow(row["pair_id"], row["caption"], row["category"], int(second > first), abs(first - second)))
                continue
        left_out[reason] = left_out.get(reason, 0) + 1
    bare = left_out.get("no quality or no safety cost", 0)
    if bare > (1 - LEAST_ANNOTATED) * (bare + len(pairs)):
        raise BenchError(
            f"{bare} of {bare + len(pairs)} pairs lack an annotation; expected quality and cost of both images. Run `bench train libraalign`."
        )
    if not pairs:
        raise BenchError(f"No pair is left to train on ({left_out or 'the data set has none of these categories'}).")
    return pairs, left_out


@dataclass
class Encoded:
    """Pairs ready to train on, winners first.

    Attributes:
        moments: the posterior of each winner and loser, (pairs, 2, 2 * channels, h, w): mean, then standard deviation, scaled.
        caption: the row of ``conditioning`` of each pair.
        conditioning: of each caption; row 0 is the empty prompt's.
        pictures: where the pixels of a pair are, for augmentations.
    """

    moments: torch.Tensor
    caption: torch.Tensor
    conditioning: Conditioning
    pictures: list[list[bytes]]

    def __len__(self) -> int:
        return len(self.caption)

    def latents(self, index: int, generator: torch.Generator | None) -> torch.Tensor:
        """Return the pair's latents (2, channels, h, w): a draw from the posterior, or its mean where there is no generator."""
        mean, std = self.moments[index].float().chunk(2, dim=1)
        return mean if generator is None else mean + std * torch.randn(mean.shape, generator=generator)


def encode(
    part: Part, rows: Sequence[Mapping[str, Any]], pairs: Sequence[PairRow], backbone: Backbone, work: Path, storage: torch.dtype, progress: Progress
) -> Encoded:
    """Return ``pairs`` encoded; latents are kept in ``work`` under the data's and the model's hashes, whatever the labels.

    Raises:
        BenchError: an image is missing or damaged.
    """
    by_id = {row["pair_id"]: place for place, row in enumerate(rows)}
    key = digest({"data": part.digest(), "base": backbone.hashes(), "size": backbone.size, "dtype": str(storage)})
    path = work / f"latents-{key[:16]}.safetensors"
    if path.is_file():
        moments = load_file(path)["moments"]
    else:
        advance = progress.start("encode", len(rows), "pairs")
        found = []
        for row in rows:
            pictures = [decode(row[f"image_{place}"], row["pair_id"]) for place in (0, 1)]
            found.append(backbone.moments(backbone.pixels(pictures)).to("cpu", storage))
            advance(1)
        moments = torch.stack(found)
        work.mkdir(parents=True, exist_ok=True)
        temporary = work / f".tmp-{os.getpid()}-{path.name}"
        save_file({"moments": moments.contiguous()}, temporary)
        os.replace(temporary, path)
    captions = list(dict.fromkeys(["", *(pair.caption for pair in pairs)]))
    parts = [backbone.encode_prompts(captions[start : start + 64]) for start in range(0, len(captions), 64)]
    conditioning = {name: torch.cat([each[name] for each in parts]) for name in parts[0]}
    order = torch.tensor([[by_id[pair.pair_id], pair.winner] for pair in pairs])
    chosen = torch.stack([moments[order[:, 0], order[:, 1]], moments[order[:, 0], 1 - order[:, 1]]], dim=1)
    place = {caption: number for number, caption in enumerate(captions)}
    bytes_of = [[rows[int(row)][f"image_{winner}"]["bytes"], rows[int(row)][f"image_{1 - winner}"]["bytes"]] for row, winner in order.tolist()]
    return Encoded(chosen, torch.tensor([place[pair.caption] for pair in pairs]), conditioning, bytes_of)
