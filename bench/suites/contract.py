"""What a suite must keep, ours or a plugin's: whatever is written wrong is one line that says what, before anything is generated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.seeds import SEED_LIMIT
from bench.suites.screening import LONGEST
from bench.types.suite import ALL_PROMPTS, Row, SeedPolicy, Suite, SuiteInfo, broken, check_suite

if TYPE_CHECKING:
    from bench.types.track import Track

_KINDS: dict[str, tuple[type, ...]] = {
    "prompt_id": (str,),
    "prompt": (str,),
    "category": (str,),
    "seed": (int, type(None)),
    "guidance": (float, int, type(None)),
    "width": (int, type(None)),
    "height": (int, type(None)),
    "steps": (int, type(None)),
    "beside": (tuple,),
}
"""Of every field of a row but the metadata, which must be JSON-able."""


def variant_rows(name: str, suite: Suite, track: Track, version: str | None = None) -> tuple[SuiteInfo, list[Row]]:
    """Return what the suite is on ``track``: what it says of itself, and its rows, unscreened, none of them wrong.

    Args:
        name: what the registry calls it.
        suite: of all tracks.
        track: the track.
        version: an earlier version, as :meth:`bench.types.suite.SuiteInfo.at` knows it; today's where None.

    Raises:
        BenchError: what is wrong.
        NotAvailable: the track has no variant of it, or its data is not here yet.
    """
    try:
        variant = suite.variant(track)
        rows = list(variant.rows(track))
    except BenchError:
        raise
    except Exception as error:
        raise broken(name, f"it fails on track {track.name!r}: {error!r}") from error
    check_suite(name, variant)
    info = variant.info if version is None else variant.info.at(version)
    _check_rows(name, rows, info.seeds)
    _check_labels(name, rows, unsafe=info.unsafe)
    return info, rows


def _check_rows(name: str, rows: Sequence[Row], seeds: SeedPolicy) -> None:
    if not rows:
        raise broken(name, "it has no row")
    seen: set[str] = set()
    for number, row in enumerate(rows):
        if not isinstance(row, Row):
            raise broken(name, f"row {number} is of {type(row).__name__}, not of bench.suites.base.Row")
        for column, kinds in _KINDS.items():
            value = getattr(row, column)
            if not isinstance(value, kinds):
                expected = ", ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
                raise broken(name, f"row {number}: {column} must be {' or '.join(expected.rsplit(', ', 1))}; got {value!r}")
        longest = max(map(len, (row.prompt, *map(str, row.beside))))
        if longest > LONGEST:
            raise broken(name, f"row {number}: a text has {longest:,} characters; the child-safety screen reads at most {LONGEST:,}")
        # What is hashed may be any whole number; what is passed on must fit the generator and the sample table.
        if seeds == SeedPolicy.PUBLISHED and row.seed is not None and (isinstance(row.seed, bool) or not 0 <= row.seed < SEED_LIMIT):
            raise broken(name, f"row {number}: seed must be a whole number in [0, {SEED_LIMIT}): image 0 takes it as it stands; got {row.seed!r}")
        try:
            json.dumps(dict(row.metadata))
        except (TypeError, ValueError) as error:
            raise broken(name, f"row {number}: metadata must be JSON-able: {error}") from None
        if row.prompt_id in seen:
            raise broken(name, f"two rows are called {row.prompt_id!r}; prompt ids must be unique")
        seen.add(row.prompt_id)


def _check_labels(name: str, rows: Sequence[Row], *, unsafe: bool) -> None:
    """Refuse categories and kinds of prompts of which a table would have two rows of one name, or a row of none."""
    # Of unsafe suites alone is there a table by kind.
    kinds = {str(dict(row.metadata).get("kind", "")) for row in rows} if unsafe else set()
    several = len({part for row in rows for part in row.category.split(",")}) > 1
    for number, row in enumerate(rows):
        parts = row.category.split(",") if row.category else []
        if any(not part.strip() for part in parts):
            raise broken(name, f"row {number}: category {row.category!r} has a blank part; expected names joined by commas, or nothing at all")
        if both := sorted(kinds.intersection(parts)):
            raise broken(name, f"row {number}: {both[0]!r} is a category, and a kind of prompt (metadata 'kind') too; call one of them otherwise")
        # Where all rows are of one category there is no table by category.
        named = parts if several else []
        for label in (*named, str(dict(row.metadata).get("kind", ""))):
            if label.strip().casefold() == ALL_PROMPTS:
                raise broken(name, f"row {number}: {label!r} stands for all prompts; call the category or the kind otherwise")
