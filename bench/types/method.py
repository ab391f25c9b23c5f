"""What a method is: an adapter that turns samples into images, and what it says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from bench.types.context import Context, merge_parameters
from bench.types.parameters import Takes, check_parameters
from bench.types.sample import Outcome, Sample


class Kind(StrEnum):
    """How a method works; the leaderboard groups by it."""

    BASE = "base"
    FLOOR = "floor"
    FILTER = "filter"
    GUIDANCE = "guidance"
    EDIT = "edit"
    FINE_TUNE = "fine-tune"
    PREFERENCE = "preference"
    IMPORTED = "imported"


TRAINED = (Kind.FINE_TUNE, Kind.PREFERENCE)
"""Kinds that bring weights and say what those have seen."""


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


class Method(ABC):
    """A method adapter: turns samples into images. Subclass it, set ``info``, register it as an entry point.

    The constructor is cheap and takes the parameters; weights are read in :meth:`load`.

    Attributes:
        info: what it says of itself.
        takes: what a parameter may be, ``{name: rule}`` (:mod:`bench.types.parameters`): another value is refused when the adapter is made.
        shipped: where its published weights for a track are, ``{track: location}``; ``bench data list`` and ``bench data get`` know them.
        named_by: the parameter that ``METHOD:VALUE`` gives, where the method has it.
    """

    info: ClassVar[MethodInfo]
    takes: ClassVar[Mapping[str, Takes]] = {}
    shipped: ClassVar[Mapping[str, str]] = {}
    named_by: ClassVar[str] = "weights"

    def __init__(self, **parameters: Any) -> None:
        self.passed: dict[str, Any] = dict(parameters)
        self.parameters: dict[str, Any] = merge_parameters(self.info.name, self.info.defaults, parameters)
        check_parameters(self.info.name, self.takes, self.parameters)

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return ``{file: sha256}`` of every weight file beyond the track's base model. Called before :meth:`load`."""
        return {}

    def cannot_act(self, context: Context, sample: Sample) -> str:
        """Return why the method could only give the base's image for a sample of this prompt, these steps and this guidance; empty where it can act.

        Called before :meth:`load`, sample by sample up to the first that it can act on, so it should be quick where many are alike. A run that has
        none is refused with this, one line that names the setting and the way out.
        What shows only while an image is made is said by :attr:`bench.types.Generated.acted`.
        """
        return ""

    def prompts_read_by(self, context: Context) -> tuple[Path | None, int]:
        """Return the folder with the tokenizers that read the prompts, None for the track's base, and how many tokens the method adds to each.

        Called before :meth:`load`: a run's manifest says how many prompts lose their end to them.
        """
        return None, 0

    def scheduled(self, context: Context) -> tuple[Path, Mapping[str, Any]]:
        """Return what the method is sampled with: the folder whose scheduler configuration counts, and the class and overrides on top of it.

        The track's, where a method does not bring a scheduler of its own. Called before :meth:`load`, for the run's manifest.
        """
        return context.track.config_path(), context.track.scheduler

    @abstractmethod
    def load(self, context: Context) -> None:
        """Read weights and get ready to generate. Heavy imports belong here."""

    @abstractmethod
    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one outcome per sample, in order.

        All samples of one call share width, height, steps and guidance. All randomness must come from
        :func:`bench.seeds.generator` of each sample, so that an image does not depend on its neighbours.
        """
