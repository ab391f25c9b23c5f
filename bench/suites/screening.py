"""The child-safety screen: every prompt of every suite and every training set passes it before anything is generated.

In what is declared unsafe, any possible reference to a minor excludes the row: over-inclusive on purpose, since a wrongly
lost prompt costs a little and a wrongly kept one is not acceptable. In benign material, such a reference together with a
sexual term excludes it. There is no switch. Reports publish how many rows were taken, and their hashes.

What it finds, by the way in which it is written, and what it takes by mistake: ``docs/reliability.md``.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from bench.errors import BenchError
from bench.suites.screen import languages, words
from bench.suites.screen.ages import says_age
from bench.suites.screen.disguises import misspelt, spelt_out
from bench.suites.screen.folding import from_codes, in_latin, in_own_script, resolved, turned, without_tags
from bench.suites.screen.matching import Matcher

LONGEST = 10_000
"""Characters of the longest prompt that is read. No text encoder reads as many; what is longer is refused, not cut."""

_MINOR, _SMALL, _SEX = Matcher(words.MINORS), Matcher(words.SMALL), Matcher(words.SEXUAL)
_HARMLESS, _GERMAN, _PHRASES = re.compile(words.HARMLESS), re.compile(words.GERMAN_CHILD), re.compile(rf"(?<![a-z]){languages.PHRASES}(?![a-z])")
_REPEATED = re.compile(r"(.)\1+")
_CAPITAL_I = re.compile(r"(?<=[a-z])I(?![A-Z])")
_PLAIN_BLANKS = re.compile(r"[\s'’-]+")
_BETWEEN = re.compile(r"[^\w\s]+|_+")
_APART = re.compile(r"(?<!\w)(?:\w\s+)+\w(?!\w)")
_A_LITTLE = re.compile(r"(?<![a-z])(?:an?|the|my|his|her|our|two|three|another) (?:little|lil|smol|tiny)s? (?:who|wearing|with|is)(?![a-z])")


@dataclass(frozen=True, slots=True)
class Screened:
    """What the screen left.

    Attributes:
        kept: indices of the prompts that may be used, in order.
        excluded: SHA-256 of every prompt taken, in order.
    """

    kept: tuple[int, ...]
    excluded: tuple[str, ...]


def _script(word: str) -> str:
    return _REPEATED.sub(r"\1", in_own_script(word))


def _any_of(entries: Iterable[str]) -> str:
    """Return a pattern of words of other scripts as they are, and with those of their letters that look Latin made Latin: a text may mix both."""
    spaced = [word.replace("~", " ") for word in entries]
    ways = dict.fromkeys(way for word in spaced for way in (_script(word), _script(in_latin(word))) if not way.isascii())
    return "|".join(map(re.escape, ways))


_SCRIPTS = re.compile(rf"{_any_of(languages.SCRIPTS)}|(?<!\w)(?:{_any_of(languages.WHOLE_IN_SCRIPTS)})(?!\w)|{languages.ONE_SIGN}")
_ACCENTED = re.compile(rf"(?<!\w)(?:{languages.ACCENTED})(?!\w)")


def _in_scripts(text: str) -> bool:
    """Return whether a word of another script stands in ``text``: as written, with marks between its letters, or with blanks."""
    if text.isascii():
        return False
    if _ACCENTED.search(unicodedata.normalize("NFC", text).lower()):
        return True
    for each in (in_own_script(text), in_latin(text)):
        closed = _REPEATED.sub(r"\1", _BETWEEN.sub("", each))
        if _SCRIPTS.search(_REPEATED.sub(r"\1", each)) or _SCRIPTS.search(closed):
            return True
        syllables = unicodedata.normalize("NFC", _BETWEEN.sub("", each))  # a syllable of Hangul is one letter, not the parts that it folds to
        if any(_SCRIPTS.search(_script(re.sub(r"\s+", "", run[0]))) for run in _APART.finditer(syllables)):
            return True
    return False


def _readings(prompt: str) -> list[str]:
    """Return the texts to judge: the prompt, what is left of it without markup, with a capital I in a word as the l that it looks like, turned."""
    text = resolved(prompt)
    return [each for each in dict.fromkeys((text, without_tags(text), _CAPITAL_I.sub("l", text), from_codes(text), *turned(text))) if each]


@lru_cache(maxsize=1 << 16)  # suites that share prompts are screened in one go
def mentions_minor(prompt: str, *, strict: bool = False) -> bool:
    """Return whether ``prompt`` may refer to a minor, by a word, a sign or an age below 18.

    Args:
        prompt: the text.
        strict: as for unsafe material: whatever is called little counts, unless what it is called with tells that it is no person.
    """
    return not words.SIGNS.isdisjoint(prompt) or any(_refers_to_minor(text, strict=strict) for text in _readings(prompt))


def _refers_to_minor(text: str, *, strict: bool) -> bool:
    folded = in_latin(text)
    spaced = _PLAIN_BLANKS.sub(" ", folded)
    if _GERMAN.search(spaced) or _PHRASES.search(spaced) or _A_LITTLE.search(spaced):
        return True
    said = _HARMLESS.sub(_left_out, spaced) if _HARMLESS.search(spaced) else folded
    if _MINOR.occurs(said) or misspelt(said) or _small_person(said, strict=strict) or _in_scripts(text) or says_age(text):
        return True
    spelt = spelt_out(folded)
    return bool(spelt) and _MINOR.occurs(spelt)


def _left_out(phrase: re.Match[str]) -> str:
    """Return what is judged in place of a harmless phrase: nothing, but the phrase itself where more than one of its words may name a minor."""
    telling = [word for word in phrase[0].split() if _MINOR.occurs(word) or _SMALL.occurs(word)]
    return phrase[0] if len(telling) > 1 else " ; "


def _small_person(folded: str, *, strict: bool) -> bool:
    """Return whether somebody is called little, in whatever spelling; a little house is none."""
    return _SMALL.occurs(folded) and (strict or not words.PEOPLE.isdisjoint(re.findall("[a-z]+", folded)) or _SEX.occurs(folded))


@lru_cache(maxsize=1 << 16)
def mentions_sexual(prompt: str) -> bool:
    """Return whether ``prompt`` holds a sexual term."""
    return any(_SEX.occurs(in_latin(text)) for text in _readings(prompt))


def excludes(*, minor: bool, sexual: bool, unsafe: bool) -> bool:
    """Return whether a row with these findings is excluded from material of this kind."""
    return minor and (unsafe or sexual)


def refuse_too_long(prompts: Sequence[str], what: str = "Prompt") -> None:
    """Refuse prompts that are longer than the screen reads.

    Args:
        prompts: the texts.
        what: what one of them is called.

    Raises:
        BenchError: one has more than :data:`LONGEST` characters.
    """
    for number, prompt in enumerate(prompts, start=1):
        if len(prompt) > LONGEST:
            raise BenchError(
                f"{what} {number} has {len(prompt):,} characters; the child-safety screen reads at most {LONGEST:,}. Shorten it or leave it out."
            )


def screen(prompts: Sequence[str], *, unsafe: bool, beside: Sequence[Sequence[str]] | None = None) -> Screened:
    """Return which of ``prompts`` may be used.

    Args:
        prompts: the texts.
        unsafe: True where the suite or set is declared unsafe: the strict form.
        beside: for each prompt the texts that belong to it, such as the plain sentence behind an adversarial prompt; a finding in one counts.

    Raises:
        BenchError: a text has more than :data:`LONGEST` characters.
    """
    refuse_too_long(prompts)
    kept: list[int] = []
    excluded: list[str] = []
    for index, prompt in enumerate(prompts):
        texts = [prompt, *(beside[index] if beside else ())]
        refuse_too_long(texts[1:], f"Beside prompt {index + 1}: text")
        minor = any(mentions_minor(text, strict=unsafe) for text in texts)
        if excludes(minor=minor, sexual=minor and not unsafe and any(map(mentions_sexual, texts)), unsafe=unsafe):
            excluded.append(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest())
        else:
            kept.append(index)
    return Screened(tuple(kept), tuple(excluded))


@cache
def fingerprint() -> str:
    """Return a hash of all that decides what the screen takes: its source, its tables, and Python's own table of characters."""
    folder = Path(words.__file__).parent
    files = [Path(__file__), *sorted(folder.glob("*.py")), *sorted(folder.glob("tables/*.json"))]
    digest = hashlib.sha256(unicodedata.unidata_version.encode())
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
