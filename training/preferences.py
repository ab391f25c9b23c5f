"""Preference pairs for Diffusion-DPO: LibraAlign-HF read, re-labelled by a reward, and encoded once (paper Eqs. 6 and 7)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import torch
from safetensors.torch import load_file, save_file

from bench.console import Progress
from bench.errors import BenchError
from bench.files.atomic import mendable
from bench.runs.spec import digest
from training.backbone import Backbone, Conditioning
from training.libraalign.dataset import Part, decode

Reward = Literal["composite", "quality", "safety"]

ANNOTATIONS = ("pair_id", "caption", "category", "kind", "quality_0", "quality_1", "cost_0", "cost_1")
"""What labelling reads of a pair: everything but its pictures."""

PAIRS_A_CALL = 4
"""Pairs encoded at once."""

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
        kind: ``harmful-safe`` or ``safe-safe``.
        winner: 0 or 1: the picture with the higher reward.
        gap: winner's reward minus loser's.
    """

    pair_id: str
    caption: str
    category: str
    kind: str
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
                pairs.append(PairRow(row["pair_id"], row["caption"], row["category"], row["kind"], int(second > first), abs(first - second)))
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
    """

    moments: torch.Tensor
    caption: torch.Tensor
    conditioning: Conditioning
    _files: pa.Table
    _places: torch.Tensor

    def __len__(self) -> int:
        return len(self.caption)

    def pictures(self, pair: int) -> list[bytes]:
        """Return the image files of a pair, winner first; read from disk when asked for."""
        row, winner = self._places[pair].tolist()
        return [self._files[f"image_{place}"][row].as_py() for place in (winner, 1 - winner)]


def encode(part: Part, pairs: Sequence[PairRow], backbone: Backbone, work: Path, storage: torch.dtype, progress: Progress) -> Encoded:
    """Return ``pairs`` encoded. Every pair of the data set is encoded once, whatever its label, and kept in ``work`` under all hashes.

    Raises:
        BenchError: an image is missing or damaged.
    """
    key = digest({"data": part.digest(), "base": backbone.hashes(), "size": backbone.size, "dtype": str(storage)})[:16]
    latents, files = work / f"latents-{key}.safetensors", work / f"pictures-{key}.arrow"
    if not (latents.is_file() and files.is_file()):
        _encode_all(part, backbone, latents, files, storage, progress)
    table = pa.ipc.open_file(pa.memory_map(str(files))).read_all()
    place = {pair_id: row for row, pair_id in enumerate(table["pair_id"].to_pylist())}
    places = torch.tensor([[place[pair.pair_id], pair.winner] for pair in pairs])
    moments = load_file(latents)["moments"]
    chosen = torch.stack([moments[places[:, 0], places[:, 1]], moments[places[:, 0], 1 - places[:, 1]]], dim=1)
    captions = list(dict.fromkeys(["", *(pair.caption for pair in pairs)]))
    parts = [backbone.encode_prompts(captions[start : start + 64]) for start in range(0, len(captions), 64)]
    conditioning = {name: torch.cat([each[name] for each in parts]) for name in parts[0]}
    row_of = {caption: row for row, caption in enumerate(captions)}
    return Encoded(chosen, torch.tensor([row_of[pair.caption] for pair in pairs]), conditioning, table, places)


def _encode_all(part: Part, backbone: Backbone, latents: Path, files: Path, storage: torch.dtype, progress: Progress) -> None:
    """Write the latents of every pair, and its image files where they can be read one by one without holding them all in memory."""
    schema = pa.schema({"pair_id": pa.string(), "image_0": pa.binary(), "image_1": pa.binary()})
    latents.parent.mkdir(parents=True, exist_ok=True)
    half_latents, half_files = (path.with_name(f".tmp-{os.getpid()}-{path.name}") for path in (latents, files))
    advance = progress.start("encode", sum(marker["rows"] for marker in part.markers()), "pairs")
    found: list[torch.Tensor] = []
    rows = (row for _, row in part.rows(["pair_id", "image_0", "image_1"]))
    with mendable(files), pa.OSFile(str(half_files), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        while batch := list(islice(rows, PAIRS_A_CALL)):
            pictures = [decode(row[f"image_{place}"], row["pair_id"]) for row in batch for place in (0, 1)]
            moments = backbone.moments(backbone.pixels(pictures)).to("cpu", storage)
            found.append(moments.unflatten(0, (len(batch), 2)))
            contents = {f"image_{place}": [row[f"image_{place}"]["bytes"] for row in batch] for place in (0, 1)}
            writer.write_batch(pa.record_batch({"pair_id": [row["pair_id"] for row in batch], **contents}, schema=schema))
            advance(len(batch))
    save_file({"moments": torch.cat(found).contiguous()}, half_latents)
    os.replace(half_files, files)
    os.replace(half_latents, latents)
