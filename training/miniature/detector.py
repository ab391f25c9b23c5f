"""The glyph detector: focal loss on centre points, L1 on boxes, on the reader's augmented renders."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from bench.miniature.detector import STRIDE, DetectorNetwork
from bench.miniature.reader import to_tensor
from bench.miniature.vocabulary import GLYPHS
from training.miniature.data import Pictures
from training.miniature.loop import Recipe, fit
from training.miniature.reader import augment

RECIPE = Recipe("detector", steps=1200, learning_rate=2e-3, weight_decay=0.01, average=0.99, seed=14)
BATCH = 128
CELLS = 8


def targets(data: Pictures) -> tuple[torch.Tensor, torch.Tensor]:
    """Return centre maps (n, classes, 8, 8), bool, and boxes (n, 4, 8, 8), the latter valid at centres only."""
    centres = torch.zeros(len(data.images), len(GLYPHS), CELLS, CELLS, dtype=torch.bool)
    boxes = torch.zeros(len(data.images), 4, CELLS, CELLS)
    for n, picture in enumerate(data.boxes):
        for box in picture:
            cx, cy = (box.x + box.width / 2) / STRIDE, (box.y + box.height / 2) / STRIDE
            column, row = int(cx), int(cy)
            centres[n, GLYPHS.index(box.name), row, column] = True
            boxes[n, :, row, column] = torch.tensor([cx - column, cy - row, box.width, box.height])
    return centres, boxes


def train(data: Pictures, work: Path, out: Path) -> None:
    """Train the detector on ``data`` and write ``out/model.safetensors``."""
    torch.manual_seed(RECIPE.seed)
    network = DetectorNetwork()
    pictures = to_tensor(data.images)
    centres, boxes = targets(data)

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(pictures), (BATCH,), generator=generator)
        heat, box = network(augment(pictures[index], generator))
        truth, where = centres[index].float(), centres[index].any(1, keepdim=True)
        plain = F.binary_cross_entropy_with_logits(heat, truth, reduction="none")
        chance = heat.sigmoid()
        focal = plain * (truth * (1 - chance) + (1 - truth) * chance).square()
        off = (box - boxes[index]).abs() * torch.tensor([STRIDE, STRIDE, 1.0, 1.0]).view(1, 4, 1, 1)
        count = where.sum().clamp(min=1)
        return focal.sum() / count + 0.2 * (off * where).sum() / count

    fit(RECIPE, {"network": network}, loss, work)
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, out / "model.safetensors")
