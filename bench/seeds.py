"""Seeds: one CPU generator per sample, never one per batch or per process.

Measured on diffusers 0.42.1: with one shared generator most images change completely with the batch size;
with a generator per sample the initial noise is the same bits at any batch size, order, shard or engine.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from bench.types import Sample

SEED_LIMIT = 2**63


def derive_seed(root: int, prompt_id: str, image_index: int) -> int:
    """Return the seed of one sample, in [0, 2**63), from the row's (or the suite's) seed, the prompt id and the image index."""
    message = f"{root}\0{prompt_id}\0{image_index}".encode()
    return int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "big") % SEED_LIMIT


def generator(sample: Sample) -> torch.Generator:
    """Return a fresh CPU generator for ``sample``; all randomness of its image comes from it."""
    import torch

    return torch.Generator("cpu").manual_seed(sample.seed)
