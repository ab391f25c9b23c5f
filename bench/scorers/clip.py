"""A CLIP folder (model, tokenizer, image processor) as normalised features, one image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench  # noqa: F401  # puts the torchvision guard in place before transformers is imported
from bench.errors import BenchError

if TYPE_CHECKING:
    import torch

    from bench.types import Image


class ClipFeatures:
    """A loaded CLIP.

    Every image and every text is a call of its own: a matrix product over another number of rows may sum in another
    order, and a score must not depend on its neighbours, not even in the last bit.
    """

    def __init__(self, folder: Path, device: str) -> None:
        import torch
        from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            self._model: Any = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True, use_safetensors=True).to(device).eval()
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            self._processor: Any = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BenchError(
                f"Cannot load the CLIP model {folder}: {first}. The folder is damaged or incomplete: install the project again: `make env`."
            ) from error
        self._device = device

    def images(self, images: Sequence[Image]) -> torch.Tensor:
        """Return normalised image features, float32 of shape (n, projection), on the CPU."""
        import torch

        with torch.inference_mode():
            return torch.cat([self._image(image) for image in images])

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return normalised text features, float32 of shape (n, projection), on the CPU; what is too long is cut off."""
        import torch

        with torch.inference_mode():
            return torch.cat([self._text(text) for text in texts])

    def scale(self) -> float:
        """Return the learned temperature, ``exp(logit_scale)``."""
        return float(self._model.logit_scale.exp())

    def _image(self, image: Image) -> torch.Tensor:
        pixels = self._processor(image, return_tensors="pt", input_data_format="channels_last").pixel_values.to(self._device)
        return _normalised(self._model.get_image_features(pixel_values=pixels))

    def _text(self, text: str) -> torch.Tensor:
        tokens = self._tokenizer(text, padding="max_length", truncation=True, max_length=self._tokenizer.model_max_length, return_tensors="pt")
        return _normalised(self._model.get_text_features(**tokens.to(self._device)))


def _normalised(features: Any) -> torch.Tensor:
    import torch

    # transformers 5 returns an output object, transformers 4 the tensor itself.
    tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    return torch.nn.functional.normalize(tensor.float(), dim=-1).cpu()
