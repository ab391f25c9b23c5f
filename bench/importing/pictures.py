"""What an image file shows, as a person sees it: RGB, upright, one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError
from bench.files.rgb import opened, to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

_ORIENTATION = 0x0112
"""EXIF's tag that says which side of a picture is up."""
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
"""How a colour profile says that it is the one that a picture without any is in."""


@dataclass(frozen=True, slots=True, eq=False)
class UprightPicture:
    """An image file, read.

    Attributes:
        pixels: uint8, (height, width, 3).
        changed: what was done to the picture beyond reading it, in words.
    """

    pixels: npt.NDArray[np.uint8]
    changed: tuple[str, ...]


def read_picture(file: Path) -> UprightPicture:
    """Return what ``file`` shows: as :func:`bench.files.rgb.to_rgb` makes it RGB, but turned as the camera's note says, as every viewer turns it.

    Raises:
        BenchError: it is no readable image, an animation, or cannot be made RGB without guessing.
    """
    from PIL import ImageOps

    with opened(file) as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format != "MPO":  # a camera's file, whose further pictures are views of the first
            raise BenchError(f"{file} is an animation of {frames} pictures; expected one. Save the picture that counts, and import again.")
        changed = tuple(_changes(picture))
        return UprightPicture(to_rgb(ImageOps.exif_transpose(picture), str(file)), changed)


def _changes(picture: Pillow) -> list[str]:
    """Return what making a picture RGB and upright does to it, where a person might see a difference."""
    found = []
    if picture.getexif().get(_ORIENTATION, 1) != 1:
        found.append("turned upright by its EXIF note")
    if "transparency" in picture.info or ("A" in picture.getbands() and picture.getchannel("A").getextrema()[0] < 255):  # type: ignore[operator]
        found.append("transparency dropped")
    if picture.mode == "CMYK":
        found.append("made RGB from CMYK")
    profile = picture.info.get("icc_profile")
    if profile and not any(mark in profile for mark in _SRGB):
        found.append("colour profile not applied")
    return found
