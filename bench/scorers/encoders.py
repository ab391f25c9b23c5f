"""The encoders of one scoring pass: each is loaded once, whoever asks for it, and run once for each image.

A scorer asks its context for an encoder in ``load`` and hands it images in ``score``. Whether another scorer
reads the same encoder changes the time that takes, and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    import torch

    from bench.scorers.clip import ClipFeatures
    from bench.types import Image

T = TypeVar("T")


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


class Encoders:
    """Loads encoders, one copy of each.

    Two places may hold the same image tower: CompVis' safety checker brings OpenAI's ViT-L/14 along. Its tensors tell, and the second
    copy is dropped.
    """

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, Path, str], Any] = {}
        self._towers: list[ImageTower] = []

    def clip(self, folder: Path, device: str) -> ClipFeatures:
        """Return the CLIP in ``folder``, images and texts.

        Raises:
            BenchError: the folder is damaged or incomplete.
        """
        from bench.scorers.clip import ClipFeatures

        def load() -> ClipFeatures:
            clip = ClipFeatures(folder, device)
            clip.tower = self.shared(clip.tower)
            return clip

        return self._once("clip", folder, device, load)

    def images(self, folder: Path, device: str) -> ImageTower:
        """Return the image tower in ``folder``, in transformers' or open_clip's layout.

        Raises:
            BenchError: the folder is damaged or incomplete.
        """
        from bench.scorers.image_encoder import OPEN_CLIP_CONFIG, OpenClipTower

        if (folder / OPEN_CLIP_CONFIG).is_file():
            return self._once("open_clip", folder, device, lambda: self.shared(OpenClipTower(folder, device)))
        return self.clip(folder, device).tower

    def shared(self, tower: ImageTower) -> ImageTower:
        """Return the tower already here that is the same as ``tower``, or ``tower`` itself, to be shared from now on."""
        for known in self._towers:
            if known.same(tower):
                return known
        self._towers.append(tower)
        return tower

    @contextmanager
    def remembering(self, images: Sequence[Image]) -> Iterator[None]:
        """Run every tower once, within the block, for each of ``images``, however many scorers read it."""
        with ExitStack() as stack:
            for tower in self._towers:
                stack.enter_context(tower.remembering(images))
            yield

    def _once(self, kind: str, folder: Path, device: str, load: Callable[[], T]) -> T:
        key = (kind, folder.resolve(), device)
        if key not in self._loaded:
            self._loaded[key] = load()
        return cast("T", self._loaded[key])
