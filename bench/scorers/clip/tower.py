"""The half of a CLIP that reads images, whichever library made it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from bench.types import Image


class ImageTower(ABC):
    """The half of a CLIP that reads images.

    Attributes:
        width: of the features.
        device: a torch device string.
    """

    width: int
    device: str

    def __init__(self) -> None:
        self._scored: dict[int, Image] = {}
        self._known: dict[int, torch.Tensor] = {}

    def images(self, images: Sequence[Image]) -> torch.Tensor:
        """Return normalised features, float32 of shape (n, width), on the CPU.

        Every image is a call of its own: a matrix product over another number of rows may sum in another order,
        and a score must not depend on its neighbours, not even in the last bit.
        """
        import torch

        with torch.inference_mode():
            return torch.cat([self._of(image) for image in images])

    @contextmanager
    def remembering(self, images: Sequence[Image]) -> Iterator[None]:
        """Run once, within the block, for each of ``images``: those very arrays, unchanged."""
        self._scored, self._known = {id(image): image for image in images}, {}
        try:
            yield
        finally:
            self._scored, self._known = {}, {}

    def _of(self, image: Image) -> torch.Tensor:
        if self._scored.get(id(image)) is not image:
            return self._features(image)
        if id(image) not in self._known:
            self._known[id(image)] = self._features(image)
        return self._known[id(image)]

    @abstractmethod
    def _features(self, image: Image) -> torch.Tensor:
        """Return one image's normalised features, float32 of shape (1, width), on the CPU."""

    @abstractmethod
    def preparation(self) -> Any:
        """Return what decides how an image becomes the model's input; equal for equal preparations."""

    @abstractmethod
    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights by name."""

    def same(self, other: ImageTower) -> bool:
        """Return whether ``other`` gives every image the same features: the same kind, preparation and weights, on the same device."""
        import torch

        if type(self) is not type(other) or self.device != other.device or self.preparation() != other.preparation():
            return False
        ours, theirs = self.tensors(), other.tensors()
        return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
