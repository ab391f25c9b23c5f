"""The values of a file's cells: each is what its column should hold, or one line that names the row and never repeats a prompt.

Every function raises :class:`bench.errors.BenchError` for a value that is something else; ``where`` says which row it is in.
"""

from __future__ import annotations

import math
import re
from typing import Any

from bench.seeds import SEED_LIMIT
from bench.suites.from_files.read import FileTable, refuse

LEAST, LARGEST_SIDE = 64, 4096
"""Pixels of a side that the published data sets may have."""
_EXACT = 2**53
"""Below it a float holds every whole number."""


def missing(value: Any) -> bool:
    """Return whether a cell holds nothing; NaN is how pandas writes that into Parquet."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def text(table: FileTable, where: str, value: Any) -> str:
    """Return a prompt; empty where it is missing."""
    if value is None:
        return ""  # a missing text and an empty one are the same in CSV; add.py counts them
    if not isinstance(value, str):
        kind = "a number" if isinstance(value, (int, float)) and not isinstance(value, bool) else f"of type {type(value).__name__}"
        raise refuse(table.path, f"{where}: the prompt is {kind} and not text", table.reading.as_is)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse(table.path, f"{where}: the prompt holds half a character (a lone surrogate)", table.reading.as_is) from None
    if "\0" in value:
        raise refuse(table.path, f"{where}: the prompt holds a NUL character", table.reading.as_is)
    return value


def category(value: Any) -> str:
    """Return the categories, joined by commas; empty where there is none."""
    if missing(value):
        return ""
    parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    return ",".join(str(each).strip() for each in parts if str(each).strip())


def whole(table: FileTable, where: str, name: str, value: Any, limit: int) -> int:
    """Return a whole number in [0, limit); a float is refused, since it may have lost digits."""
    if missing(value):
        raise refuse(table.path, f"{where}: {name!r} is missing", f"Every row needs one. {table.reading.as_is}")
    text = str(value).strip()
    if isinstance(value, (bool, float)) or not re.fullmatch(r"[+-]?[0-9]{1,40}", text):
        raise refuse(table.path, f"{where}: {name!r} is {text[:30]!r} and not a whole number", _mend_float(table, name))
    if not 0 <= int(text) < limit:
        raise refuse(table.path, f"{where}: {name!r} is {text}, outside [0, {limit})", table.reading.as_is)
    return int(text)


def _mend_float(table: FileTable, name: str) -> str:
    """Return what to do with a column of floats; pandas makes one of whole numbers of which one is missing."""
    mend = f"A float may have lost digits. {table.reading.as_is}"
    try:
        numbers = [float(each) for each in table.values[name] if not missing(each)]
    except (TypeError, ValueError, OverflowError):
        return mend
    if not table.reading.own or not all(number.is_integer() and abs(number) < _EXACT for number in numbers):
        return mend
    typed = f'frame["{name}"].astype("Int64")'
    return f"Every value there is whole and below 2**53, so none has lost digits: write the column as whole numbers, in pandas {typed}."


def real(table: FileTable, where: str, name: str, value: Any) -> float:
    """Return a finite number of at least 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise refuse(table.path, f"{where}: {name!r} is {str(value)[:30]!r} and not a finite number of at least 0", table.reading.as_is)
    return number


def size(table: FileTable, where: str, name: str, value: Any, least: int = LEAST) -> int:
    """Return a picture's width or height in pixels."""
    pixels = whole(table, where, name, value, SEED_LIMIT)
    if not least <= pixels <= LARGEST_SIDE or pixels % 8:
        raise refuse(
            table.path, f"{where}: {name!r} is {pixels}; expected a multiple of 8 from {least} to {LARGEST_SIDE} pixels", table.reading.as_is
        )
    return pixels
