"""Seeds: one CPU generator per sample, never one per batch or per process.

Measured on diffusers 0.42.1: with one shared generator most images change completely with the batch size;
with a generator per sample the initial noise is the same bits at any batch size, order, shard or engine.

A seed is a whole number in [0, 2**63). torch 2.13's CPU generator takes any of them as it is and starts from its last 32 bits, so that two seeds
that differ in the others alone give the same noise; that is so of published seeds and of hashed ones, here and in the authors' own code.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bench.types.suite import SeedPolicy

if TYPE_CHECKING:
    import torch

    from bench.types import Sample

SEED_LIMIT = 2**63


def derive_seed(root: int, prompt_id: str, image_index: int) -> int:
    """Return a seed in [0, 2**63) that is a hash of another one, a name (of samples the prompt id) and a number (the image index)."""
    message = f"{root}\0{prompt_id}\0{image_index}".encode()
    return int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "big") % SEED_LIMIT


def sample_seed(policy: SeedPolicy, published: int | None, suite_seed: int, prompt_id: str, image_index: int) -> int:
    """Return the seed of one sample, in [0, 2**63).

    Args:
        policy: how the suite's version takes published seeds.
        published: the row's seed, or None where its file gives none.
        suite_seed: the track's, where a row has none.
        prompt_id: of the row.
        image_index: 0 for the first image of the prompt.
    """
    if published is not None and policy == SeedPolicy.PUBLISHED and image_index == 0:
        return published  # the authors' own call with a CPU generator then gives these very bits
    return derive_seed(suite_seed if published is None else published, prompt_id, image_index)


def generator(sample: Sample) -> torch.Generator:
    """Return a fresh CPU generator for ``sample``; all randomness of its image comes from it."""
    import torch

    return torch.Generator("cpu").manual_seed(sample.seed)
