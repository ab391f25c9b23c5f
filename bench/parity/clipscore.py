"""CLIPScore beside transformers' CLIP used directly: its own forward pass, all images and texts in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.parity.comparison import Line, Options, difference
from bench.parity.located import clip_folder, context, one
from bench.parity.pictures import Picture
from bench.registry import scorers

TOLERANCE = 1e-4
"""On 100 times the cosine: one image a call on our side and a batch on the other, which float32 sums in another order."""


def compare_clipscore(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return our CLIPScore and 100 times the cosine that ``CLIPModel`` gives.

    torchmetrics' CLIPScore is the same cosine, but refuses local folders, and its 1.9 does not take what transformers 5's CLIP returns.

    Args:
        pictures: with prompts.
        folder: not used.
        options: the user's.

    Raises:
        BenchError: the weights that the user names are no CLIP that a scorer reads.
    """
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    name, clip = clip_folder(options)
    scorer = scorers.get(name)(weights=str(clip))
    scorer.load(context(options))
    options.report(f"{name}: both sides score {len(pictures)} images with {clip.name}")
    model: Any = CLIPModel.from_pretrained(clip, local_files_only=True).float().eval()
    tokenizer: Any = CLIPTokenizer.from_pretrained(clip, local_files_only=True)
    pixels = CLIPImageProcessorPil.from_pretrained(clip, local_files_only=True)([picture.image for picture in pictures], return_tensors="pt")
    texts = tokenizer([picture.prompt for picture in pictures], padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        seen = model(pixel_values=pixels.pixel_values, **texts)
    theirs = (100 * seen.logits_per_image / model.logit_scale.exp()).diagonal().tolist()
    lines = []
    for picture, value in zip(pictures, theirs, strict=True):
        ours = float(one(scorer, picture.image, picture.prompt)[name])
        apart = difference(ours, value)
        reference = f"transformers {version('transformers')}"
        lines.append(Line(name, "100 x cosine", picture.name, picture.prompt, ours, value, TOLERANCE, reference, clip.name, apart))
    return lines
