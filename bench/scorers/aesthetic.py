"""The aesthetic score: linear layers on normalised CLIP image features, as LAION's predictor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError
from bench.scorers.clip import ClipFeatures
from bench.scorers.weights import hashed, weights_path
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    from bench.types import Image


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
            count = len(json.loads((folder / "config.json").read_text(encoding="utf-8"))["layers"]) - 1
            tensors = load_file(folder / "model.safetensors")
            self._layers = [(tensors[f"layers.{index}.weight"], tensors[f"layers.{index}.bias"]) for index in range(count)]
        except Exception as error:
            raise BenchError(f"Cannot read the aesthetic head {folder}: {error}. Install the project again: `make env`.") from error

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``aesthetic`` for each image."""
        rows: list[Mapping[str, Any]] = []
        for features in self._clip.images(images):
            for weight, bias in self._layers:  # no activations between them
                features = weight @ features + bias
            rows.append({"aesthetic": float(features)})
        return rows
