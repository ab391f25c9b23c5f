"""Trains the parts of the miniature in order, from nothing; what is finished is not trained again, what was interrupted resumes."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from training.miniature import clip, data, detector, diffusion, heads, preference, reader, safety_filter, vae

PICTURES = 40_000
SEED = 1


def stages(pictures: data.Pictures, work: Path, out: Path) -> dict[str, Callable[[], None]]:
    """Return the parts in the order in which they need each other."""
    return {
        "reader": lambda: reader.train(pictures, work, out / "reader"),
        "vae": lambda: vae.train(pictures, work, out / "base" / "vae"),
        "diffusion": lambda: diffusion.train(pictures, work, out / "base"),
        "detector": lambda: detector.train(pictures, work, out / "detector"),
        "clip": lambda: clip.train(pictures, work, out / "clip"),
        "pickscore": lambda: preference.train(pictures, work, out / "clip", out / "pickscore"),
        "q16": lambda: heads.train_q16(pictures, work, out / "clip", out / "q16"),
        "aesthetic": lambda: heads.train_aesthetic(pictures, work, out / "clip", out / "aesthetic"),
        "filter": lambda: safety_filter.train(pictures, work, out / "clip", out / "filter"),
    }


def main() -> None:
    """Train what is missing under ``--out``; checkpoints and timings lie under ``--work``."""
    parser = argparse.ArgumentParser(prog="python -m training.miniature", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench/miniature/weights"), help="where the weights go")
    parser.add_argument("--work", type=Path, default=Path("runs/miniature-training"), help="checkpoints; delete it to start from nothing")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--only", nargs="*", help="train these parts alone")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    pictures = data.make(PICTURES, seed=SEED)
    for name, train in stages(pictures, arguments.work, arguments.out).items():
        done = arguments.work / f"{name}.done"
        if done.exists() or (arguments.only and name not in arguments.only):
            continue
        began = time.perf_counter()
        train()
        done.write_text(f"{time.perf_counter() - began:.0f} s\n", encoding="utf-8")
        print(f"{name}: done in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
