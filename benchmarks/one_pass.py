"""Scorers that read one CLIP: seconds an image with the encoder shared, against each scorer with a copy of its own.

    python benchmarks/one_pass.py                # the miniature's weights
    python benchmarks/one_pass.py --l14          # random weights at the size of ViT-L/14 (8 GB of memory, minutes on a CPU)

Both ways score the same images in this process with one thread, alternating, and must give the same numbers.
The four scorers are Q16, CLIPScore, the aesthetic score and the safety checker, as on the track ``sd15``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from bench import torchvision_guard  # noqa: F401
from bench.files.locations import resolve
from bench.runs.scores import make_scorer
from bench.scorers.clip.encoders import LoadedEncoders
from bench.tracks import load_track
from bench.types import Context, Sample, Scorer
from bench.types.track import Track

NAMES = ("q16", "clipscore_{}", "aesthetic", "safety-checker")


def main() -> None:
    """Measure and print one line a way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--l14", action="store_true", help="random weights at the size of ViT-L/14")
    parser.add_argument("--images", type=int, default=0, help="how many; 4 at full size, else 64")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        track = random_l14(Path(folder)) if options.l14 else load_track("mini")
        names = [name.format("l14" if options.l14 else "mini") for name in NAMES]
        side = 512 if options.l14 else 32
        images, samples = pictures(options.images or (4 if options.l14 else 64), side)
        shared = loaded(names, [Context(track, encoders=LoadedEncoders())] * len(names), track)
        apart = loaded(names, [Context(track, encoders=LoadedEncoders()) for _ in names], track)
        seconds: dict[str, list[float]] = {"shared": [], "apart": []}
        for _ in range(options.rounds):
            together, took = timed(shared, images, samples)
            seconds["shared"].append(took)
            alone, took = timed(apart, images, samples)
            seconds["apart"].append(took)
            assert together == alone, "sharing an encoder changed a score"
    for way, each in seconds.items():
        print(f"{way:7} {1000 * median(each) / len(images):8.1f} ms an image")
    print(f"ratio   {median(seconds['shared']) / median(seconds['apart']):8.3f}")


def loaded(names: Sequence[str], contexts: Sequence[Context], track: Track) -> list[tuple[Scorer, Context]]:
    """Return the scorers, each loaded in its context."""
    found = []
    for name, context in zip(names, contexts, strict=True):
        scorer = make_scorer(name, track)
        scorer.load(context)
        found.append((scorer, context))
    return found


def timed(scorers: Sequence[tuple[Scorer, Context]], images: Sequence[Any], samples: Sequence[Sample]) -> tuple[list[Any], float]:
    """Return every row and the seconds that scoring took, as one pass of the engine."""
    began = time.perf_counter()
    shared = scorers[0][1].encoders
    assert shared is not None
    with shared.remembering(images):
        rows = [list(scorer.score(images, samples)) for scorer, _ in scorers]
    return rows, time.perf_counter() - began


def pictures(count: int, side: int) -> tuple[list[Any], list[Sample]]:
    """Return random pictures and their samples."""
    rng = np.random.default_rng(0)
    images = [rng.integers(256, size=(side, side, 3), dtype=np.uint8) for _ in range(count)]
    return images, [Sample(str(n), "a red circle on a hill", "benign", 0, n, side, side, 20, 4.0) for n in range(count)]


def random_l14(folder: Path) -> Track:
    """Save a CLIP, a safety checker with the same tower, Q16 prompts and an aesthetic head of random weights; return a track that names them."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from safetensors.torch import save_file
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(resolve("package:bench.miniature/weights/clip"), local_files_only=True)
    text = {"vocab_size": len(tokenizer), "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12}
    tokens = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "image_size": 224}
    config = {"text_config": {**text, **tokens}, "vision_config": vision, "projection_dim": 768}
    model, processor = CLIPModel(CLIPConfig(**config)), CLIPImageProcessorPil()
    for name in ("clip", "checker"):
        processor.save_pretrained(folder / name)
    model.save_pretrained(folder / "clip")
    tokenizer.save_pretrained(folder / "clip")
    checker = StableDiffusionSafetyChecker(CLIPConfig(**config))
    checker.vision_model.load_state_dict(model.vision_model.state_dict())
    checker.visual_projection.load_state_dict(model.visual_projection.state_dict())
    checker.save_pretrained(folder / "checker")
    sizes = [768, 1024, 128, 64, 16, 1]
    (folder / "head").mkdir()
    (folder / "head" / "config.json").write_text(json.dumps({"layers": sizes}))
    layers = {f"layers.{n}.weight": torch.randn(b, a) / a**0.5 for n, (a, b) in enumerate(pairwise(sizes))}
    save_file({**layers, **{f"layers.{n}.bias": torch.zeros(b) for n, b in enumerate(sizes[1:])}}, folder / "head" / "model.safetensors")
    save_file({"prompts": torch.randn(2, 768)}, folder / "q16.safetensors")
    clip = str(folder / "clip")
    scorers = {
        "q16": {"weights": str(folder / "q16.safetensors"), "clip": clip},
        "clipscore_l14": {"weights": clip},
        "aesthetic": {"weights": str(folder / "head"), "clip": clip},
        "safety-checker": {"weights": str(folder / "checker")},
    }
    return load_track("mini").model_copy(update={"name": "l14", "scorers": scorers})


if __name__ == "__main__":
    main()
