"""A CLIP folder (model, tokenizer, image processor) as normalised features, one image and one text at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before transformers is imported
from bench.errors import BenchError, first_line
from bench.files.tensors import has_safetensors
from bench.scorers.clip.tower import ImageTower

if TYPE_CHECKING:
    import torch

    from bench.types import Image


_NOT_PIXELS = ("image_processor_type", "feature_extractor_type", "processor_class", "_processor_class")
"""What a processor's configuration says of itself and not of pixels; repositories differ in it."""


class ClipTower(ImageTower):
    """A CLIP's vision model and projection, with the pixels prepared by PIL.

    PIL prepared them for the models' authors too; transformers' default backend depends on whether torchvision is installed, and moves
    pixels by up to 0.015 where it resizes.

    Args:
        vision: gives an output object with ``pooler_output``.
        projection: of the pooled output.
        processor: a ``CLIPImageProcessorPil``.
        device: a torch device string.
    """

    def __init__(self, vision: Any, projection: Any, processor: Any, device: str) -> None:
        super().__init__()
        vision.set_attn_implementation("sdpa")
        self._vision, self._projection = vision.to(device).eval(), projection.to(device).eval()
        # Weights read from a file lie in memory as they lay in the file, and on some processors the last bits of a product depend on
        # how its factors are aligned. Copies are aligned alike, so that the same tower from two files gives the same bits.
        for each in (*self._vision.parameters(), *self._projection.parameters()):
            each.data = each.data.clone()
        self._processor = processor
        self.device = device
        self.width = int(projection.out_features)

    def _features(self, image: Image) -> torch.Tensor:
        pixels = self._processor(image, return_tensors="pt", input_data_format="channels_last").pixel_values.to(self.device)
        return _normalised(self._projection(self._vision(pixel_values=pixels).pooler_output))

    def preparation(self) -> Any:
        """Return the processor's settings."""
        return {key: value for key, value in self._processor.to_dict().items() if key not in _NOT_PIXELS}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights of vision model and projection."""
        return {**self._vision.state_dict(), **self._projection.state_dict(prefix="visual_projection.")}


class ClipFeatures:
    """A loaded CLIP folder; every text is a call of its own, as every image is.

    Attributes:
        tower: its images' side, which others may share.
        width: of the features.
        backbone: side of an image and of a patch in pixels, and the width: (224, 14, 768) for ViT-L/14.

    Raises:
        BenchError: the folder is damaged or incomplete.
    """

    def __init__(self, folder: Path, device: str) -> None:
        import torch
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            model, report = CLIPModel.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=has_safetensors(folder), output_loading_info=True
            )
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            processor: Any = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
            _check(model, report, self._tokenizer, processor)
        except Exception as error:
            first = first_line(error)
            raise BenchError(
                f"Cannot load the CLIP model {folder}: {first}. The folder is damaged or incomplete: install the project again: `make env`."
            ) from error
        self._text: Any = model.text_model.to(device).eval()
        self._projection: Any = model.text_projection.to(device).eval()
        self._scale = float(model.logit_scale.detach().exp())
        self._device = device
        self._length = min(int(self._tokenizer.model_max_length), int(model.config.text_config.max_position_embeddings))
        self.tower: ImageTower = ClipTower(model.vision_model, model.visual_projection, processor, device)
        self.width = self.tower.width
        vision = model.config.vision_config
        self.backbone = (int(vision.image_size), int(vision.patch_size), self.width)

    def images(self, images: Sequence[Image]) -> torch.Tensor:
        """Return normalised image features, float32 of shape (n, width), on the CPU."""
        return self.tower.images(images)

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return normalised text features, float32 of shape (n, width), on the CPU; what is too long is cut off."""
        import torch

        with torch.inference_mode():
            return torch.cat([self._features(text) for text in texts])

    def scale(self) -> float:
        """Return the learned temperature, ``exp(logit_scale)``."""
        return self._scale

    def _features(self, text: str) -> torch.Tensor:
        tokens = self._tokenizer(text, padding="max_length", truncation=True, max_length=self._length, return_tensors="pt")
        return _normalised(self._projection(self._text(**tokens.to(self._device)).pooler_output))


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


def _normalised(features: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.nn.functional.normalize(features.float(), dim=-1).cpu()
