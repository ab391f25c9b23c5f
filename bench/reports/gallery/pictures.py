"""Pictures as a gallery shows them: read and proven, blurred where they must be before anything else, at their own size up to a bound."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PILImage

from bench.errors import Damaged
from bench.reports.gallery.samples import Made
from bench.runs.showing import blur

SIDE = 512
"""The most pixels of a picture's longer side; larger ones are reduced."""
LOSSLESS = 128
"""Up to this longer side a picture is embedded without loss."""
QUALITY = 85
"""Of WebP, for larger ones."""


def picture(made: Made) -> PILImage.Image | None:
    """Return a sample's picture, blurred if it must be; None where there is none, or where it is damaged (its label then says so)."""
    if made.image is None:
        return None
    try:
        pixels = made.side.folder.images.get(made.image)
    except Damaged:
        return None
    shown = PILImage.fromarray(blur(pixels) if made.blurred else pixels)
    if max(shown.size) > SIDE:
        shown.thumbnail((SIDE, SIDE), PILImage.Resampling.LANCZOS)
    return shown


def word(made: Made, shown: PILImage.Image | None) -> str:
    """Return what stands in place of a picture."""
    return "damaged" if made.image is not None and shown is None else made.status


def scaled(shown: PILImage.Image, width: int, height: int) -> PILImage.Image:
    """Return a picture that fits into ``width`` x ``height``: small ones enlarged in sharp pixels, large ones reduced."""
    factor = min(width / shown.width, height / shown.height)
    size = (max(1, round(shown.width * factor)), max(1, round(shown.height * factor)))
    return shown.resize(size, PILImage.Resampling.NEAREST if factor > 1 else PILImage.Resampling.LANCZOS)


def encoded(shown: PILImage.Image) -> tuple[str, bytes]:
    """Return a picture's media type and bytes: a small one without loss, a larger one as WebP."""
    buffer = io.BytesIO()
    if max(shown.size) <= LOSSLESS:
        shown.save(buffer, format="PNG")
        return "image/png", buffer.getvalue()
    shown.save(buffer, format="WEBP", quality=QUALITY)
    return "image/webp", buffer.getvalue()


def blank(width: int, height: int, shade: tuple[int, int, int]) -> PILImage.Image:
    """Return a plain picture."""
    return PILImage.fromarray(np.full((height, width, 3), shade, dtype=np.uint8))
