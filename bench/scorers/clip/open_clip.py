"""A CLIP image tower from a folder, in either of the two layouts that the field uses: transformers' or open_clip's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, first_line
from bench.scorers.clip.tower import ImageTower

if TYPE_CHECKING:
    import torch

    from bench.types import Image

OPEN_CLIP_CONFIG = "open_clip_config.json"
"""What marks a folder as open_clip's; LAION's repositories hold it beside transformers' files, and it is then preferred."""


class OpenClipTower(ImageTower):
    """An open_clip model's image tower, prepared as open_clip itself prepares images.

    Raises:
        BenchError: the folder is damaged or incomplete.
    """

    def __init__(self, folder: Path, device: str) -> None:
        import open_clip
        import torch

        super().__init__()
        try:
            model, self._prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}", device=device)
        except Exception as error:
            first = first_line(error)
            raise BenchError(f"Cannot load the open_clip model {folder}: {first}. The folder is damaged or incomplete: fetch it again.") from error
        self._visual: Any = model.visual.float().eval()
        self.device = device
        side = self._visual.image_size
        height, width = (side, side) if isinstance(side, int) else side
        with torch.inference_mode():
            self.width = int(self._visual(torch.zeros(1, 3, height, width, device=device)).shape[-1])

    def _features(self, image: Image) -> torch.Tensor:
        import torch
        from PIL import Image as Pillow

        pixels = self._prepare(Pillow.fromarray(image))[None].to(self.device)
        return torch.nn.functional.normalize(self._visual(pixels), dim=-1).float().cpu()

    def preparation(self) -> Any:
        """Return the transform, as text."""
        return str(self._prepare)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights of the image tower."""
        return dict(self._visual.state_dict())
