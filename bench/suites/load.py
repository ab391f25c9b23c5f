"""The one way in: every prompt of every suite passes the child-safety screen here before anything can be generated."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from bench.errors import BenchError, NotAvailable
from bench.registry import suites
from bench.seeds import sample_seed
from bench.suites.contract import variant_rows
from bench.suites.screening import screen
from bench.types import Sample
from bench.types.suite import Row, Suite, SuiteInfo
from bench.types.track import Track


@dataclass(frozen=True, slots=True)
class LoadedSuite:
    """A suite's variant for one track, screened and expanded into samples.

    Attributes:
        info: the variant's metadata.
        samples: what is asked for, in the frozen order: the suite's own images of the first prompts, then further images, one index after another.
        whole: the suite's own images of every prompt: what a run's units are cut from, whatever part of them is asked for.
        digest: SHA-256 of all that decides ``whole``.
        prompts: how many prompts ``samples`` holds.
        total: how many prompts the variant has, before screen and limit.
        excluded: SHA-256 of every prompt that the screen took.
    """

    info: SuiteInfo
    samples: tuple[Sample, ...]
    whole: tuple[Sample, ...]
    digest: str
    prompts: int
    total: int
    excluded: tuple[str, ...]

    @property
    def screened(self) -> int:
        """How many prompts the screen left."""
        return self.total - len(self.excluded)


LARGEST_IMAGES = 1000
"""Images a prompt: as many samples as there are of the largest suite's prompts fit a memory with it."""


def prompt_ids(suite: str | Suite, track: Track) -> list[str]:
    """Return the id of every prompt of ``suite`` on ``track``, in the frozen order, those that the screen takes among them.

    Raises:
        BenchError: as :func:`load_suite`.
    """
    found = suite if isinstance(suite, Suite) else suites.get(suite)
    return [row.prompt_id for row in variant_rows(found.info.name, found, track)[1]]


def load_suite(suite: str | Suite, track: Track, limit: int | None = None, version: str | None = None, images: int | None = None) -> LoadedSuite:
    """Return the samples of ``suite`` on ``track``.

    Args:
        suite: a registered suite's name; or a user's own, which is on every track.
        track: brings size, steps, guidance and seed where a row does not.
        limit: keep only the first that many prompts (the frozen order is shuffled, so they are a fair sample).
        version: the one that a run was made of. Where the suite does not know it any more, or where None, it is today's: ``info`` says which.
        images: how many images a prompt, the suite's own number or more; its own where None.

    Raises:
        BenchError: unknown suite, or one that is written wrong, or a limit below 1, too few or too many images, or nothing left to generate.
        NotAvailable: neither the track nor the suite names the other, or its data is not here yet.
    """
    if isinstance(suite, Suite):
        name = suite.info.name
    else:
        name, suite = suite, _on_track(suite, track)
    check_limit(limit)
    info, kept, excluded, total = screened_rows(name, suite, track, version)
    own = info.images_per_prompt
    if images is not None and not own <= images <= LARGEST_IMAGES:
        raise BenchError(f"--images of {name} must be from {own}, the suite's own images a prompt, to {LARGEST_IMAGES}; got {images}.")
    if not kept:
        raise BenchError(f"The suite {name!r} has nothing to generate: {total} prompts, all taken by the child-safety screen.")
    whole = tuple(_sample(row, index, info, track) for row in kept for index in range(own))
    digest = hashlib.sha256()
    for each in whole:
        digest.update(json.dumps(each.decides(), sort_keys=True).encode())
    prompts = len(kept) if limit is None else min(limit, len(kept))
    further = tuple(_sample(row, index, info, track) for index in range(own, images or own) for row in kept[:prompts])
    return LoadedSuite(
        info=info,
        samples=whole[: prompts * own] + further,
        whole=whole,
        digest=digest.hexdigest(),
        prompts=prompts,
        total=total,
        excluded=excluded,
    )


def _sample(row: Row, index: int, info: SuiteInfo, track: Track) -> Sample:
    """Return image ``index`` of a row; its size, steps, guidance and seed the track's where the row brings none."""
    return Sample(
        prompt_id=row.prompt_id,
        prompt=row.prompt,
        category=row.category,
        image_index=index,
        seed=sample_seed(info.seeds, row.seed, track.seed, row.prompt_id, index),
        width=track.width if row.width is None else row.width,
        height=track.height if row.height is None else row.height,
        steps=track.steps if row.steps is None else row.steps,
        guidance=track.guidance if row.guidance is None else row.guidance,
        metadata=row.metadata,
    )


def check_limit(limit: int | None) -> None:
    """Refuse a limit that leaves no prompt.

    Raises:
        BenchError: it is below 1.
    """
    if limit is not None and limit < 1:
        raise BenchError(f"--limit must be at least 1 prompt; got {limit}.")


def screened_rows(name: str, suite: Suite, track: Track, version: str | None = None) -> tuple[SuiteInfo, list[Row], tuple[str, ...], int]:
    """Return what a suite is on ``track``: of itself, the rows that the screen leaves, the hashes of what it took, and how many prompts there were.

    The arguments are those of :func:`bench.suites.contract.variant_rows`, and so are the errors.
    """
    info, rows = variant_rows(name, suite, track, version)
    screened = screen([row.prompt for row in rows], unsafe=info.unsafe, beside=[row.beside for row in rows])
    excluded = (*suite.taken, *screened.excluded)
    return info, [rows[index] for index in screened.kept], excluded, len(rows) + len(suite.taken)


def _on_track(name: str, track: Track) -> Suite:
    """Return the registered suite called ``name``.

    Raises:
        BenchError: it is unknown.
        NotAvailable: neither the track nor the suite names the other.
    """
    suite = suites.get(name)
    if track.suites and name not in track.suites and not track.is_one_of(suite.tracks()):
        raise NotAvailable(f"The track {track.name!r} has no suite {name!r}; it has: {', '.join(track.suites)}.")
    return suite
