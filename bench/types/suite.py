"""What a suite is: metadata, and rows for every track that it has a variant of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.types.track import Track


ALL_PROMPTS = "all"
"""Where a table, a board or JSON names a category: the suite's prompts together. No category is called so, in whatever capitals."""


class SeedPolicy(StrEnum):
    """How a suite's version takes the seed that a row brings.

    The hash is :func:`bench.seeds.derive_seed` of (seed, prompt id, image index). Where a row brings no seed, every image hashes the track's.
    """

    PUBLISHED = "published"
    """Image 0 takes the row's seed as it stands, as the authors' own evaluation does; further images hash it."""
    HASHED = "hashed"
    """Every image hashes it; so did all versions made before published seeds were taken as they stand."""

    def sentence(self) -> str:
        """Return the policy in words, for ``bench show``."""
        hashed = "hash(seed, prompt id, image index)"
        if self is SeedPolicy.HASHED:
            return f"hashed: every image's is {hashed} of the row's seed, or of the track's where a row has none"
        return f"published: image 0 takes the row's seed as it stands; further images, and rows without one (the track's then serves), {hashed}"


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt of a suite.

    Attributes:
        prompt_id: stable within the suite's version.
        prompt: the text.
        category: the suite's own grouping; several are joined by ``,``; none is called :data:`ALL_PROMPTS`.
        seed: the row's published seed, in [0, 2**63), or None where the file gives none; :attr:`SuiteInfo.seeds` says how images take it.
        guidance: the row's published guidance scale, or None where the track's serves.
        metadata: whatever else is known of the prompt.
        width: pixels, or None where the track's serves.
        height: pixels, or None where the track's serves.
        beside: texts that belong to the prompt and are not generated, such as what an adversarial prompt was made from; the screen reads them too.
        steps: denoising steps, or None where the track's serve.
    """

    prompt_id: str
    prompt: str
    category: str
    seed: int | None = None
    guidance: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    width: int | None = None
    height: int | None = None
    beside: tuple[str, ...] = ()
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class SuiteInfo:
    """What a suite says of itself; shown by ``bench show``.

    Attributes:
        name: the registry name.
        version: a fix never mutates a version, it adds one.
        summary: one line.
        unsafe: True where prompts ask for harm: the strict form of the child-safety screen applies, images are blurred.
        source: paper and data set.
        licence: of the prompts.
        images_per_prompt: how many samples a prompt makes.
        seeds: how this version takes the seeds that rows bring.
        earlier: versions with the same rows that took them otherwise, ``{version: policy}``: their runs can be verified and made again.
    """

    name: str
    version: str
    summary: str
    unsafe: bool
    source: str = ""
    licence: str = "Apache-2.0"
    images_per_prompt: int = 1
    seeds: SeedPolicy = SeedPolicy.PUBLISHED
    earlier: Mapping[str, SeedPolicy] = field(default_factory=dict, hash=False)

    def at(self, version: str) -> SuiteInfo:
        """Return what the suite was in an earlier version that it still knows, else itself.

        What stands after a ``+`` (the added data's own part, as in ``1+rows.900``) must be this version's.
        """
        number, _, data = version.partition("+")
        if number not in self.earlier or data != self.version.partition("+")[2]:
            return self
        return replace(self, version=version, seeds=self.earlier[number])


class Suite(ABC):
    """A suite plugin: an instance of a subclass is what the entry point names."""

    info: SuiteInfo
    taken: tuple[str, ...] = ()
    """SHA-256 of prompts that the screen took before the rows were kept; only a run's own copy of its prompts has any."""

    @abstractmethod
    def tracks(self) -> tuple[str, ...]:
        """Return the tracks that this suite has a variant of."""

    def variant(self, track: Track) -> Suite:
        """Return the suite as it is on ``track``, with an ``info`` of its own where that differs; by default itself."""
        return self

    @abstractmethod
    def rows(self, track: Track) -> Sequence[Row]:
        """Return the variant's rows, unscreened; only :func:`bench.suites.load.load_suite` may call this.

        Raises:
            bench.errors.NotAvailable: this track has no variant, or its data is not here yet (the message says how to get it).
        """


def check_suite(name: str, suite: Suite) -> None:
    """Refuse a suite that does not say what it is.

    Args:
        name: what the registry calls it.
        suite: of a track or of all.

    Raises:
        BenchError: what is wrong.
    """
    info = getattr(suite, "info", None)
    if not isinstance(info, SuiteInfo):
        raise broken(name, f"its `info` must be a bench.suites.base.SuiteInfo; got {type(info).__name__}")
    if info.name != name:
        raise broken(name, f"it calls itself {info.name!r}; the entry point and `info` must give the same name")
    for policy in (info.seeds, *info.earlier.values()):
        if policy not in tuple(SeedPolicy):
            raise broken(name, f"seeds must be {' or '.join(map(repr, map(str, SeedPolicy)))}; got {policy!r}")
    if info.images_per_prompt < 1:
        raise broken(name, f"images_per_prompt must be at least 1; got {info.images_per_prompt}")
    try:
        suite.tracks()
    except Exception as error:
        raise broken(name, f"it does not say its tracks: {error!r}") from error


def broken(name: str, why: str) -> BenchError:
    """Return the error for a suite that is written wrong."""
    return BenchError(f"The suite {name!r} is broken: {' '.join(why.split())}.")
