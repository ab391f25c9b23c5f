"""JSON from strangers: UTF-8 without a mark, every key once, finite numbers of ordinary size, plain text, shallow."""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from typing import Any, NoReturn

from leaderboards.submissions.limits import DEPTH, JSON_BYTES, TEXT
from leaderboards.submissions.verdicts import Refused, shown

_DIGITS = 20
_INTEGERS = range(-(2**63), 2**63)
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories: controls, invisible marks (those that turn the direction of text too), halves of characters, private ones, line breaks."""


def loads(content: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in ``content``.

    Args:
        content: the bytes of one file.
        what: its name, for messages.

    Raises:
        Refused: it is anything else, or holds what no honest bundle needs.
    """
    if len(content) > JSON_BYTES:
        raise Refused(f"{what} has {len(content)} bytes; at most {JSON_BYTES} are read")
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Refused(f"{what} begins with a byte order mark; expected plain UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{what} is not UTF-8 (byte {error.start})") from None

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise Refused(f"{what} has the key {shown(twice)} twice in one object")
        return found

    def constant(name: str) -> NoReturn:
        raise Refused(f"{what} holds {name}; numbers are finite, and what is missing is null")

    def integer(digits: str) -> int:
        if len(digits) > _DIGITS or int(digits) not in _INTEGERS:
            raise Refused(f"{what} holds an integer of {len(digits)} digits; those of 64 bits are read")
        return int(digits)

    def real(digits: str) -> float:
        if not math.isfinite(float(digits)):
            raise Refused(f"{what} holds a number beyond every float: {shown(digits)}")
        return float(digits)

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=constant, parse_int=integer, parse_float=real)
        _check(value, what, DEPTH)
    except json.JSONDecodeError as error:
        raise Refused(f"{what} is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Refused(f"{what} is nested deeper than {DEPTH} levels") from None
    if not isinstance(value, dict):
        raise Refused(f"{what} is not a JSON object")
    return value


def _check(value: Any, what: str, depth: int) -> None:
    """Refuse texts that are not plain, and values that are nested too deep."""
    if isinstance(value, str):
        plain_text(value, what)
    elif isinstance(value, (dict, list)):
        if not depth:
            raise Refused(f"{what} is nested deeper than {DEPTH} levels")
        for key in value if isinstance(value, dict) else ():
            plain_text(key, what)
        for each in value.values() if isinstance(value, dict) else value:
            _check(each, what, depth - 1)


def plain_text(text: str, what: str, longest: int = TEXT) -> None:
    """Refuse a text that is not plain: longer than ``longest``, with control or invisible characters, or with what HTML is made of.

    Raises:
        Refused: it is not plain; the message names ``what``.
    """
    if len(text) > longest:
        raise Refused(f"{what} holds a text of {len(text)} characters; at most {longest} are read")
    if "<" in text or ">" in text:
        raise Refused(f"{what} holds < or > in a text, which HTML is made of: {shown(text)}")
    if any(unicodedata.category(letter) in _FORBIDDEN for letter in text):
        raise Refused(f"{what} holds a control or invisible character in a text: {shown(text)}")
