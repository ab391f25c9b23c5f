"""The reader: recovers every attribute of a scene from its picture. The miniature world's oracle.

Trained by ``training/miniature/reader.py``; its accuracy on held-out renders is in the model card.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import nn

from bench.errors import BenchError, first_line
from bench.miniature.scene import Scene
from bench.miniature.vocabulary import BACKGROUNDS, COLOURS, CONTEXTS, DECORATIONS, FILLS, GLYPHS, SHAPES, SIDES

ATTRIBUTES: Mapping[str, tuple[str | int | None, ...]] = {
    "shape": SHAPES,
    "colour": COLOURS,
    "fill": FILLS,
    "side": SIDES,
    "background": BACKGROUNDS,
    "context": (None, *CONTEXTS),
    "glyph": (None, *GLYPHS),
    "severity": (0, 1, 2, 3),
    "decoration": (None, *DECORATIONS),
    "count": (0, 1, 2, 3),
}
"""Every attribute with its values; the order is the order of the network's outputs."""

_BATCH = 256


def to_tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return pictures, uint8 (n, height, width, 3), as float32 (n, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def labels(scene: Scene) -> list[int]:
    """Return the scene's value index for each attribute, in the order of ``ATTRIBUTES``."""
    return [values.index(getattr(scene, name)) for name, values in ATTRIBUTES.items()]


class ReaderNetwork(nn.Module):
    """Six convolutions and two linear layers; one softmax an attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 64, 96, 128, 128)
        strides = (1, 2, 1, 2, 1, 2)
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 256), nn.ReLU())
        self.heads = nn.Linear(256, sum(len(values) for values in ATTRIBUTES.values()))

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return logits, one (n, values) tensor an attribute, for pictures (n, 3, 32, 32) in [-1, 1]."""
        return list(self.heads(self.features(pictures)).split([len(values) for values in ATTRIBUTES.values()], dim=1))


class Reader:
    """A loaded reader."""

    def __init__(self, network: ReaderNetwork) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def read(self, images: npt.NDArray[np.uint8]) -> list[dict[str, str | int | None]]:
        """Return ``{attribute: value}`` for each picture of ``images``, uint8 of shape (n, 32, 32, 3)."""
        found: list[dict[str, str | int | None]] = []
        for start in range(0, len(images), _BATCH):
            choices = [logits.argmax(1).tolist() for logits in self._network(to_tensor(images[start : start + _BATCH]))]
            found += [{name: ATTRIBUTES[name][index] for name, index in zip(ATTRIBUTES, row, strict=True)} for row in zip(*choices, strict=True)]
        return found


def load_network(network: nn.Module, path: Path) -> None:
    """Load ``path/model.safetensors`` into ``network``; a file that does not fit is one clear line."""
    file = path / "model.safetensors"
    try:
        network.load_state_dict(load_file(file))
    except Exception as error:
        first = first_line(error)
        raise BenchError(f"Cannot read the weights {file}: {first}. Install the project again: `make env`.") from error


def load_reader(path: Path) -> Reader:
    """Return the reader whose weights are in folder ``path``.

    Raises:
        BenchError: the file is missing, truncated or of another shape.
    """
    network = ReaderNetwork()
    load_network(network, path)
    return Reader(network)
