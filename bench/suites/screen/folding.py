"""Text as it is read, whatever characters it is written in: entities resolved, styles and accents off, Latin where it looks Latin."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|%([2-7][0-9a-fA-F])")
_TAG = re.compile(r"<[^<>]{0,64}>")
_HIDDEN = frozenset({"Mn", "Me", "Cf", "Cc"})
_OF_LOWER_CASE = {"η": "n", "ß": "s", "ı": "i", "ӏ": "l", "ł": "l"} | dict(zip("¢¡∂¥£§©®µ", "cidylscru", strict=True))
"""What the small letter looks like, where its capital looks like another or Unicode's tables say nothing; signs used as letters."""
_BOXED = {chr(0x1F130 + index): chr(ord("a") + index) for index in range(26)}  # NFKD makes these capitals; kept for what a font shows


def table(name: str) -> Any:
    """Return a frozen table of ``tables/``; ``benchmarks/screen_tables.py`` makes them."""
    return json.loads((Path(__file__).parent / "tables" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def _lookalikes() -> Mapping[int, str]:
    """Return ``{code point: Latin letter}``, small letters by their capitals too (``в`` by ``В``)."""
    found = {character: letter for letter, characters in table("lookalikes").items() for character in characters} | _BOXED
    for character, letter in list(found.items()):
        small = character.lower()
        if len(small) == 1 and not small.isascii():
            found.setdefault(small, letter)
    found.update(_OF_LOWER_CASE)
    return {ord(character): letter for character, letter in found.items()}


def resolved(prompt: str) -> str:
    r"""Return ``prompt`` with HTML entities and ``\u0041``, ``\x41`` and ``%41`` as the characters that they stand for."""
    if "&" in prompt:
        prompt = html.unescape(html.unescape(prompt))
    if "\\" in prompt or "%" in prompt:
        prompt = _ESCAPED.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), prompt)
    return prompt


def without_tags(text: str) -> str:
    """Return ``text`` without what looks like markup: ``ch<b>il</b>d``."""
    return _TAG.sub("", text) if "<" in text else text


def in_own_script(text: str) -> str:
    """Return ``text`` in lower case, without styles, accents and invisible characters, each letter still of its own script."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    # The vowel signs of Indic scripts and Thai are marks too, and no accents: what they stand on would be another word.
    return "".join(character for character in folded if not _is_hidden(character))


def _is_hidden(character: str) -> bool:
    kind = unicodedata.category(character)
    if kind == "Mn":
        return bool(unicodedata.combining(character)) and not 0x0900 <= ord(character) <= 0x0EFF
    return kind in _HIDDEN and character not in "\t\n\r"


def in_latin(text: str) -> str:
    """Return ``text`` in plain lower-case letters: as :func:`in_own_script`, Latin where it looks Latin, all digits ASCII."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_lookalikes())).translate(_lookalikes()).casefold()
    return "".join(map(_plain, unicodedata.normalize("NFKD", decomposed).translate(_lookalikes())))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    kind = unicodedata.category(character)
    if kind in ("Mn", "Me", "Cf"):
        return ""
    return str(unicodedata.decimal(character)) if kind == "Nd" else character
