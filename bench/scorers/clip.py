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

    Attributes:
        width: of the features.
    """

    def __init__(self, folder: Path, device: str) -> None:
        import torch

        # PIL prepares the pixels, as it did for the models' authors; the default backend depends on whether torchvision
        # is installed, and moves pixels by up to 0.015 where it resizes.
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            model, report = CLIPModel.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            self._processor: Any = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
            _check(model, report, self._tokenizer, self._processor)
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BenchError(
                f"Cannot load the CLIP model {folder}: {first}. The folder is damaged or incomplete: install the project again: `make env`."
            ) from error
        self._model: Any = model.to(device).eval()
        self._device = device
        self._length = min(int(self._tokenizer.model_max_length), int(model.config.text_config.max_position_embeddings))
        self.width = int(model.config.projection_dim)

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
        return float(self._model.logit_scale.detach().exp())

    def _image(self, image: Image) -> torch.Tensor:
        pixels = self._processor(image, return_tensors="pt", input_data_format="channels_last").pixel_values.to(self._device)
        return _normalised(self._model.get_image_features(pixel_values=pixels))

    def _text(self, text: str) -> torch.Tensor:
        tokens = self._tokenizer(text, padding="max_length", truncation=True, max_length=self._length, return_tensors="pt")
        return _normalised(self._model.get_text_features(**tokens.to(self._device)))


def _check(model: Any, report: Any, tokenizer: Any, processor: Any) -> None:
    """Refuse a folder that transformers loads without a word but that would score wrong.

    Raises:
        ValueError: says what does not fit.
    """
    lost = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
    if lost:  # transformers goes on with random numbers in their place
        raise ValueError(f"{len(lost)} tensors are missing or of another shape, first {lost[0]}")
    text = model.config.text_config
    if len(tokenizer) != text.vocab_size:  # without its files, a tokenizer loads and knows two tokens
        raise ValueError(f"its tokenizer has {len(tokenizer)} tokens and its model {text.vocab_size}")
    # 2 in the configurations of OpenAI's models stands for the highest id; at any other wrong id every text reads alike.
    pooled = len(tokenizer) - 1 if text.eos_token_id == 2 else text.eos_token_id
    if tokenizer.eos_token_id != pooled:
        raise ValueError(f"its tokenizer ends a text with token {tokenizer.eos_token_id} and its model reads token {pooled}")
    side = model.config.vision_config.image_size
    if dict(processor.crop_size) != {"height": side, "width": side}:
        raise ValueError(f"its image processor gives {dict(processor.crop_size)} and its model takes {side} pixels")


def _normalised(features: Any) -> torch.Tensor:
    import torch

    # transformers 5 returns an output object, transformers 4 the tensor itself.
    tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    return torch.nn.functional.normalize(tensor.float(), dim=-1).cpu()
