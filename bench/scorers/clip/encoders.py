"""The encoders of one scoring pass: each is loaded once, whoever asks for it, and run once for each image.

A scorer asks its context for an encoder in ``load`` and hands it images in ``score``. Whether another scorer
reads the same encoder changes the time that takes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from bench.types import Context
from bench.types.context import Encoders as SharedEncoders

if TYPE_CHECKING:
    from bench.scorers.clip.features import ClipFeatures
    from bench.scorers.clip.tower import ImageTower
    from bench.types import Image

T = TypeVar("T")


class LoadedEncoders:
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
        from bench.scorers.clip.features import ClipFeatures

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
        from bench.scorers.clip.open_clip import OPEN_CLIP_CONFIG, OpenClipTower

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


def encoders_of(context: Context) -> SharedEncoders:
    """Return the encoders that the context's scorers share; new ones where a scorer works alone."""
    return LoadedEncoders() if context.encoders is None else context.encoders


def load_image_encoder(folder: Path, device: str) -> ImageTower:
    """Return the image tower in ``folder``, shared with nobody.

    Raises:
        BenchError: the folder is damaged or incomplete.
    """
    return LoadedEncoders().images(folder, device)
