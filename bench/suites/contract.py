"""What a suite must keep, ours or a plugin's: whatever is written wrong is one line that says what, before anything is generated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.types.suite import Row, Suite, SuiteInfo, broken, check_suite

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
    "beside": (tuple,),
}
"""Of every field of a row but the metadata, which must be JSON-able."""


def variant_rows(name: str, suite: Suite, track: Track) -> tuple[SuiteInfo, list[Row]]:
    """Return what the suite is on ``track``: what it says of itself, and its rows, unscreened, none of them wrong.

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
    _check_rows(name, rows)
    return variant.info, rows


def _check_rows(name: str, rows: Sequence[Row]) -> None:
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
        try:
            json.dumps(dict(row.metadata))
        except (TypeError, ValueError) as error:
            raise broken(name, f"row {number}: metadata must be JSON-able: {error}") from None
        if row.prompt_id in seen:
            raise broken(name, f"two rows are called {row.prompt_id!r}; prompt ids must be unique")
        seen.add(row.prompt_id)
