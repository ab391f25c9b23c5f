"""Reading a user's image as RGB: what Pillow maps to other colours than the file shows is refused, never read as white or black.

Pillow's ``convert("RGB")`` is right for 8-bit grey, palettes, transparency (dropped), CMYK and 1-bit pictures, and for 16-bit colour, of which it
keeps the upper 8 bits. Grey of more than 8 bits and floating-point pictures it cuts off at 255: nearly all of a 16-bit picture turns white and one
with values in [0, 1] black. How such values should map to 0..255 only their owner knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError, first_line

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow


def check_mode(picture: Pillow, name: str) -> None:
    """Refuse an open picture that Pillow does not make RGB rightly; its header is enough.

    Args:
        picture: as it was opened.
        name: the file, for the message.

    Raises:
        BenchError: it is grey of more than 8 bits, or floating-point.
    """
    kind, _, bits = picture.mode.partition(";")
    if kind not in ("I", "F"):
        return
    what = "a floating-point image" if kind == "F" else "a grey image of 16 bits" if bits else "a grey image of more than 8 bits"
    raise BenchError(
        f"{name} is {what} (mode {picture.mode}), and what in it is black and what is white is not stated; expected 8 bits a channel. Save it as an "
        f"8-bit PNG (its values brought to 0..255 first) or take it out of the folder, and run the same command again."
    )


def to_rgb(picture: Pillow, name: str) -> npt.NDArray[np.uint8]:
    """Return an open picture as RGB, uint8 of shape (height, width, 3): transparency is dropped, grey repeated, no note of the camera followed.

    Raises:
        BenchError: as :func:`check_mode`.
    """
    check_mode(picture, name)
    return np.array(picture.convert("RGB"))


def read_rgb(file: Path) -> npt.NDArray[np.uint8]:
    """Return an image file as :func:`to_rgb`.

    Raises:
        BenchError: it is no readable image, or one that cannot be made RGB without guessing.
    """
    with opened(file) as picture:
        return to_rgb(picture, str(file))


def check_file(file: Path) -> None:
    """Refuse what :func:`read_rgb` refuses by its header alone, before hours of work on the files before it.

    Raises:
        BenchError: as :func:`read_rgb`.
    """
    with opened(file) as picture:
        check_mode(picture, str(file))


@contextmanager
def opened(file: Path) -> Iterator[Pillow]:
    """Open an image file within the block; whatever Pillow raises there is one line that names the file.

    Raises:
        BenchError: it is no readable image.
    """
    from PIL import Image

    try:
        with Image.open(file) as picture:
            yield picture
    except BenchError:
        raise
    except Exception as error:
        mend = "Mend it or take it out of the folder, and run the same command again."
        raise BenchError(f"{file} is no readable image: {first_line(error)}. {mend}") from error
