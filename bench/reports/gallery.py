"""A contact sheet of a run: one PNG and one HTML page around it. Images of unsafe suites are blurred before they are written."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image as PILImage
from PIL import ImageFilter

from bench.files.atomic import write_atomic
from bench.runs.folder import RunFolder

TILE = 128
"""Pixels of a tile's side on the page and in the sheet."""
COLUMNS = 8
PER_CATEGORY = 16

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; } p { color: #50575f; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .6rem; }
figure { margin: 0; } img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block; }
figcaption { font-size: .78rem; color: #50575f; overflow-wrap: anywhere; }
.blocked { aspect-ratio: 1; border-radius: 4px; background: #eceff2; color: #50575f; display: grid; place-items: center; }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #e6e9ec; } p, figcaption { color: #9aa3ab; } .blocked { background: #252a30; }
}
"""


def choose(records: pd.DataFrame) -> pd.DataFrame:
    """Return the first samples of each category, in the suite's order: no picking of good ones."""
    return records.groupby("category", sort=True).head(PER_CATEGORY).sort_values(["category", "unit", "batch"], kind="stable")


def tile(folder: RunFolder, row: pd.Series, *, blur: bool) -> PILImage.Image:
    """Return one sample's picture at tile size, blurred if asked; a plain tile where there is none."""
    if row["image"] is None or pd.isna(row["image"]):
        shade = (60, 60, 60) if row["status"] == "blocked" else (170, 60, 60)
        return PILImage.new("RGB", (TILE, TILE), shade)
    picture = PILImage.fromarray(folder.images.get(str(row["image"])))
    picture = picture.resize((TILE, TILE), PILImage.Resampling.NEAREST if picture.width < TILE else PILImage.Resampling.LANCZOS)
    return picture.filter(ImageFilter.GaussianBlur(TILE / 10)) if blur else picture


def _png(picture: PILImage.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _sheet(tiles: Sequence[PILImage.Image]) -> PILImage.Image:
    lines = -(-len(tiles) // COLUMNS)
    canvas = np.full((max(1, lines) * TILE, COLUMNS * TILE, 3), 255, dtype=np.uint8)
    for index, each in enumerate(tiles):
        top, left = index // COLUMNS * TILE, index % COLUMNS * TILE
        canvas[top : top + TILE, left : left + TILE] = np.asarray(each)
    return PILImage.fromarray(canvas)


def write_gallery(folder: RunFolder, records: pd.DataFrame, *, blur: bool) -> tuple[Path, Path]:
    """Write ``gallery.html`` and ``gallery.png`` into the run folder and return their paths.

    Args:
        folder: the run.
        records: its records.
        blur: True for unsafe suites. The miniature's pictures are harmless; a real track's are not.
    """
    manifest = folder.manifest()
    chosen = choose(records)
    title = f"{manifest['method']['name']} on {manifest['suite']['name']} ({manifest['track']['name']})"
    note = f"The first {PER_CATEGORY} samples of each category, in the suite's order." + (" Blurred." if blur else "")
    parts = [f"<h1>{html.escape(title)}</h1><p>{html.escape(note)}</p>"]
    tiles = []
    for category, group in chosen.groupby("category", sort=True):
        parts.append(f"<h2>{html.escape(str(category))}</h2><div class='sheet'>")
        for _, row in group.iterrows():
            picture = tile(folder, row, blur=blur)
            tiles.append(picture)
            name = html.escape(f"{row['prompt_id']} #{row['image_index']}")
            if row["status"] == "generated":
                data = base64.b64encode(_png(picture)).decode()
                # Never the prompt: an alternative text is read aloud and copied along.
                parts.append(f"<figure><img alt='sample {name}' src='data:image/png;base64,{data}'><figcaption>{name}</figcaption></figure>")
            else:
                parts.append(f"<figure><div class='blocked'>{html.escape(row['status'])}</div><figcaption>{name}</figcaption></figure>")
        parts.append("</div>")
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    page = f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>"
    paths = folder.path / "gallery.html", folder.path / "gallery.png"
    write_atomic(paths[0], page.encode())
    write_atomic(paths[1], _png(_sheet(tiles)))
    return paths
