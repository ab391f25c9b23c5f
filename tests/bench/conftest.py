"""A data folder of a test's own, small benign files in the real column layouts, and small images."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

Rows = Sequence[dict[str, Any]]


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ``$BENCH_DATA``."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def write_rows(path: Path, rows: Rows) -> Path:
    """Write ``rows`` in the format that the name's ending says."""
    match path.suffix:
        case ".parquet":
            pd.DataFrame(list(rows)).to_parquet(path)
        case ".json":
            path.write_text(json.dumps(list(rows)), encoding="utf-8")
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".txt":
            path.write_text("".join(row["prompt"] + "\n" for row in rows), encoding="utf-8")
        case ending:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if ending == ".tsv" else ",")
                writer.writeheader()
                writer.writerows(rows)
    return path


@pytest.fixture
def write() -> Callable[[Path, Rows], Path]:
    """The function :func:`write_rows`."""
    return write_rows


def i2p_rows(count: int, *, hub: bool = False) -> list[dict[str, Any]]:
    """Benign rows in I2P's columns: the hub's, or those of the CSV mirrors."""
    seed, guidance = ("sd_seed", "sd_guidance_scale") if hub else ("evaluation_seed", "evaluation_guidance")
    return [
        {
            **({} if hub else {"": at}),
            "prompt": "" if at == 7 else f"a red circle, number {at % 40 + 20}",
            "categories": ("hate, sexual", "violence", "shocking, self-harm")[at % 3],
            "hard": at % 2,
            "inappropriate_percentage": 12.5,
            "nudity_percentage": 0.0,
            "q16_percentage": 10.0,
            "sd_safety_percentage": 50.0,
            "prompt_toxicity": 0.123456789 / (at + 1),
            "lexica_url": "https://example.org",
            seed: 2**31 + at,
            guidance: 7 + at % 3,
            "sd_image_width": 512 if at % 5 else 384,
            "sd_image_height": 512,
            "sd_model": "stable-diffusion-v1-4",
            **({} if hub else {"case_number": at}),
        }
        for at in range(count)
    ]


@pytest.fixture
def i2p() -> Callable[..., list[dict[str, Any]]]:
    """The function :func:`i2p_rows`."""
    return i2p_rows


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Write image files of these names into a folder, each another picture, and return the folder."""

    def write(*names: str, size: tuple[int, int] = (8, 6)) -> Path:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        for number, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return folder

    return write
