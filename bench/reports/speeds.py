"""The table of what methods cost: one CSV, a row a method of a track, written by ``bench speed`` and shown by a board that holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.files.atomic import write_atomic

KEY = ["track", "method"]
_TEXTS, _NUMBERS, _COUNTS = (*KEY, "device", "dtype", "base"), ("seconds", "ratio", "ratio_low", "ratio_high"), ("batch", "rounds")
COLUMNS = (*KEY, *_NUMBERS, "device", "dtype", *_COUNTS, "base")


def keep(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write ``rows`` to the CSV ``path``; what it holds of the same method on the same track is replaced, the rest stays.

    Raises:
        BenchError: the file is not one of these, or cannot be written.
    """
    found = pd.DataFrame(rows)
    if path.exists():
        before = read_speeds(path)
        same = pd.MultiIndex.from_frame(before[KEY]).isin(pd.MultiIndex.from_frame(found[KEY]))
        found = pd.concat([before[~same], found], ignore_index=True)
    write_atomic(path, found[list(COLUMNS)].sort_values(KEY).to_csv(index=False, float_format="%.6g").encode())


def read_speeds(path: Path) -> pd.DataFrame:
    """Return the rows that :func:`keep` wrote.

    Raises:
        BenchError: the file is not one of these.
    """
    kinds = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_NUMBERS, float), **dict.fromkeys(_COUNTS, int)}
    try:
        found = pd.read_csv(path, dtype=kinds)
        lacking = [name for name in COLUMNS if name not in found]
        wrong = f"it has no column {lacking[0]!r}" if lacking else ""
    except (OSError, ValueError, OverflowError) as error:
        wrong = " ".join(str(error).split())[:200]
    if wrong:
        raise BenchError(f"{path} is no table of speeds: {wrong}. Make one: `bench speed METHOD... --out FILE.csv`.")
    return found
