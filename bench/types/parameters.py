"""What a parameter may be: said once for each in :attr:`bench.types.Method.takes`, and refused where it is not before anything is read."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError, in_one_line

LARGEST_NUMBER = 1e9
"""What no scale, weight or count of the field's comes near; a threshold of it is never reached, or always."""

LONGEST_TEXT = 10_000
"""Characters, as of a prompt."""

MOST_TEXTS = 1_000
"""Texts of one parameter."""

LONGEST_PATH = 4096
"""Characters, as of a path on Linux."""

SHOWN = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True, kw_only=True)
class Takes(ABC):
    """A rule of one parameter.

    Attributes:
        or_none: whether None is one too: the track's, or the method's own choice.
    """

    or_none: bool = False

    @abstractmethod
    def wanted(self, value: object) -> str:
        """Return what was expected in place of ``value``, after "to be"; empty where it fits."""


@dataclass(frozen=True, kw_only=True)
class Number(Takes):
    """A finite number.

    Attributes:
        least: the smallest.
        above: what it must be above.
        most: the largest.
        otherwise: a sentence for a number that is too small.
    """

    least: float = -LARGEST_NUMBER
    above: float | None = None
    most: float = LARGEST_NUMBER
    otherwise: str = ""

    _noun = "a number"
    _kinds: Any = (int, float)

    def wanted(self, value: object) -> str:
        """Return the bound that is passed, or that a number is asked for."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isinstance(value, self._kinds):
            return self._noun + self._low
        if isinstance(value, float) and not math.isfinite(value):
            return self._noun + self._low
        low = value <= self.above if self.above is not None else value < self.least
        return f"{self._noun}{self._low}" if low else f"{self._noun} of at most {self.most:g}" if value > self.most else ""

    @property
    def _low(self) -> str:
        if self.above is not None:
            return f" above {self.above:g}"
        return "" if self.least <= -LARGEST_NUMBER else f" of at least {self.least:g}"


@dataclass(frozen=True, kw_only=True)
class WholeNumber(Number):
    """A whole number."""

    _noun = "a whole number"
    _kinds: Any = int


@dataclass(frozen=True, kw_only=True)
class Flag(Takes):
    """Yes or no."""

    def wanted(self, value: object) -> str:
        """Return what stands for yes and no."""
        return "" if isinstance(value, bool) else "true, false or null" if self.or_none else "true or false"


@dataclass(frozen=True, kw_only=True)
class OneOf(Takes):
    """One of some words.

    Attributes:
        words: which.
    """

    words: tuple[str, ...]

    def wanted(self, value: object) -> str:
        """Return the words."""
        return "" if isinstance(value, str) and value in self.words else f"one of: {', '.join(self.words)}"


@dataclass(frozen=True, kw_only=True)
class OneText(Takes):
    """A text that says something.

    Attributes:
        what: it is called so.
        longest: characters.
        word: whether it must be one word.
    """

    what: str = "one text that names something"
    longest: int = LONGEST_TEXT
    word: bool = False

    def wanted(self, value: object) -> str:
        """Return what it is called, or how long it may be."""
        if not isinstance(value, str) or not value.strip() or (self.word and value.split() != [value]):
            return self.what
        return _unreadable(value, self.what, self.longest)


@dataclass(frozen=True, kw_only=True)
class Texts(Takes):
    """A text or a list of texts.

    Attributes:
        empty: whether there may be none.
        blank: whether one may be blank: the empty prompt.
    """

    empty: bool = False
    blank: bool = False

    def wanted(self, value: object) -> str:
        """Return what is asked for of the whole."""
        texts = [value] if isinstance(value, str) else value
        what = "a text or a list of texts"
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            return what
        if (not texts and not self.empty) or (not self.blank and not all(text.strip() for text in texts)):
            return f"{what}, each of which names something"
        if len(texts) > MOST_TEXTS:
            return f"{what}, at most {MOST_TEXTS}"
        return next(filter(None, (_unreadable(text, what, LONGEST_TEXT) for text in texts)), "")


LOCATION = OneText(what="a folder, a file or OWNER/NAME on the hub", longest=LONGEST_PATH, or_none=True)
"""Where weights are; None for the track's, or where the user must name them."""


def _unreadable(text: str, what: str, longest: int) -> str:
    if len(text) > longest:
        return f"{what} of at most {longest} characters"
    return f"{what} without control characters and halves of characters" if re.search("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]", text) else ""


def check_parameters(owner: str, takes: Mapping[str, Takes], parameters: Mapping[str, Any]) -> None:
    """Refuse a parameter that is not what its rule asks for.

    Args:
        owner: the method's name.
        takes: a rule a parameter; one without a rule is not looked at.
        parameters: of the user's, with the defaults.

    Raises:
        BenchError: the first that is wrong: its name, what was expected, what was given.
    """
    for name, rule in takes.items():
        value = parameters[name]
        if value is None and rule.or_none:
            continue
        wanted = rule.wanted(value)
        if wanted:
            more = f" {rule.otherwise}" if isinstance(rule, Number) and rule.otherwise and type(value) is int and value == 0 else ""
            leave = " Give one, or leave it out." if rule.or_none else ""
            raise BenchError(f"{owner} needs {name} to be {wanted}; got {_shown(value)}.{more}{leave}")


def _shown(value: object) -> str:
    try:
        return in_one_line(repr(value), SHOWN)
    except Exception:  # an int of thousands of digits, or an object whose repr is broken
        return f"a value of type {type(value).__name__} that cannot be shown"
