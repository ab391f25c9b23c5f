"""A CLIP image encoder from a folder, in either of the two layouts that the field uses: transformers' or open_clip's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.errors import BenchError
from bench.scorers.clip import ClipFeatures

if TYPE_CHECKING:
    import torch

    from bench.types import Image

OPEN_CLIP_CONFIG = "open_clip_config.json"
"""What marks a folder as open_clip's; LAION's repositories hold it beside transformers' files, and it is then preferred."""


class ImageEncoder(Protocol):
    """What turns images into features; ``width`` is their number."""

    width: int

    def images(self, images: Sequence[Image]) -> torch.Tensor:
        """Return normalised features, float32 of shape (n, width), on the CPU; an image's never depend on its neighbours."""


class OpenClipImages:
    """An open_clip model's image tower, prepared as open_clip itself prepares images; one image a call, as :class:`ClipFeatures`.

    Raises:
        BenchError: the folder is damaged or incomplete.
    """

    def __init__(self, folder: Path, device: str) -> None:
        import open_clip
        import torch

        try:
            model, self._prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}", device=device)
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BenchError(f"Cannot load the open_clip model {folder}: {first}. The folder is damaged or incomplete: fetch it again.") from error
        self._model: Any = model.float().eval()
        self._device = device
        with torch.inference_mode():
            side = model.visual.image_size
            height, width = (side, side) if isinstance(side, int) else side
            self.width = int(self._model.encode_image(torch.zeros(1, 3, height, width, device=device)).shape[-1])

    def images(self, images: Sequence[Image]) -> torch.Tensor:
        """Return normalised features, float32 of shape (n, width), on the CPU."""
        import torch
        from PIL import Image as Pillow

        with torch.inference_mode():
            each = [self._model.encode_image(self._prepare(Pillow.fromarray(image))[None].to(self._device), normalize=True) for image in images]
            return torch.cat(each).float().cpu()


def load_image_encoder(folder: Path, device: str) -> ImageEncoder:
    """Return the image encoder in ``folder``.

    Raises:
        BenchError: the folder is damaged or incomplete.
    """
    return OpenClipImages(folder, device) if (folder / OPEN_CLIP_CONFIG).is_file() else ClipFeatures(folder, device)
