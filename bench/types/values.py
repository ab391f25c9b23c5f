"""What a scorer may give for one image and column, and how it is kept: the one place that converts, or refuses.

NumPy's and torch's scalars, arrays and tensors count as what they hold. A number that is not finite, or that a float cannot hold exactly, is
refused and never rounded: what a table prints was given. Nothing is imported here, so that a tensor is told by what it can do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

LARGEST = 2**53
"""The largest whole number up to which a float holds each one exactly."""

LARGEST_SINGLE = 3.4028234663852886e38
"""The largest float32, as which vectors are kept."""

TEXT = 10_000
"""Characters."""

DETECTION = ("class", "score", "box")

NUMBER, FLAG, WORDS, DETECTIONS, VECTOR = "a number", "yes or no", "text", "detections", "a vector of"
"""What a column can hold; of a vector its length follows."""


class BadValue(ValueError):
    """A scorer gave something that cannot be kept; the message says what, and what was expected."""


def plain(value: object) -> Any:
    """Return a score as plain Python: None, a bool, a float, a string, a list of floats, or a list of detections.

    Raises:
        BadValue: it is none of these, or cannot be kept as it is.
    """
    value = _unwrapped(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        items = [_unwrapped(each) for each in value]
        if all(isinstance(each, Mapping) for each in items):
            return [_detection(each) for each in items]
        if all(_is_number(each) for each in items):
            return [_single(each) for each in items]
        wrong = next(each for each in items if not _is_number(each))
        raise BadValue(f"a list that holds {_called(wrong)}; expected numbers alone, or detections alone")
    raise BadValue(f"{_called(value)}; expected a number, yes or no, text, a vector, detections or None")


def kind_of(value: object) -> str | None:
    """Return what a column with this value, from :func:`plain`, holds; None of a missing one."""
    if value is None:
        return None
    if isinstance(value, list):
        return f"{VECTOR} {len(value)}" if value and isinstance(value[0], float) else DETECTIONS
    return FLAG if isinstance(value, bool) else WORDS if isinstance(value, str) else NUMBER


def _unwrapped(value: object) -> object:
    """Return what a NumPy scalar, an array or a tensor holds.

    Times and masks stay what they are, and so are refused: their numbers would lose a unit, or count what was masked.
    """
    dtype = getattr(value, "dtype", None)
    unwrap = getattr(value, "tolist", None)
    if dtype is None or not callable(unwrap) or getattr(dtype, "kind", "") in ("m", "M") or hasattr(value, "mask"):
        return value
    return unwrap()


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _called(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _number(value: Any) -> float:
    if isinstance(value, int) and abs(value) > LARGEST:
        raise BadValue(f"a whole number of {value.bit_length()} bits; a column of numbers holds those up to 2^53 exactly: give it as text")
    number = float(value)
    if not math.isfinite(number):
        raise BadValue(f"{number}; a number is finite, and None where there is none")
    return number


def _single(value: Any) -> float:
    number = _number(value)
    if abs(number) > LARGEST_SINGLE:
        raise BadValue(f"a vector that holds {number}; vectors are kept as float32")
    return number


def _text(value: str) -> str:
    text = str.__str__(value)
    if len(text) > TEXT:
        raise BadValue(f"a text of {len(text)} characters; at most {TEXT} are kept")
    if re.search("[\ud800-\udfff]", text):
        raise BadValue("a text with a lone surrogate, which no table stores")
    return text


def _detection(value: Any) -> dict[str, Any]:
    if set(value) != set(DETECTION):
        raise BadValue(f"a detection with the keys {sorted(map(str, value))}; expected {', '.join(DETECTION)}")
    box = _unwrapped(value["box"])
    if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(_is_number(_unwrapped(each)) for each in box):
        raise BadValue("a detection whose box is not four numbers: x, y, width, height")
    name, score = _unwrapped(value["class"]), _unwrapped(value["score"])
    if not isinstance(name, str) or not _is_number(score):
        raise BadValue("a detection whose class is no text, or whose score is no number")
    return {"class": _text(name), "score": _number(score), "box": [_number(_unwrapped(each)) for each in box]}
