"""The prompt that a file's or folder's name means: by the prompt's id, or by its place in the suite."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import cached_property

Reading = tuple[str, int | None]
"""A prompt's id, and which of its images; None where the name does not say."""

_NUMBERED = re.compile(r"(.*?)(\d{1,18})")
_INDEXED = (re.compile(r"(.+)[_.-](\d{1,9})"), re.compile(r"(.+?)[ _]?\((\d{1,9})\)"))
_BARE = re.compile(r"(\d{1,18})(?:[_.-](\d{1,9})|[ _]?\((\d{1,9})\))?")


class PromptNames:
    """The ids of a suite's prompts, and how names are read as one of them.

    Args:
        ids: of every prompt, in the suite's order, those that are screened out among them.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids
        self._exact = {unicodedata.normalize("NFC", each): each for each in ids}

    @cached_property
    def _numbers(self) -> tuple[str, dict[int, str]]:
        """What stands before the number in every id, and each id by its number; none where ids are not of that form, or share a number."""
        parts = [_NUMBERED.fullmatch(each) for each in self.ids]
        stems = {match[1] if match else None for match in parts}
        found = {int(match[2]): each for match, each in zip(parts, self.ids, strict=True) if match}
        if len(stems) != 1 or None in stems or len(found) < len(self.ids):
            return "", {}
        return str(stems.pop()), found

    @property
    def in_order(self) -> bool:
        """Whether the suite's order is a plain one: its ids have no numbers, or these rise."""
        numbers = list(self._numbers[1])
        return numbers == sorted(numbers)

    def by_id(self, name: str) -> set[Reading]:
        """Return the ways to read ``name`` as an id, with zeros before its number or not, and with an image's number behind it or not."""
        name = unicodedata.normalize("NFC", name)
        found: set[Reading] = set()
        whole = self._id(name)
        if whole is not None:
            found.add((whole, None))
        for pattern in _INDEXED:
            match = pattern.fullmatch(name)
            head = self._id(match[1]) if match else None
            if match and head is not None:
                found.add((head, int(match[2])))
        return found

    def _id(self, name: str) -> str | None:
        if name in self._exact:
            return self._exact[name]
        stem, numbers = self._numbers
        digits = name.removeprefix(stem)
        return numbers.get(int(digits)) if re.fullmatch(r"[0-9]{1,18}", digits) else None

    def at(self, place: int) -> str | None:
        """Return the id at a place of the suite's order, from 0; None where there is none."""
        return self.ids[place] if 0 <= place < len(self.ids) else None


def bare_number(name: str) -> tuple[int, int | None] | None:
    """Return the number that ``name`` is, and the image's number behind it; None where it is no number."""
    match = _BARE.fullmatch(name) if name.isascii() else None
    if match is None:
        return None
    index = match[2] or match[3]
    return int(match[1]), None if index is None else int(index)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts ``img2`` before ``img10``."""
    return tuple((int(part), "") if part.isdigit() and part.isascii() else (-1, part.lower()) for part in re.split(r"([0-9]+)", name))


def counts_from(numbers: Collection[int], many: int) -> int | None:
    """Return whether places in an order of ``many`` prompts are counted from 0 or from 1; None where that cannot be told."""
    if 0 in numbers:
        return 0
    return 1 if max(numbers) == many else None
