"""Pictures of a local run for the page: they are blurred on the server and before anything is sent.

Which ones, and how: :mod:`bench.runs.showing`. Showing one clear takes the start-up flag and a click.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image as PILImage

from bench.errors import BenchError
from bench.runs.folder import RunFolder
from bench.runs.folders import run_folders
from bench.runs.images import ImageStore, Pixels
from bench.runs.showing import blur
from bench.types.sample import KEY

SIDE = 256
"""Pixels of a picture's longer side on the page."""


@dataclass(frozen=True)
class Shown:
    """One sample as the page shows it.

    Attributes:
        name: prompt id and image index; never the prompt.
        pixels: uint8 (height, width, 3), blurred already where they must be; None where there is no picture.
        blurred: True where they were.
        caption: what stands under it.
    """

    name: str
    pixels: Pixels | None
    blurred: bool
    caption: str

    @property
    def alt(self) -> str:
        """Return the alternative text, which is read aloud and copied along: the sample's name and no prompt."""
        return f"sample {self.name}, {'blurred' if self.blurred else 'clear'}"


def find_run(runs: Path, run_id: str) -> RunFolder | None:
    """Return the local run whose images a board's ``run_id`` names, or None. Only the hash finds it; no name on a board becomes a path."""
    if not re.fullmatch(r"[0-9a-f]{64}", run_id):
        return None
    for folder in run_folders(runs, run_id=run_id):
        try:
            if folder.manifest().get("run_id") == run_id:
                return folder
        except BenchError:
            continue
    return None


def at_size(pixels: Pixels) -> Pixels:
    """Return a picture at the size of the page: small ones in whole pixels, large ones reduced."""
    picture = PILImage.fromarray(pixels)
    factor = SIDE / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return np.asarray(picture.resize(size, PILImage.Resampling.NEAREST if factor > 1 else PILImage.Resampling.LANCZOS), dtype=np.uint8)


def flagged(samples: pd.DataFrame, flags: Sequence[str]) -> pd.Series:
    """Return which of a board's sample rows a scorer flagged; a row that no scorer spoke of counts as flagged."""
    values = samples[list(flags)]
    return values.gt(0).any(axis=1) | values.isna().all(axis=1)


def contents(folder: RunFolder) -> pd.DataFrame:
    """Return a local run's samples in the suite's order: key, category, status, image, reason, prompt."""
    frame: pd.DataFrame = folder.samples().to_pandas()
    return frame[[*KEY, "category", "status", "image", "reason", "prompt"]]


def shown(store: ImageStore, row: Mapping[str, Any], *, blurred: bool, prompt: bool) -> Shown:
    """Return one sample for the page.

    Args:
        store: the run's images.
        row: of :func:`contents`.
        blurred: whether it must be.
        prompt: True where the caption may carry the prompt: on benign suites alone.
    """
    name = f"{row['prompt_id']} #{row['image_index']}"
    caption = f"{name} · {row['category']}" if row["category"] else name
    if prompt and row["prompt"]:
        text = str(row["prompt"])
        caption += f" · {text[:160]}{'…' if len(text) > 160 else ''}"
    if row["image"] is None or pd.isna(row["image"]):
        return Shown(name, None, False, f"{caption} · {row['status']}")
    try:
        pixels = store.get(str(row["image"]))
    except BenchError:
        return Shown(name, None, False, f"{caption} · the image file is missing or damaged: bench verify")
    return Shown(name, at_size(blur(pixels) if blurred else pixels), blurred, caption)
