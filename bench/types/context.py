"""Where a method or scorer runs, and how it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.types.sample import Image
    from bench.types.track import Track

ATTENTIONS = ("sdpa", "eager")


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


class Encoders(Protocol):
    """The encoders of one scoring pass: each is loaded once, whoever asks for it, and run once for each image."""

    def clip(self, folder: Path, device: str) -> Any:
        """Return the CLIP in ``folder``, images and texts."""

    def images(self, folder: Path, device: str) -> Any:
        """Return the image tower in ``folder``."""

    def shared(self, tower: Any) -> Any:
        """Return the tower already here that is the same as ``tower``, or ``tower`` itself, to be shared from now on."""

    def remembering(self, images: Sequence[Image]) -> AbstractContextManager[None]:
        """Run every tower once, within the block, for each of ``images``."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a method or scorer runs.

    Attributes:
        track: base model, sampler, concepts.
        device: a torch device string.
        dtype: of a method's weights, ``float32``, ``bfloat16`` or ``float16``; a scorer always computes in float32.
        numerics: what else decides how a method computes.
        encoders: of one scoring pass, shared by its scorers; None where a scorer works alone (:func:`bench.scorers.clip.encoders.encoders_of`).
    """

    track: Track
    device: str = "cpu"
    dtype: str = "float32"
    numerics: Numerics = Numerics()
    encoders: Encoders | None = field(default=None, compare=False)


def merge_parameters(name: str, defaults: Mapping[str, Any], passed: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``defaults`` overlaid with ``passed``, refusing names that the owner does not declare."""
    unknown = sorted(set(passed) - set(defaults))
    if unknown:
        known = ", ".join(sorted(defaults)) or "none"
        raise BenchError(f"{name} has no parameter {unknown[0]!r}; it takes: {known}. See `bench show {name}`.")
    return {**defaults, **passed}
