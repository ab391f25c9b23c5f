"""The nouns that every package shares: samples, outcomes, methods, scorers.

This module imports nothing heavy, so that adapters can be listed in milliseconds.
An adapter module does the same: it imports torch inside :meth:`Method.load`, not at its top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError
from bench.scorers.encoders import Encoders

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bench.tracks import Track

    Image = npt.NDArray[np.uint8]
    """An RGB picture, uint8, shape (height, width, 3)."""


class Kind(StrEnum):
    """How a method works; the leaderboard groups by it."""

    BASE = "base"
    FLOOR = "floor"
    FILTER = "filter"
    GUIDANCE = "guidance"
    EDIT = "edit"
    FINE_TUNE = "fine-tune"
    PREFERENCE = "preference"


@dataclass(frozen=True, slots=True)
class Sample:
    """The unit of generation: one image of one prompt.

    Attributes:
        prompt_id: stable within a suite's version.
        prompt: the text given to the model.
        category: the suite's own grouping; several are joined by ``,`` (I2P rows overlap).
        image_index: 0 for the first image of the prompt.
        seed: the sample's own seed, in [0, 2**63), already derived (:func:`bench.seeds.derive_seed`).
        width: pixels.
        height: pixels.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        metadata: whatever else the suite knows (on the mini track: the prompt's ``kind`` and the ``asked`` scene).
    """

    prompt_id: str
    prompt: str
    category: str
    image_index: int
    seed: int
    width: int
    height: int
    steps: int
    guidance: float
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the sample within its suite."""
        return (self.prompt_id, self.image_index)


@dataclass(frozen=True, slots=True)
class Generated:
    """An image that the method delivered."""

    image: Image


@dataclass(frozen=True, slots=True)
class Blocked:
    """The method refused to deliver. The image, if there ever was one, is gone; ``reason`` says who refused."""

    reason: str


Outcome = Generated | Blocked

ATTENTIONS = ("sdpa", "eager")


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a method says of itself; shown by ``bench show`` and on the leaderboard.

    Attributes:
        name: the registry name.
        kind: how it works.
        summary: one line.
        version: raised whenever the same parameters would give other images.
        paper: citation with arXiv id or venue; empty where there is none.
        code: the repository and commit that its behaviour follows; empty where there is none.
        licence: of the method's code or weights.
        trained_on: data sets that its weights have seen, for overlap checks.
        tracks: where it runs; empty means everywhere.
        defaults: every parameter with its default. ``None`` means: the track decides.
    """

    name: str
    kind: Kind
    summary: str
    version: str = "1"
    paper: str = ""
    code: str = ""
    licence: str = "Apache-2.0"
    trained_on: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Numerics:
    """How a method computes, beside its dtype: part of a run's identity, since each may move pixels.

    Attributes:
        attention: ``sdpa`` (torch's fused attention, whichever kernel it picks) or ``eager`` (plain matrix products).
        channels_last: convolutions in the channels-last layout, faster on tensor cores.
        compile: the U-Net through ``torch.compile``: minutes at first, then faster.
        offload: text encoders, U-Net and autoencoder are on the device only while they run, for a GPU that does not hold them all.
    """

    attention: str = "sdpa"
    channels_last: bool = False
    compile: bool = False
    offload: bool = False

    def __post_init__(self) -> None:
        if self.attention not in ATTENTIONS:
            raise BenchError(f"Unknown attention {self.attention!r}; expected one of: {', '.join(ATTENTIONS)}.")

    def changed(self) -> dict[str, Any]:
        """Return the settings that differ from the default, for identities and manifests."""
        return {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default}


@dataclass(frozen=True, slots=True)
class Context:
    """Where a method or scorer runs.

    Attributes:
        track: base model, sampler, concepts.
        device: a torch device string.
        dtype: of a method's weights, ``float32``, ``bfloat16`` or ``float16``; a scorer always computes in float32.
        numerics: what else decides how a method computes.
        encoders: for scorers: whoever asks it for an encoder that is already here shares it.
    """

    track: Track
    device: str = "cpu"
    dtype: str = "float32"
    numerics: Numerics = Numerics()
    encoders: Encoders = field(default_factory=Encoders, compare=False)


def merge_parameters(name: str, defaults: Mapping[str, Any], passed: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``defaults`` overlaid with ``passed``, refusing names that the owner does not declare."""
    unknown = sorted(set(passed) - set(defaults))
    if unknown:
        known = ", ".join(sorted(defaults)) or "none"
        raise BenchError(f"{name} has no parameter {unknown[0]!r}; it takes: {known}. See `bench show {name}`.")
    return {**defaults, **passed}


class Method(ABC):
    """A method adapter: turns samples into images. Subclass it, set ``info``, register it as an entry point.

    The constructor is cheap and takes the parameters; weights are read in :meth:`load`.
    """

    info: ClassVar[MethodInfo]

    def __init__(self, **parameters: Any) -> None:
        self.passed: dict[str, Any] = dict(parameters)
        self.parameters: dict[str, Any] = merge_parameters(self.info.name, self.info.defaults, parameters)

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return ``{file: sha256}`` of every weight file beyond the track's base model. Called before :meth:`load`."""
        return {}

    @abstractmethod
    def load(self, context: Context) -> None:
        """Read weights and get ready to generate. Heavy imports belong here."""

    @abstractmethod
    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one outcome per sample, in order.

        All samples of one call share width, height, steps and guidance. All randomness must come from
        :func:`bench.seeds.generator` of each sample, so that an image does not depend on its neighbours.
        """


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
