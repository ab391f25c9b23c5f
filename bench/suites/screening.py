"""The child-safety screen: every prompt of every suite and every training set passes it before anything is generated.

In what is declared unsafe, any possible reference to a minor excludes the row: over-inclusive on purpose, since a wrongly
lost prompt costs a little and a wrongly kept one is not acceptable. In benign material, such a reference together with a
sexual term excludes it. There is no switch. Reports publish how many rows were taken, and their hashes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_MINORS = (
    "child", "children", "childish", "childhood", "childlike", "kid", "kids", "kiddo", "kiddie", "kiddies", "teen", "teens", "teenage", "teenaged",
    "teenager", "teenagers", "preteen", "preteens", "tween", "tweens", "minor", "minors", "underage", "underaged", "juvenile", "juveniles",
    "adolescent", "adolescents", "adolescence", "prepubescent", "pubescent", "puberty", "infant", "infants", "baby", "babies", "babe", "newborn",
    "newborns", "toddler", "toddlers", "girl", "girls", "girlish", "boy", "boys", "boyish", "lad", "lads", "lass", "lassie", "schoolgirl",
    "schoolgirls", "schoolboy", "schoolboys", "schoolchild", "schoolchildren", "school", "schools", "preschool", "kindergarten", "nursery", "daycare",
    "pupil", "pupils", "student", "students", "classroom", "highschool", "playground", "youth", "youths", "youngster", "youngsters", "younger",
    "young", "youngest", "daughter", "daughters", "son", "sons", "niece", "nephew", "grandchild", "grandchildren", "granddaughter", "grandson",
    "orphan", "orphans", "cub", "scout", "scouts", "loli", "lolis", "lolita", "lolicon", "shota", "shotas", "shotacon", "jailbait", "teeny",
    "kiddy", "little", "tiny", "petite", "princess", "doll", "virgin", "freshman", "sophomore", "cheerleader", "cheerleaders",
    "nino", "nina", "ninos", "ninas", "enfant", "enfants", "fille", "filles", "garcon", "kind", "kinder", "madchen", "junge", "bambino", "bambina",
)  # fmt: skip
"""Whole words, after normalisation; languages of the public prompt sets included."""

_SEXUAL = (
    "sex", "sexual", "sexy", "sexually", "sexualized", "sexualised", "nude", "nudes", "nudity", "naked", "topless", "bottomless", "undressed",
    "undressing", "unclothed", "porn", "porno", "pornographic", "erotic", "erotica", "nsfw", "hentai", "explicit", "lewd", "seductive", "sensual",
    "provocative", "fetish", "genital", "genitals", "genitalia", "breast", "breasts", "nipple", "nipples", "buttocks", "lingerie", "underwear",
    "panties", "bikini", "swimsuit", "aroused", "intercourse", "orgasm", "masturbating", "masturbation", "kissing",
)  # fmt: skip

_ONES = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
)
_AGE = r"(?:1[0-7]|0?[0-9]|" + "|".join(_ONES) + ")"
_AGES = re.compile(
    rf"\b{_AGE}\s*(?:years?|yrs?|yo|y\s*o|months?|weeks?)\b|\b(?:age|aged|ages)\s*(?:of\s*)?{_AGE}\b|\b{_AGE}\s*(?:st|nd|rd|th)?\s*(?:grade|grader|birthday)\b"
)
_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "!": "i", "|": "i"})
_LOOKALIKES = str.maketrans(dict(zip("аеорсухіјѕԁһκορτυνι", "aeopcyxijsdhkoptuvi", strict=True)))
_SPELLED = re.compile(r"\b(?:\w[\s.\-_*]+){2,}\w\b")


@dataclass(frozen=True, slots=True)
class Screened:
    """What the screen left.

    Attributes:
        kept: indices of the prompts that may be used, in order.
        excluded: SHA-256 of every prompt taken, in order.
    """

    kept: tuple[int, ...]
    excluded: tuple[str, ...]


def _forms(prompt: str) -> list[str]:
    """Return the readings of a prompt in which words are sought: plain, with drawn-out letters squeezed, and with digits as letters."""
    folded = unicodedata.normalize("NFKD", prompt).casefold()
    plain = "".join(character for character in folded if not unicodedata.combining(character) and unicodedata.category(character) != "Cf").translate(
        _LOOKALIKES
    )
    squeezed = re.sub(r"(.)\1{2,}", r"\1", plain)
    return [plain, squeezed, plain.translate(_LEET), squeezed.translate(_LEET)]


def _says(prompt: str, words: frozenset[str]) -> bool:
    for form in _forms(prompt):
        if not words.isdisjoint(re.findall(r"[^\W_]+", form)):
            return True
        # Letters set apart may run on from a neighbouring "a", so words are sought anywhere in them.
        spelled = [re.sub(r"[\s.\-_*]+", "", run) for run in _SPELLED.findall(form)]
        if any(word in run for run in spelled for word in words):
            return True
    return False


_MINOR_WORDS = frozenset(_MINORS)
_SEXUAL_WORDS = frozenset(_SEXUAL)


def mentions_minor(prompt: str) -> bool:
    """Return whether ``prompt`` may refer to a minor, by a word or by an age below 18."""
    return _says(prompt, _MINOR_WORDS) or any(_AGES.search(re.sub(r"[-_]", " ", form)) for form in _forms(prompt)[:2])


def mentions_sexual(prompt: str) -> bool:
    """Return whether ``prompt`` holds a sexual term."""
    return _says(prompt, _SEXUAL_WORDS)


def excludes(*, minor: bool, sexual: bool, unsafe: bool) -> bool:
    """Return whether a row with these findings is excluded from material of this kind."""
    return minor and (unsafe or sexual)


def screen(prompts: Sequence[str], *, unsafe: bool) -> Screened:
    """Return which of ``prompts`` may be used.

    Args:
        prompts: the texts.
        unsafe: True where the suite or set is declared unsafe: the strict form.
    """
    taken = [excludes(minor=mentions_minor(prompt), sexual=mentions_sexual(prompt), unsafe=unsafe) for prompt in prompts]
    return Screened(
        kept=tuple(index for index, out in enumerate(taken) if not out),
        excluded=tuple(hashlib.sha256(prompt.encode()).hexdigest() for prompt, out in zip(prompts, taken, strict=True) if out),
    )
