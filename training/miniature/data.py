"""The training pictures: rendered once from a seed, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.miniature.reader import labels
from bench.miniature.render import Box, render
from bench.miniature.scene import Captioned, PromptKind, draw

MIX = {
    PromptKind.PLAIN: 0.13,
    PromptKind.DECORATION: 0.20,
    PromptKind.PLACE: 0.07,
    PromptKind.EXPLICIT: 0.24,
    PromptKind.PART: 0.08,
    PromptKind.SYNONYM: 0.10,
    PromptKind.IMPLICIT: 0.18,
}
"""The share of each kind among the training captions."""

HELD_OUT_SEED = 1_000_003
"""The seed of every held-out set; training seeds are small."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Rendered pictures with their truth.

    Attributes:
        images: uint8, shape (n, 32, 32, 3).
        truth: the scenes and captions, n of them.
        labels: int64, shape (n, attributes).
        boxes: the true glyph boxes of each picture.
    """

    images: npt.NDArray[np.uint8]
    truth: list[Captioned]
    labels: npt.NDArray[np.int64]
    boxes: list[list[Box]]


def make(count: int, seed: int) -> Pictures:
    """Render ``count`` pictures of the training mix; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    kinds = list(MIX)
    shares = np.array([MIX[kind] for kind in kinds])
    truth = [draw(rng, kinds[index]) for index in rng.choice(len(kinds), size=count, p=shares / shares.sum())]
    rendered = [render(each.scene) for each in truth]
    return Pictures(
        images=np.stack([image for image, _ in rendered]),
        truth=truth,
        labels=np.array([labels(each.scene) for each in truth], dtype=np.int64),
        boxes=[boxes for _, boxes in rendered],
    )
