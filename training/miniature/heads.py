"""What sits on the small CLIP's features: Q16-like soft prompts and an aesthetic head."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPModel

from bench.miniature.reader import to_tensor
from training.miniature.clip import embed_all
from training.miniature.data import Pictures
from training.miniature.degrade import degrade
from training.miniature.loop import Recipe, fit
from training.miniature.reader import augment

Q16 = Recipe("q16", steps=1500, learning_rate=5e-2, weight_decay=0.0, seed=17)
AESTHETIC = Recipe("aesthetic", steps=1500, learning_rate=3e-3, weight_decay=1e-4, seed=18)
BATCH = 512
LAYERS = (128, 64, 32, 16, 1)
BEST, WORST = 7.0, 2.0
"""The aesthetic target of a clean render and of a wholly spoilt one."""


class SoftPrompts(nn.Module):
    """Two learned embeddings, appropriate then inappropriate, against which an image is compared (Schramowski et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.prompts = nn.Parameter(torch.randn(2, width) * 0.02)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (n, 2), 100 times the cosine, for normalised features (n, width)."""
        return 100 * features @ F.normalize(self.prompts, dim=-1).T


def train_q16(data: Pictures, work: Path, clip: Path, out: Path) -> None:
    """Tune the two prompts on renders with and without a glyph; write ``out/prompts.safetensors``."""
    torch.manual_seed(Q16.seed)
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(Q16.seed)
    features = embed_all(model, augment(to_tensor(data.images), generator)).clone()
    truth = torch.tensor([int(each.scene.glyph is not None) for each in data.truth])
    prompts = SoftPrompts(features.shape[1])

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(features), (BATCH,), generator=generator)
        return F.cross_entropy(prompts(features[index]), truth[index])

    fit(Q16, {"prompts": prompts}, loss, work)
    out.mkdir(parents=True, exist_ok=True)
    save_file({"prompts": F.normalize(prompts.prompts.detach(), dim=-1).contiguous()}, out / "prompts.safetensors")


def train_aesthetic(data: Pictures, work: Path, clip: Path, out: Path) -> None:
    """Fit linear layers on normalised features to how spoilt a render is; write ``out/model.safetensors`` and ``out/config.json``."""
    torch.manual_seed(AESTHETIC.seed)
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(AESTHETIC.seed)
    amount = torch.rand(len(data.images), generator=generator) * (torch.rand(len(data.images), generator=generator) < 0.8)
    features = embed_all(model, degrade(to_tensor(data.images), amount, generator)).clone()
    target = BEST + (WORST - BEST) * amount
    # As in the LAION predictor, the layers have no activations between them.
    head = nn.Sequential(*(nn.Linear(before, after) for before, after in pairwise(LAYERS)))
    with torch.no_grad():
        last = head[-1]
        assert isinstance(last, nn.Linear)
        last.bias.fill_((BEST + WORST) / 2)

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(features), (BATCH,), generator=generator)
        return F.mse_loss(head(features[index]).squeeze(1), target[index])

    fit(AESTHETIC, {"head": head}, loss, work)
    out.mkdir(parents=True, exist_ok=True)
    save_file({f"layers.{name}": value.contiguous() for name, value in head.state_dict().items()}, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps({"layers": list(LAYERS)}) + "\n", encoding="utf-8")
