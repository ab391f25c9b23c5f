"""The images and prompts that both sides get: drawings of our own, or a folder of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError
from bench.files.rgb import read_rgb, to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

    from bench.types import Image

PROMPTS = (
    "a red circle left of a blue square",
    "",
    "A PHOTOGRAPH of two dogs & a cat, 35mm; it's 1998!",
    "a quiet harbor at dusk, oil on canvas, " * 12,
    "ein Café in Zürich, naïve painting, 日本の庭",
    "[ENC] a lamp <b>on</b> a table [DEC]",
)
"""Benign; with what a tokenizer may stumble over: nothing, capitals, too many words, other scripts, special tokens."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_SEED = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """One image and its prompt.

    Attributes:
        name: of the file or the drawing.
        image: its pixels as RGB.
        prompt: the text beside it.
        file: the same pixels as PNG, for a package that reads files.
    """

    name: str
    image: Image
    prompt: str
    file: Path


def pictures(source: Path | None, prompts: Sequence[str], folder: Path) -> list[Picture]:
    """Return the images to compare on, each with one of the prompts in turn, their PNG files in ``folder``.

    An image is made RGB before either side sees it: transparency is dropped, grey is repeated, as the scorers' inputs are.

    Args:
        source: the user's folder; drawings where None.
        prompts: the user's; :data:`PROMPTS` where empty.
        folder: an existing folder to write to.

    Raises:
        BenchError: there is no such folder, or an image in it cannot be read.
    """
    from PIL import Image as Pillow

    named = _read(source) if source else drawings()
    made = []
    for index, (name, picture) in enumerate(named):
        file = folder / f"{index:05d}.png"
        image = to_rgb(picture, name)
        Pillow.fromarray(image).save(file)
        made.append(Picture(name, image, (prompts or PROMPTS)[index % len(prompts or PROMPTS)], file))
    return made


def drawings() -> list[tuple[str, Pillow]]:
    """Return our own pictures: large, tiny, wide, tall, of odd sides, grey, transparent, with a palette, noise, and faces that a detector sees."""
    from PIL import Image as Pillow

    generator = np.random.default_rng(_SEED)
    noise = Pillow.fromarray(generator.integers(256, size=(255, 257, 3), dtype=np.uint8))
    clear = _scene(256, 256)
    clear.putalpha(Pillow.linear_gradient("L"))
    return [
        ("scene 512x512", _scene(512, 512)),
        ("face 512x512", _face(512, 512)),
        ("scene 768x512", _scene(768, 512)),
        ("face 300x450", _face(300, 450)),
        ("scene 1001x300", _scene(1001, 300)),
        ("scene 224x224", _scene(224, 224)),
        ("scene 33x47", _scene(33, 47)),
        ("grey 300x200", _scene(300, 200).convert("L")),
        ("transparent 256x256", clear),
        ("palette 200x320", _scene(200, 320).quantize(16)),
        ("noise 257x255", noise),
        ("black 64x64", Pillow.new("RGB", (64, 64))),
    ]


def _scene(width: int, height: int) -> Pillow:
    """Return a sky that darkens downwards, a sun, a house and a row of posts."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    sky = np.stack([90 + 120 * across + 0 * down, 200 - 90 * down + 0 * across, 250 - 160 * down * across], axis=-1)
    picture = Pillow.fromarray(sky.astype(np.uint8))
    draw, size = ImageDraw.Draw(picture), min(width, height)
    draw.ellipse((width * 0.7, height * 0.1, width * 0.7 + size * 0.2, height * 0.1 + size * 0.2), fill=(250, 220, 60))
    draw.rectangle((width * 0.2, height * 0.5, width * 0.5, height * 0.9), fill=(170, 60, 50), outline=(40, 20, 20))
    draw.polygon([(width * 0.15, height * 0.5), (width * 0.35, height * 0.25), (width * 0.55, height * 0.5)], fill=(80, 50, 90))
    for post in range(0, width, max(4, width // 20)):
        draw.line((post, height * 0.92, post, height), fill=(30, 90, 30), width=max(1, width // 200))
    return picture


def _face(width: int, height: int) -> Pillow:
    """Return a drawn face with hair and shoulders."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFilter

    picture = Pillow.new("RGB", (width, height), (120, 150, 170))
    draw, size = ImageDraw.Draw(picture), min(width, height)
    x, y, unit = width / 2, height * 0.42, size / 10

    def oval(dx: float, dy: float, w: float, h: float, fill: tuple[int, int, int]) -> None:
        draw.ellipse((x + (dx - w) * unit, y + (dy - h) * unit, x + (dx + w) * unit, y + (dy + h) * unit), fill=fill)

    oval(0, 5.6, 3.6, 2.6, (60, 70, 120))
    oval(0, -0.4, 2.3, 2.8, (60, 40, 25))
    draw.rectangle((x - 0.7 * unit, y + 1.5 * unit, x + 0.7 * unit, y + 3.4 * unit), fill=(205, 155, 125))
    oval(0, 0.2, 1.75, 2.3, (225, 175, 145))
    for side in (-1, 1):
        oval(side * 0.7, -0.2, 0.38, 0.2, (250, 250, 250))
        oval(side * 0.7, -0.2, 0.18, 0.18, (50, 60, 70))
        oval(side * 0.7, -0.62, 0.45, 0.09, (60, 40, 25))
    oval(0, 0.55, 0.22, 0.35, (205, 150, 122))
    oval(0, 1.35, 0.65, 0.2, (175, 75, 75))
    return picture.filter(ImageFilter.GaussianBlur(size / 200))


def _read(source: Path) -> list[tuple[str, Pillow]]:
    from PIL import Image as Reader

    if not source.is_dir():
        raise BenchError(f"No folder of images at {source}. Give one with --images, or leave that out for drawings of our own.")
    files = sorted(file for file in source.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise BenchError(f"No image in {source}: expected files ending in {', '.join(SUFFIXES)}.")
    return [(file.name, Reader.fromarray(read_rgb(file))) for file in files]
