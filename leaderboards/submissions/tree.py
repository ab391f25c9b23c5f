"""Where bundles lie in the repository, and the notices and records beside them.

leaderboards/bundles/TRACK/METHOD/NAME.zip            the bundle
leaderboards/bundles/TRACK/METHOD/NAME.notice.json    withdrawn or superseded: why, and since when
leaderboards/bundles/TRACK/METHOD/NAME.verified.json  what `bench verify` wrote, once a maintainer has added it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.runs.spec import Reach
from leaderboards.submissions.slugs import slug

BUNDLES = ("leaderboards", "bundles")
"""The folder of the repository."""


def misplaced(path: Path, runs: Sequence[tuple[str, str, Reach]]) -> str | None:
    """Return what is wrong with a bundle's place: nothing (empty) where it is right, None where it lies outside the repository's folder.

    Args:
        path: of the bundle.
        runs: track, method and reach of each of its runs.
    """
    parts = path.resolve().parts
    if parts[-5:-3] != BUNDLES:
        return None
    folder = (parts[-3], parts[-2])
    for track, method, reach in runs:
        if (track, slug(method)) != folder:
            return f"it holds a run of {method} on {track}, which belongs in {'/'.join((*BUNDLES, track, slug(method)))}"
        if reach.limit is not None:
            return f"it holds a run of the first {reach.limit} prompts of a suite; the leaderboard takes whole suites, so run it without --limit"
        if reach.images is not None:
            return f"it holds a run of {reach.images} images a prompt; the leaderboard takes as many as the suite has, so run it without --images"
    return ""
