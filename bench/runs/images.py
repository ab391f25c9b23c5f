"""Images by content: the name is the hash of the pixels, the file is a PNG (lossless)."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from bench.errors import Damaged, first_line
from bench.files.atomic import Doing, mendable, write_atomic

_MEND = "Run `bench verify` on the run folder, which reads every image, then the same `bench run` (or `bench import`) again."

Pixels = npt.NDArray[np.uint8]


def hash_pixels(pixels: Pixels) -> str:
    """Return the SHA-256 of a picture's shape and pixels; the same at any PNG encoder."""
    digest = hashlib.sha256("x".join(str(length) for length in pixels.shape).encode() + b"\0")
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


class ImageStore:
    """The folder of a run's images: ``ab/ab12....png``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> set[str]:
        """Return the hash in the name of every image that is there."""
        return {path.stem for path in self.folder.glob("*/*.png")}

    def path(self, digest: str) -> Path:
        """Return where the image called ``digest`` is."""
        return self.folder / digest[:2] / f"{digest}.png"

    def put(self, pixels: Pixels) -> tuple[str, int]:
        """Write a picture, uint8 (height, width, 3), and return its hash and the file's bytes."""
        digest = hash_pixels(pixels)
        path = self.path(digest)
        buffer = io.BytesIO()
        PILImage.fromarray(pixels).save(buffer, format="PNG")
        content = buffer.getvalue()
        # A file of that name may be a damaged one: it is replaced, never trusted. What survives a power cut
        # is checked by size at the next run, so that single images need no flush of their own.
        write_atomic(path, content, sync=False)
        return digest, len(content)

    def get(self, digest: str) -> Pixels:
        """Return the picture called ``digest``, proven to be it.

        Raises:
            Damaged: it is missing, unreadable, or not what its name says.
            Unreachable: the operating system does not give it.
        """
        path = self.path(digest)
        with mendable(path, Doing.READ):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                raise Damaged(f"The image {path} is missing. {_MEND}") from None
        try:
            with PILImage.open(io.BytesIO(content)) as image:
                pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
        except Exception as error:  # a decoder that is given damaged bytes may raise anything
            raise Damaged(f"The image {path} was damaged ({first_line(error)}). {_MEND}") from error
        if hash_pixels(pixels) != digest:
            raise Damaged(f"The image {path} was damaged: its pixels are not those that were stored. {_MEND}")
        return pixels

    def shape(self, digest: str) -> tuple[int, int]:
        """Return a picture's width and height, from its file's head alone.

        Raises:
            Damaged: it is missing or unreadable.
        """
        try:
            with PILImage.open(self.path(digest)) as image:
                return image.size
        except Exception as error:
            raise Damaged(f"The image {self.path(digest)} was damaged ({first_line(error)}). {_MEND}") from error

    def take(self, other: ImageStore, digest: str) -> None:
        """Write the picture called ``digest`` as another store has it, byte by byte; the caller has proven that one."""
        if self.size(digest) is None or self.size(digest) != other.size(digest):
            write_atomic(self.path(digest), other.path(digest).read_bytes(), sync=False)

    def size(self, digest: str) -> int | None:
        """Return the file's bytes, or None where it is missing."""
        with mendable(self.path(digest), Doing.READ):
            try:
                return self.path(digest).stat().st_size
            except FileNotFoundError:
                return None
