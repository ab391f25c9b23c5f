"""ImageReward: how people would like an image for its prompt, by the authors' weights in transformers' BLIP classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before transformers is imported
from bench.files.checkpoint import checkpoint_file, fill, unreadable, weights_path
from bench.files.hashes import hash_weights, sha256
from bench.files.published import read_weights
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    import torch

    from bench.types import Image

FILE = "ImageReward.pt"
"""The authors' file, in their hub repository THUDM/ImageReward."""
LENGTH = 35
"""Tokens that a prompt is cut or filled up to."""
MEAN, STD = 0.16717362830052426, 1.0333394966054072
"""Of the raw reward on the authors' data; the score is how many such deviations an image lies above that mean."""
HEAD = 64
"""Width of an attention head in every BLIP, of the image and of the text encoder; the one size that no tensor's shape tells."""
ADDED = ("[DEC]", "[ENC]")
"""Tokens that BLIP adds to BERT's."""

_VISION, _TEXT = "blip.visual_encoder.", "blip.text_encoder."
_UNUSED = re.compile(r"blip\.(vision|text)_proj\.(weight|bias)|blip\.text_encoder\.embeddings\.position_ids")
"""BLIP's contrastive projections, which no reward goes through, and a mere count of positions."""
_RENAMED = (
    ("vision.embeddings.class_embedding", f"{_VISION}cls_token"),
    ("vision.embeddings.position_embedding", f"{_VISION}pos_embed"),
    ("vision.embeddings.patch_embedding.", f"{_VISION}patch_embed.proj."),
    ("vision.encoder.layers.", f"{_VISION}blocks."),
    ("vision.post_layernorm.", f"{_VISION}norm."),
    (".self_attn.projection.", ".attn.proj."),
    (".self_attn.", ".attn."),
    (".layer_norm", ".norm"),
    ("text.", _TEXT),
    ("reward.", "mlp.layers."),
)
"""transformers' names and the authors', replaced in this order."""
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt")


class ImageReward(Scorer):
    """BLIP's image-grounded text encoder and five linear layers on its first token.

    Parameters: ``weights``, the authors' file or a folder that holds it; ``tokenizer``, a folder with bert-base-uncased's tokenizer;
    ``vision_layers`` and ``text_layers``, how many the file must hold. All other sizes are read from its tensors' shapes.
    """

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="imagereward",
        summary="BLIP trained on preferences: a reward for image and prompt, standardised.",
        columns={"imagereward": "standard deviations above the mean reward of the authors' data, about -2 to 2"},
        higher_is="better",
        label="ImageReward",
        explanation="Mean ImageReward, in standard deviations.",
        unit="standard deviations",
        source="Xu et al., arXiv:2304.05977; https://github.com/zai-org/ImageReward @ c1392c6; THUDM/ImageReward",
        licence="Apache-2.0 (ImageReward, BERT's tokenizer); BSD-3-Clause (BLIP)",
        defaults={"weights": None, "tokenizer": None, "vision_layers": 24, "text_layers": 12},
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the checkpoint and of the tokenizer's files."""
        file, folder = checkpoint_file(self.info.name, self.parameters, FILE), weights_path(self.info.name, self.parameters, "tokenizer")
        # BERT's own weights may lie beside its tokenizer; nothing reads them.
        read = {name: hash_weights(folder / name)[name] for name in _TOKENIZER_FILES if (folder / name).is_file()}
        return {f"weights/{file.name}": sha256(file), **{f"tokenizer/{name}": digest for name, digest in read.items()}}

    def load(self, context: Context) -> None:
        """Read the checkpoint and the tokenizer.

        Raises:
            BenchError: either is missing or damaged, or they do not belong together.
        """
        file, folder = checkpoint_file(self.info.name, self.parameters, FILE), weights_path(self.info.name, self.parameters, "tokenizer")
        try:
            tensors = {name: value for name, value in read_weights(file).tensors.items() if not _UNUSED.fullmatch(name)}
            model = build(tensors, int(self.parameters["vision_layers"]), int(self.parameters["text_layers"]))
            fill(model, tensors, official_name)
        except Exception as error:
            raise unreadable("ImageReward weights", file, error, f"Fetch {FILE} again from the hub's THUDM/ImageReward.") from error
        self._tokenizer: Any = _tokenizer(folder, model["text"].config.vocab_size)
        self._model: Any = model.to(context.device).eval()
        self._side = int(model["vision"].config.image_size)
        self._device = context.device

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``imagereward`` for each image."""
        import torch

        with torch.inference_mode():
            return [{"imagereward": self._reward(image, sample.prompt)} for image, sample in zip(images, samples, strict=True)]

    def _reward(self, image: Image, prompt: str) -> float:
        # One image and one text a call: a score must not depend on its neighbours, not even in the last bit.
        tokens = self._tokenizer(prompt, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt").to(self._device)
        seen = self._model["vision"](pixel_values=prepare(image, self._side)[None].to(self._device)).last_hidden_state
        # Without `is_decoder` a word sees those after it too; the configuration has it True, which is what builds the cross-attention.
        value = self._model["text"](
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, encoder_hidden_states=seen, is_decoder=False
        ).last_hidden_state[:, 0]
        for layer in self._model["reward"].values():  # no activations between them
            value = layer(value)
        return (float(value) - MEAN) / STD


def official_name(name: str) -> str:
    """Return the authors' name for a tensor of :func:`build`'s model."""
    for ours, theirs in _RENAMED:
        name = name.replace(ours, theirs)
    return name


def build(tensors: Mapping[str, torch.Tensor], vision_layers: int, text_layers: int) -> Any:
    """Return an unfilled model, a ``ModuleDict`` of ``vision``, ``text`` and ``reward``, of the sizes that a checkpoint's tensors have.

    Args:
        tensors: by the authors' names.
        vision_layers: of the image encoder.
        text_layers: of the text encoder.

    Raises:
        ValueError: a tensor that tells a size is missing, or tells none that a BLIP has.
    """
    from torch.nn import Linear, ModuleDict
    from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

    _, positions, width = _shape(tensors, f"{_VISION}pos_embed", 3)
    patch = _shape(tensors, f"{_VISION}patch_embed.proj.weight", 4)[-1]
    words, text_width = _shape(tensors, f"{_TEXT}embeddings.word_embeddings.weight", 2)
    length = _shape(tensors, f"{_TEXT}embeddings.position_embeddings.weight", 2)[0]
    for each in (width, text_width):
        if each % HEAD:
            raise ValueError(f"an encoder is {each} wide, which {HEAD} does not divide")
    if isqrt(positions - 1) ** 2 != positions - 1:
        raise ValueError(f"its {positions} positions are no square of patches and one")
    if length < LENGTH:
        raise ValueError(f"its texts have {length} positions, a prompt has {LENGTH}")
    vision = BlipVisionConfig(
        hidden_size=width,
        intermediate_size=_shape(tensors, f"{_VISION}blocks.0.mlp.fc1.weight", 2)[0],
        num_hidden_layers=vision_layers,
        num_attention_heads=width // HEAD,
        image_size=isqrt(positions - 1) * patch,
        patch_size=patch,
        layer_norm_eps=1e-6,  # transformers' default is another than the authors'
    )
    text = BlipTextConfig(
        vocab_size=words,
        hidden_size=text_width,
        encoder_hidden_size=width,
        intermediate_size=_shape(tensors, f"{_TEXT}encoder.layer.0.intermediate.dense.weight", 2)[0],
        num_hidden_layers=text_layers,
        num_attention_heads=text_width // HEAD,
        max_position_embeddings=length,
        is_decoder=True,
        bos_token_id=None,  # nothing is generated; the default is no token of a small vocabulary
    )
    # The authors number their dropout layers too, so that the numbers have gaps.
    numbers = sorted(int(match[1]) for match in (re.fullmatch(r"mlp\.layers\.(\d{1,4})\.weight", name) for name in tensors) if match)
    sizes = [text_width, *(_shape(tensors, f"mlp.layers.{number}.weight", 2)[0] for number in numbers)]
    if sizes[1:][-1:] != [1]:
        raise ValueError("its reward's layers do not end in one number")
    reward = ModuleDict({str(number): Linear(before, after) for number, before, after in zip(numbers, sizes, sizes[1:], strict=False)})
    return ModuleDict({"vision": BlipVisionModel(vision), "text": BlipTextModel(text, add_pooling_layer=False), "reward": reward})


def _shape(tensors: Mapping[str, torch.Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in tensors:
        raise ValueError(f"{name} is missing")
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(f"{name} has shape {shape}, expected {dimensions} dimensions")
    return shape


def _tokenizer(folder: Path, words: int) -> Any:
    """Return BLIP's tokenizer, made of BERT's in ``folder``.

    Raises:
        BenchError: it is missing or damaged, or another than the model's, which reads ``words`` tokens.
    """
    from transformers import BertTokenizer

    try:
        tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.add_tokens(list(ADDED), special_tokens=True)
        if len(tokenizer) != words:  # without its files, a tokenizer loads and knows five tokens
            raise ValueError(f"with {' and '.join(ADDED)} it has {len(tokenizer)} tokens, the model reads {words}")
    except Exception as error:
        raise unreadable("tokenizer", folder, error, "ImageReward's is bert-base-uncased's: give a folder with that as `tokenizer`.") from error
    return tokenizer


def prepare(image: Image, side: int) -> torch.Tensor:
    """Return the model's input for an RGB image, uint8 (height, width, 3): float32, shape (3, side, side), normalised as CLIP's.

    Its shorter side is scaled to ``side`` pixels by PIL's bicubic filter, and the middle is cut out.
    """
    from PIL import Image as Pillow
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import center_crop, normalize, resize, to_tensor
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    scaled = resize(Pillow.fromarray(image), [side], InterpolationMode.BICUBIC)
    pixels: torch.Tensor = normalize(to_tensor(center_crop(scaled, [side, side])), OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    return pixels
