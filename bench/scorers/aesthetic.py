"""The aesthetic score: linear layers on normalised CLIP image features, as LAION's predictor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError
from bench.scorers.clip import ClipFeatures
from bench.scorers.weights import hashed, weights_path
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    from bench.types import Image

_WEIGHT = re.compile(r"layers\.(\d+)\.weight")


class Aesthetic(Scorer):
    """How pleasing an image is, whatever its prompt."""

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="aesthetic",
        summary="How pleasing an image is, about 1 to 10, by linear layers on CLIP features.",
        columns={"aesthetic": "about 1 to 10"},
        higher_is="better",
        source="https://github.com/christophschuhmann/improved-aesthetic-predictor (sac+logos+ava1-l14-linearMSE)",
        licence="Apache-2.0",
        defaults={"weights": None, "clip": None},
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the layers and of the CLIP folder's files."""
        return hashed(self.info.name, self.parameters, "weights", "clip")

    def load(self, context: Context) -> None:
        """Read the layers and the CLIP folder.

        Raises:
            BenchError: a file is missing, truncated or of another shape.
        """
        from safetensors.torch import load_file

        self._clip = ClipFeatures(weights_path(self.info.name, self.parameters, "clip"), context.device)
        folder = weights_path(self.info.name, self.parameters)
        try:
            sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))["layers"]
            tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
            # LAION's file numbers its dropout layers too, so that its numbers have gaps.
            numbers = sorted(int(match[1]) for match in map(_WEIGHT.fullmatch, tensors) if match)
            self._layers = [(tensors[f"layers.{number}.weight"], tensors[f"layers.{number}.bias"]) for number in numbers]
            shapes = [tuple(weight.shape) for weight, _ in self._layers]
            if shapes != [(after, before) for before, after in pairwise(sizes)]:
                raise ValueError(f"its layers have shapes {shapes}, its config.json says {sizes}")
        except Exception as error:
            raise BenchError(f"Cannot read the aesthetic head {folder}: {error}. Install the project again: `make env`.") from error
        if sizes[0] != self._clip.width:
            raise BenchError(f"The aesthetic head {folder} takes {sizes[0]} features, its CLIP gives {self._clip.width}; they must be of one model.")

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``aesthetic`` for each image."""
        rows: list[Mapping[str, Any]] = []
        for features in self._clip.images(images):
            for weight, bias in self._layers:  # no activations between them
                features = weight @ features + bias
            rows.append({"aesthetic": float(features)})
        return rows
