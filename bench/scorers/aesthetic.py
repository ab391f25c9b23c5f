"""The aesthetic score: linear layers on normalised CLIP image features, as LAION's predictor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError
from bench.files.checkpoint import hashed, told_apart, unreadable, weights_path
from bench.files.published import read_weights
from bench.scorers.clip.encoders import encoders_of
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from bench.types import Image

PUBLISHED = {
    "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0": "sac+logos+ava1-l14-linearMSE.pth, the usual head",
    "390a3aafaf3b37d57148f9b22f30556de38343064b7d915acfa80d3812b4c9ff": "ava+logos-l14-linearMSE.pth, an earlier head that gives other numbers",
}
"""The authors' heads of this architecture by their SHA-256."""
NUMBERS = (0, 2, 4, 6, 7)
"""Of the linear layers in the authors' files, which number their dropout layers too."""
SIZES = (768, 1024, 128, 64, 16, 1)
"""Of the authors' layers."""
_WEIGHT = re.compile(r"layers\.(\d{1,4})\.weight")


class Aesthetic(Scorer):
    """How pleasing an image is, whatever its prompt.

    Parameters: ``weights``, the authors' file, or a folder with ``model.safetensors`` and ``config.json``; ``clip``, its CLIP.
    The authors have three files. Theirs with ``reluMSE`` in its name has activations between its layers and is refused; the scores'
    description says which of the others it was.
    """

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="aesthetic",
        summary="How pleasing an image is, about 1 to 10, by linear layers on CLIP features.",
        columns={"aesthetic": "about 1 to 10"},
        higher_is="better",
        label="Aesthetic",
        explanation="Mean aesthetic score, 1 to 10.",
        unit="1 to 10",
        range=(1, 10),
        published=("aesthetic", "aes"),
        source="https://github.com/christophschuhmann/improved-aesthetic-predictor @ 6934dd8 "
        "(sac+logos+ava1-l14-linearMSE.pth; ava+logos-l14-linearMSE.pth there gives other numbers)",
        licence="Apache-2.0",
        defaults={"weights": None, "clip": None},
        encoder="clip",
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the layers and of the CLIP folder's files."""
        return hashed(self.info.name, self.parameters, "weights", "clip")

    def known_as(self, context: Context) -> Mapping[str, str]:
        """Return which of the published heads this is, by its hash."""
        return {file: known for file, known in told_apart(self.info.name, self.parameters, PUBLISHED).items() if not file.endswith(".json")}

    def load(self, context: Context) -> None:
        """Read the layers and the CLIP folder.

        Raises:
            BenchError: a file is missing, truncated or of another shape.
        """
        self._clip = encoders_of(context).clip(weights_path(self.info.name, self.parameters, "clip"), context.device)
        path = weights_path(self.info.name, self.parameters)
        self._layers = read_published(path) if path.is_file() else _read_folder(path)
        takes = self._layers[0][0].shape[1]
        if takes != self._clip.width:
            raise BenchError(f"The aesthetic head {path} takes {takes} features, its CLIP gives {self._clip.width}; they must be of one model.")

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``aesthetic`` for each image."""
        rows: list[Mapping[str, Any]] = []
        for features in self._clip.images(images):
            for weight, bias in self._layers:  # no activations between them
                features = weight @ features + bias
            rows.append({"aesthetic": float(features)})
        return rows


def read_published(file: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return weight and bias of each layer of the authors' file, float32, first to last.

    Raises:
        BenchError: it is damaged, or anything but the authors' five linear layers.
    """
    expected: dict[str, tuple[int, ...]] = {}
    for number, (before, after) in zip(NUMBERS, pairwise(SIZES), strict=True):
        expected |= {f"layers.{number}.weight": (after, before), f"layers.{number}.bias": (after,)}
    try:
        tensors = {name: tensor.float() for name, tensor in read_weights(file).tensors.items()}
        if set(tensors) != set(expected):
            other = min(set(tensors) ^ set(expected))
            activations = ", as ava+logos-l14-reluMSE.pth has, whose layers have activations between them" if "layers.3.weight" in tensors else ""
            raise ValueError(f"it has other layers than the authors', first {other}{activations}")
        wrong = next((name for name, shape in expected.items() if tuple(tensors[name].shape) != shape), None)
        if wrong:
            raise ValueError(f"{wrong} has shape {tuple(tensors[wrong].shape)}, the authors' has {expected[wrong]}")
    except Exception as error:
        raise unreadable("aesthetic head", file, error, "Expected the authors' sac+logos+ava1-l14-linearMSE.pth.") from error
    return [(tensors[f"layers.{number}.weight"], tensors[f"layers.{number}.bias"]) for number in NUMBERS]


def _read_folder(folder: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return weight and bias of each layer of a head of any size, whose ``config.json`` states the sizes.

    Raises:
        BenchError: a file is missing or damaged, or is not what its configuration says.
    """
    from safetensors.torch import load_file

    try:
        sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))["layers"]
        tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
        # Dropout layers may be numbered too, so that the numbers have gaps.
        numbers = sorted(int(match[1]) for match in map(_WEIGHT.fullmatch, tensors) if match)
        layers = [(tensors[f"layers.{number}.weight"], tensors[f"layers.{number}.bias"]) for number in numbers]
        shapes = [tuple(weight.shape) for weight, _ in layers]
        if not shapes or shapes != [(after, before) for before, after in pairwise(sizes)]:
            raise ValueError(f"its layers have shapes {shapes}, its config.json says {sizes}")
    except Exception as error:
        raise BenchError(f"Cannot read the aesthetic head {folder}: {error}. Install the project again: `make env`.") from error
    return layers
