"""Words sought in every way of writing them: drawn out, with digits or symbols for letters, with anything between letters, apart, run together.

All of it is linear in the text: a piece of text is looked at once for each reading, and a word is put together from at most
:data:`_PIECES` pieces.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

_SYMBOLS = {"a": "4@", "b": "8", "c": "(", "e": "3€", "g": "69", "i": "1!|l", "l": "1!|", "o": "0", "s": "5$", "t": "7+", "z": "2"}
_ONE_LETTER: dict[str, str] = {}
for _letter, _symbols in _SYMBOLS.items():
    for _symbol in _symbols:
        _ONE_LETTER[_symbol] = _ONE_LETTER.get(_letter, _letter)
_SAME = str.maketrans(_ONE_LETTER)
_PIECES = 24
_READINGS = (re.compile(r"[a-z0-9@$!|€(+]+"), re.compile(r"[a-z0-9@$]+"), re.compile(r"[a-z0-9]+"), re.compile(r"[a-z]+"))
"""What letters may be written with: a symbol is a letter in one reading (``ch!ld``) and stands between letters in another (``c!h!i!l!d``)."""
_AMBIGUOUS = re.compile(r"[0-9@$!|€(+]")
_WILD = re.compile(r"[a-z*#]{3,20}")
_EDGE = "@$!|€(+0123456789"
_RUN = re.compile(r"(.)\1{2,}")
_REPEATED = re.compile(r"(.)\1+")


@lru_cache(maxsize=1 << 17)
def _skeleton(word: str) -> str:
    """Return ``word`` with symbols as the letters that they stand for and no letter twice in a row: all ways to draw a word have one skeleton."""
    return _REPEATED.sub(r"\1", word.translate(_SAME))


def _shortened(word: str) -> str:
    """Return ``word`` with at most six characters in a row that may be the same letter, so that a pattern's work on it is bounded."""
    word = _RUN.sub(r"\1\1", word) if len(word) > 6 else word
    if len(word) <= 6:
        return word
    same, found, start = word.translate(_SAME), [], 0
    for at in range(1, len(word) + 1):
        if at == len(word) or same[at] != same[start]:
            run = word[start:at]
            found.append(run if len(run) <= 6 else run[:3] + run[-3:])
            start = at
    return "".join(found)


def _drawn(word: str, *, alike: str = "|l") -> str:
    """Return a pattern of ``word`` in which a letter may be repeated or replaced by the symbols that look like it.

    Args:
        word: what is sought.
        alike: what else stands for an i.
    """
    symbols = _SYMBOLS | {"i": "1!" + alike}
    return "".join(f"[{re.escape(letter + symbols.get(letter, ''))}]+" for letter in word)


@cache
def _pattern(word: str, *, own: bool = True) -> re.Pattern[str]:
    """Return the compiled pattern of a word, made when first needed, since a text needs few of some thousand; an l is an i in English words only."""
    return re.compile(_drawn(word, alike="|l" if own else "|"))


def _has_letters(text: str, word_length: int) -> bool:
    """Return whether ``text`` is a word in disguise and not a number: of a short word, most must be letters."""
    letters = sum("a" <= character <= "z" for character in text)
    return letters > 0 and (word_length > 3 or 2 * letters >= len(text))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What to seek.

    Attributes:
        words: whole words.
        parts: what betrays a word that holds it anywhere.
        starts: what betrays a word that begins with it.
        ends: what betrays a word that ends with it, or with its plural.
        foreign: whole words that may be two words of English run together (``de ti``):
            sought where no blank parts them, or where blanks part all letters.
        foreign_starts: what betrays a word of another language that begins with it.
        other: words that are other words, though they look like one of these drawn out or hold one.
    """

    words: Collection[str]
    parts: Collection[str] = ()
    starts: Collection[str] = ()
    ends: Collection[str] = ()
    foreign: Collection[str] = ()
    foreign_starts: Collection[str] = ()
    other: Collection[str] = ()


_BEFORE_GLUED = (
    r"(?:^(?:an?|the|one|two|three|my|young|happy|cute)|of(?:an?|the|one|two|three)|(?:and|with|by)(?:an?|the|his|her)"
    r"|young|happy|cute|painting|drawing)"
)
_BARE_GLUED = r"(?:holding|playing|reading|sitting|standing|wearing|running|looking|with|and|under|near|from)"
_AFTER_GLUED = r"(?:$|in|on|at|by|is|are|and|with|who|to|near|under|from|for|of|the|holding|playing|reading|sitting|standing|wearing|running|looking)"


class Matcher:
    """Seeks the words of a :class:`Lexicon`."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._other = frozenset(lexicon.other)
        self._whole: dict[str, list[tuple[str, bool]]] = {}
        for word in sorted({*lexicon.words, *lexicon.foreign}):
            self._whole.setdefault(_skeleton(word), []).append((word, word in lexicon.words))
        self._starts_of_words = frozenset(skeleton[:end] for skeleton in self._whole for end in range(1, len(skeleton) + 1))
        self._own = frozenset(lexicon.starts)
        self._starts: dict[str, list[str]] = {}
        for start in sorted({*lexicon.starts, *lexicon.foreign_starts}):
            self._starts.setdefault(_skeleton(start), []).append(start)
        self._lengths_of_starts = sorted({len(skeleton) for skeleton in self._starts})
        sought = [_drawn(part) for part in lexicon.parts] + [f"{_drawn(end)}[s5$]?$" for end in lexicon.ends]
        self._parts = re.compile("|".join(sought) or r"(?!)")
        self._long = re.compile("|".join(_drawn(word) for word in lexicon.words if len(word) > 3) or r"(?!)")
        plain = "|".join(word for word in lexicon.words if len(word) > 2) or "(?!)"
        first = "|".join(word for word in lexicon.words if len(word) > 3) or "(?!)"
        self._glued = re.compile(f"{_BEFORE_GLUED}(?:{plain}){_AFTER_GLUED}|of(?:{first}){_AFTER_GLUED}|^(?:{first}){_BARE_GLUED}")
        self._ending = (
            re.compile(r"(?<!thir|four|seve|eigh|nine|.six|.fif|elve|.can|ings|umps)teens?$") if "teen" in lexicon.words else re.compile(r"(?!)")
        )
        self._inside = re.compile("|".join(word for word in lexicon.words if len(word) > 6) or "(?!)")
        self._judge = lru_cache(maxsize=1 << 17)(self._is_word)

    def occurs(self, folded: str) -> bool:
        """Return whether one of the words stands in ``folded`` text, plain lower-case Latin where it looks Latin."""
        readings = _READINGS if _AMBIGUOUS.search(folded) else _READINGS[-1:]
        if any(self._reads(folded, reading) for reading in readings):
            return True
        return any(self._is_masked(found[0]) for found in _WILD.finditer(folded)) if "*" in folded or "#" in folded else False

    def _reads(self, folded: str, reading: re.Pattern[str]) -> bool:
        pieces = list(_pieces(folded, reading))
        if any(self._judge(text) for text, _ in pieces):
            return True
        return any(self._judge(joined) for joined in _joined(pieces)) or any(self._from(pieces, at) for at in range(len(pieces)))

    def _is_word(self, text: str) -> bool:
        """Return whether ``text``, without anything between its letters, is one of the words or betrays itself."""
        if text in self._other:
            return False
        short = _shortened(text)
        variants = dict.fromkeys((short, short.strip(_EDGE), short.lstrip(_EDGE), short.rstrip(_EDGE)))
        if any(self._is_whole(each) for each in variants):
            return True
        if any(_has_letters(found[0], 4) for found in self._parts.finditer(short)) or self._begins(short):
            return True
        return len(text) > 9 and self._is_glued(short)

    def _begins(self, text: str) -> bool:
        skeleton = _skeleton(text)
        for length in self._lengths_of_starts:
            for start in self._starts.get(skeleton[:length], ()):
                found = _pattern(start, own=start in self._own).match(text)
                if found and _has_letters(found[0], 4):
                    return True
        return False

    def _is_whole(self, text: str, *, foreign: bool = True) -> bool:
        for word, own in self._whole.get(_skeleton(text), ()):
            if (own or foreign) and _pattern(word, own=own).fullmatch(text) and _has_letters(text, len(word)) and text not in self._other:
                return True
        return False

    def _is_glued(self, text: str) -> bool:
        """Return whether ``text`` is a sentence without blanks that holds one of the words."""
        if self._glued.search(text) or self._ending.search(text) or (len(text) > 12 and self._inside.search(text)):
            return True
        return len(text) > 24 and self._long.search(text) is not None

    def _is_masked(self, text: str) -> bool:
        """Return whether ``text`` with vowels for its one or two stars is one of the words."""
        texts, count = [text], text.count("*") + text.count("#")
        if not 1 <= count <= 2:
            return False
        for _ in range(count):
            texts = [re.sub(r"[*#]", vowel, each, count=1) for each in texts for vowel in "aeiou"]
        return any(self._is_whole(each) for each in texts)

    def _from(self, pieces: Sequence[tuple[str, bool]], first: int) -> bool:
        """Return whether a word is made of the piece at ``first`` and the next ones."""
        joined, skeleton, apart, longest = "", "", False, 0
        for count, (text, blank) in enumerate(pieces[first : first + _PIECES], start=1):
            part = _skeleton(text)
            apart = apart or (count > 1 and blank)
            longest = max(longest, len(part))
            skeleton += part.removeprefix(skeleton[-1:])
            joined += text[:48]
            if skeleton not in self._starts_of_words:
                return False
            if count > 1 and skeleton in self._whole and self._holds_together(joined, count, longest, apart):
                return True
        return False

    def _holds_together(self, joined: str, count: int, longest: int, apart: bool) -> bool:
        """Return whether ``count`` pieces, the longest of that many letters, are one word: with blanks between them, only some are."""
        whole = _shortened(joined)
        if len(_skeleton(whole)) < 3 or not self._is_whole(whole, foreign=not apart or longest == 1):
            return False
        if not apart or longest == 1:
            return True
        return len(_skeleton(whole)) > 3 and (count <= 3 or longest <= 2)


def _pieces(folded: str, reading: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """Yield each piece of the text that may be letters, and whether a blank stands before it."""
    end = 0
    for found in reading.finditer(folded):
        yield found[0], any(map(str.isspace, folded[end : found.start()]))
        end = found.end()


def _joined(pieces: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield the pieces between blanks as one, where they are several."""
    run: list[str] = []
    for text, blank in (*pieces, ("", True)):
        if blank:
            if len(run) > 1:
                yield "".join(run)
            run = []
        run.append(text)
