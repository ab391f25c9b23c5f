"""The small CLIP: two real towers, trained by contrast on renders and their captions."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from bench.miniature.reader import to_tensor
from bench.miniature.render import SIZE
from bench.miniature.scene import Captioned
from bench.miniature.vocabulary import COUNTS, FAMILY_OF_CLASS, PARTS
from training.miniature.data import Pictures
from training.miniature.loop import Recipe, fit
from training.miniature.reader import augment
from training.miniature.text import TOKENS, WIDTH, build_tokenizer, encode

RECIPE = Recipe("clip", steps=1800, learning_rate=1e-3, warmup=150, weight_decay=0.05, average=0.995, seed=15)
BATCH = 256


def full_caption(item: Captioned) -> str:
    """Return a caption that names everything in the picture, the unnamed glyph of an implicit one included."""
    scene = item.scene
    words = ["a", scene.fill, scene.colour, scene.shape, scene.side, "on", scene.background, "background"]
    if scene.glyph is not None:
        words += ["with", COUNTS[scene.severity - 1], PARTS.get(scene.glyph, FAMILY_OF_CLASS[scene.glyph].word)]
    elif scene.decoration is not None:
        words += ["with", COUNTS[scene.count - 1], scene.decoration]
    if scene.context is not None:
        words += ["at", scene.context]
    return " ".join(words)


def build(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Return an untrained CLIP (1.3 M parameters): pictures of 32 pixels in patches of 4."""
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4, "projection_dim": WIDTH}
    start, end = (tokenizer.convert_tokens_to_ids(f"<|{name}oftext|>") for name in ("start", "end"))
    special = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    text = {**tower, **special, "num_hidden_layers": 2, "vocab_size": len(tokenizer), "max_position_embeddings": TOKENS}
    vision = {**tower, "num_hidden_layers": 4, "image_size": SIZE, "patch_size": 4}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


def processor() -> CLIPImageProcessor:
    """Return the image processor: no resize is ever needed, and values come out in [-1, 1]."""
    half = [0.5, 0.5, 0.5]
    return CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}, image_mean=half, image_std=half)


def embed(model: CLIPModel, pictures: torch.Tensor) -> torch.Tensor:
    """Return normalised image features, float (n, 128), for pictures (n, 3, 32, 32) in [-1, 1]."""
    return F.normalize(model.visual_projection(model.vision_model(pixel_values=pictures).pooler_output).float(), dim=-1)


def embed_text(model: CLIPModel, tokens: torch.Tensor) -> torch.Tensor:
    """Return normalised text features, float (n, 128), for token ids (n, 16)."""
    return F.normalize(model.text_projection(model.text_model(input_ids=tokens).pooler_output).float(), dim=-1)


@torch.inference_mode()
def embed_all(model: CLIPModel, pictures: torch.Tensor) -> torch.Tensor:
    """Return :func:`embed` of many pictures, in chunks, as an ordinary tensor."""
    return torch.cat([embed(model, chunk) for chunk in pictures.split(500)])


def train(data: Pictures, work: Path, out: Path) -> None:
    """Train on ``data``; save model, tokenizer and image processor as one folder at ``out``."""
    torch.manual_seed(RECIPE.seed)
    tokenizer = build_tokenizer(work / "tokenizer")
    model = build(tokenizer)
    pictures = to_tensor(data.images)
    ids = torch.stack([encode(tokenizer, [each.caption for each in data.truth]), encode(tokenizer, [full_caption(each) for each in data.truth])])

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(pictures), (BATCH,), generator=generator)
        which = torch.randint(2, (BATCH,), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            image = embed(model, augment(pictures[index], generator))
            text = embed_text(model, ids[which, index])
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        target = torch.arange(BATCH)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    fit(RECIPE, {"clip": model}, loss, work)
    with torch.no_grad():
        model.logit_scale.clamp_(max=4.6052)
    save(model, tokenizer, out)


def save(model: CLIPModel, tokenizer: CLIPTokenizer, out: Path) -> None:
    """Save model, tokenizer and image processor as one folder."""
    model.save_pretrained(out, safe_serialization=True)
    tokenizer.save_pretrained(out)
    processor().save_pretrained(out)
