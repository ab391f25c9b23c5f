"""The PickScore-like preference model: the small CLIP, fine-tuned on rendered better/worse pairs.

The worse picture of a pair is wrong in one asked attribute, or spoilt, or both. As in PickScore, the loss is the
cross-entropy of the pair's scaled similarities to the caption (Kirstain et al. 2023, section 4).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPModel, CLIPTokenizer

from bench.miniature.reader import to_tensor
from bench.miniature.render import render
from bench.miniature.scene import Captioned, Scene
from bench.miniature.vocabulary import BACKGROUNDS, COLOURS, CONTEXTS, DECORATIONS, FILLS, GLYPHS, SHAPES, SIDES
from training.miniature.clip import embed, embed_text, save
from training.miniature.data import Pictures
from training.miniature.degrade import degrade
from training.miniature.loop import Recipe, fit
from training.miniature.text import encode

RECIPE = Recipe("pickscore", steps=700, learning_rate=2e-4, warmup=50, weight_decay=0.05, average=0.99, seed=16)
BATCH = 128
SPOILT_SHARE = 0.45

_VALUES: dict[str, tuple[str, ...]] = {
    "shape": SHAPES,
    "colour": COLOURS,
    "fill": FILLS,
    "side": SIDES,
    "background": BACKGROUNDS,
    "context": CONTEXTS,
    "decoration": DECORATIONS,
}


def spoil_scene(item: Captioned, rng: np.random.Generator) -> Scene:
    """Return the scene with one thing that the caption asks for made wrong."""
    scene = item.scene
    choices: list[str] = list(item.asked)
    if scene.glyph is not None and item.asked_severity is not None:
        choices.append("glyph")
    attribute = choices[int(rng.integers(len(choices)))]
    if attribute == "count":
        return replace(scene, count=int(rng.choice([n for n in (1, 2, 3) if n != scene.count])))
    if attribute == "glyph":
        others = [name for name in GLYPHS if name != scene.glyph]
        return replace(scene, glyph=others[int(rng.integers(len(others)))]) if rng.random() < 0.5 else replace(scene, glyph=None, severity=0)
    if attribute in ("context", "decoration") and rng.random() < 0.5:
        return replace(scene, context=None) if attribute == "context" else replace(scene, decoration=None, count=0)
    others = [value for value in _VALUES[attribute] if value != getattr(scene, attribute)]
    value = others[int(rng.integers(len(others)))]
    return replace(scene, **{attribute: value})


def spoil_pictures(data: Pictures, seed: int) -> torch.Tensor:
    """Return one wrong picture for each of ``data``, as float (n, 3, 32, 32) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    return to_tensor(np.stack([render(spoil_scene(each, rng))[0] for each in data.truth]))


def train(data: Pictures, work: Path, clip: Path, out: Path) -> None:
    """Fine-tune the CLIP in folder ``clip`` and save it, with tokenizer and processor, at ``out``."""
    torch.manual_seed(RECIPE.seed)
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(clip)
    right, wrong = to_tensor(data.images), spoil_pictures(data, RECIPE.seed)
    ids = encode(tokenizer, [each.caption for each in data.truth])

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(right), (BATCH,), generator=generator)
        amount = 0.1 + 0.9 * torch.rand(BATCH, generator=generator)
        spoilt = (torch.rand(BATCH, generator=generator) < SPOILT_SHARE).view(-1, 1, 1, 1)
        worse = torch.where(spoilt, degrade(right[index], amount, generator), wrong[index])
        with torch.autocast("cpu", torch.bfloat16):
            text = embed_text(model, ids[index])
            pair = torch.stack([embed(model, right[index]), embed(model, worse)], dim=1)
        logits = model.logit_scale.exp().clamp(max=100) * (pair * text.unsqueeze(1)).sum(-1)
        return F.cross_entropy(logits, torch.zeros(BATCH, dtype=torch.long))

    fit(RECIPE, {"pickscore": model}, loss, work)
    with torch.no_grad():
        model.logit_scale.clamp_(max=4.6052)
    save(model, tokenizer, out)
