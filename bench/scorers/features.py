"""What scorers have in common that keep a network's features of each image: distances between sets of images are made of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.types import Sample, Scorer

if TYPE_CHECKING:
    from bench.types import Image


class FeatureScorer(Scorer):
    """Stores ``features``, a vector an image. A distance over it bears the names given here, so that no other network's passes for it.

    Attributes:
        network: what it is, in a few words.
        width: numbers a vector.
        frechet: the name of the Frechet distance over these features.
        kernel: the name of the kernel distance (squared maximum mean discrepancy) over them.
        kernel_least: images a side under which the kernel distance is refused.
        rules: whose protocol this is.
        preparation: how an image becomes the network's input.
    """

    network: ClassVar[str]
    width: ClassVar[int]
    frechet: ClassVar[str]
    kernel: ClassVar[str]
    kernel_least: ClassVar[int]
    rules: ClassVar[str]
    preparation: ClassVar[str]

    @abstractmethod
    def features(self, image: Image) -> list[float]:
        """Return an image's features, ``width`` of them, each image in a call of its own, so that it never depends on others.

        They are computed in float32 without TF32 (:func:`bench.scorers.precision.full_float32`): reference images come here too.
        """

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``features`` of each image."""
        return [{"features": self.features(image)} for image in images]
