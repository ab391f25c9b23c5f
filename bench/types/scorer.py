"""What a scorer is: it turns images into raw values that are kept for good, and says what they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from bench.types.context import Context, merge_parameters
from bench.types.sample import Sample

if TYPE_CHECKING:
    from bench.types.sample import Image


@dataclass(frozen=True, slots=True)
class ScorerInfo:
    """What a scorer says of itself.

    Attributes:
        name: the registry name.
        summary: one line.
        columns: the raw values it stores, ``{column: unit or meaning}``.
        higher_is: ``better``, ``worse``, or ``neither`` (for raw detections).
        version: raised whenever the same image could get other values.
        source: paper, repository and commit.
        licence: of the weights it runs.
        tracks: where it runs; empty means everywhere.
        proxy: True where it stands in for the real scorer of that role (the mini track).
        defaults: every parameter with its default.
        encoder: the parameter that says where the CLIP is whose image features it reads; empty where it reads none that others may share.
    """

    name: str
    summary: str
    columns: Mapping[str, str]
    higher_is: str
    version: str = "1"
    source: str = ""
    licence: str = "Apache-2.0"
    tracks: tuple[str, ...] = ()
    proxy: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    encoder: str = ""


class Scorer(ABC):
    """Turns images into raw values that are kept for good. Thresholds and counting rules come later, in metrics.

    A value never depends on the other images of the call nor on which other scorers ran.
    """

    info: ClassVar[ScorerInfo]

    def __init__(self, **parameters: Any) -> None:
        self.parameters: dict[str, Any] = merge_parameters(self.info.name, self.info.defaults, parameters)

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return ``{file: sha256}`` of every weight file it reads. Called before :meth:`load`."""
        return {}

    def known_as(self, context: Context) -> Mapping[str, str]:
        """Return ``{file: which published file it is}`` where several are in circulation; kept beside the scores, no part of their fingerprint."""
        return {}

    @abstractmethod
    def load(self, context: Context) -> None:
        """Read weights. Heavy imports belong here."""

    @abstractmethod
    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``{column: value}`` per image, in order. A value is a float, a bool, a string, a list of detections, or a vector.

        A detection is ``{"class": str, "score": float, "box": [x, y, width, height]}`` in pixels. A vector is a list of floats, of the same
        length for every image, and is kept as float32.
        """
