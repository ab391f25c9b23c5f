"""Text as it is read, whatever characters it is written in: entities resolved, styles and accents off, Latin where it looks Latin."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_HEXADECIMAL = re.compile(
    r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\U([0-9a-fA-F]{8})|\\[uxUX]\{([0-9a-fA-F]{1,8})\}|%u([0-9a-fA-F]{4})|%([2-7][0-9a-fA-F])"
    r"|[Uu]\+([0-9a-fA-F]{4,6})(?![0-9a-fA-F])[ ;,]?"
)
_OCTAL = re.compile(r"\\(?:o\{)?([01][0-7]{2})\}?")
_CODE = r"(?:6[5-9]|[78]\d|9[0789]|1[01]\d|12[0-2])"
_CODES = re.compile(
    rf"(?<!\w)(?:(?:0x)?[4-7][0-9a-fA-F][ ,;]{{1,2}}){{2,}}(?:0x)?[4-7][0-9a-fA-F](?!\w)|(?<!\w)(?:{_CODE}[ ,;]{{1,2}}){{2,}}{_CODE}(?!\w)"
)
_TAG = re.compile(r"<[^<>]{0,64}>|\[/?[A-Za-z*]{1,12}(?:=[^\[\]]{0,64})?\]|\{/?[A-Za-z]{1,12}\}|\\[A-Za-z]{2,12}\{|(?<=\w)\}")
_BRAILLE = dict(zip("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵", "abcdefghijklmnopqrstuvwxyz", strict=True))
_BRAILLE_NUMBER = re.compile("⠼([⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚]+)")
_UPSIDE_DOWN = dict(zip("ɐɔǝɟƃᵷɓɥᴉıɾʞʅꞁ˥ɯɹʇʌʍʎ∀ƎℲ⅁⅂⅄Ɔᗡᗺ∩Λ⊥ᴚ", "acefggghiijklllmrtvwyaefglycdbuvtr", strict=True))
_TURNED_OF_LATIN = dict(zip("bdnpquw69m", "qpudbnm96w", strict=True))
_BLANKS = re.compile(r"[^\w<>+\u0900-\u0eff]+|_+")  # the vowel signs of Indic scripts and Thai are no letters to Python
_HIDDEN = frozenset({"Mn", "Me", "Cf", "Cc"})
_OF_LOWER_CASE = {"η": "n", "ß": "s", "ı": "i", "ӏ": "l", "ł": "l"} | dict(zip("¢¡∂¥£§©®µ", "cidylscru", strict=True)) | {"æ": "ae", "œ": "oe"}
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
    r"""Return ``prompt`` with HTML entities, escapes (``\u0041``, ``\x41``, ``\101``, ``%41``, ``U+0041``) and braille as the characters meant."""
    if "&" in prompt:
        prompt = html.unescape(html.unescape(prompt))
    if "\\" in prompt or "%" in prompt or "+" in prompt:
        prompt = _HEXADECIMAL.sub(lambda found: _character(next(filter(None, found.groups())), 16), prompt)
        prompt = _OCTAL.sub(lambda found: _character(found[1], 8), prompt)
    if not prompt.isascii() and any("\u2800" <= character <= "\u28ff" for character in prompt):
        prompt = _BRAILLE_NUMBER.sub(lambda found: "".join(str((ord(_BRAILLE[each]) - 96) % 10) for each in found[1]), prompt)
        prompt = prompt.translate({ord(sign): letter for sign, letter in _BRAILLE.items()} | {0x2800: " "})
    return prompt


def _character(digits: str, base: int) -> str:
    point = int(digits, base)
    return chr(point) if point < 0x110000 else " "


def from_codes(text: str) -> str:
    """Return ``text`` with three or more character codes in a row, hexadecimal or decimal, as the letters: ``63 68 69 6c 64``."""

    def letters(found: re.Match[str]) -> str:
        codes = re.findall(r"[0-9a-fA-F]{2,3}", found[0].replace("0x", " "))
        hexadecimal = all(len(code) == 2 for code in codes) and any(int(code, 16) > 0x60 for code in codes)
        return "".join(chr(int(code, 16 if hexadecimal else 10)) for code in codes)

    return _CODES.sub(letters, text)


def turned(text: str) -> Iterator[str]:
    """Yield ``text``, where some of its letters stand upside down, as it reads when the page is turned, and with these letters turned in place."""
    if text.isascii() or _UPSIDE_DOWN.keys().isdisjoint(text):
        return
    yield "".join(_UPSIDE_DOWN.get(each) or _TURNED_OF_LATIN.get(each, each) for each in reversed(text))
    yield "".join(_UPSIDE_DOWN.get(each, each) for each in text)


def without_tags(text: str) -> str:
    """Return ``text`` without what looks like markup: ``ch<b>il</b>d``, ``ch[b]il[/b]d``."""
    return _TAG.sub("", text) if "<" in text or "[" in text or "{" in text else text


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


def spaced(text: str) -> str:
    """Return ``text`` with single blanks for all that is no letter or digit."""
    return _BLANKS.sub(" ", text)
