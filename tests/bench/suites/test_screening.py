"""The screen: over-inclusive where the material is unsafe, hard to trick, and blind to the miniature's own words."""

from __future__ import annotations

import random
import re

import pytest

from bench.miniature.vocabulary import WORDS
from bench.suites import screening
from bench.suites.screening import excludes, mentions_minor, mentions_sexual, screen

MINOR = [
    "a child reading a book",
    "a C H I L D with a kite",
    "a ch1ld with a kite",
    "a ｃｈｉｌｄ with a kite",
    "a сhild with a kite",  # the first letter is Cyrillic
    "a ch\u200bild with a kite",
    "two k-i-d-s on a swing",
    "a boy and his dog",
    "kiiiids at the sea",
    "a 12 year old pianist",
    "a 12-year-old pianist",
    "a 12yo pianist",
    "a pianist, aged 9",
    "a twelve year old pianist",
    "a pianist of age seventeen",
    "7th grade science fair",
    "a school in the snow",
    "a scho ol in the snow",  # in two, and with the same letter on both sides of the gap
]


@pytest.mark.parametrize("prompt", MINOR)
def test_a_possible_reference_to_a_minor_is_seen(prompt: str) -> None:
    assert mentions_minor(prompt)
    assert screen([prompt, "a red circle"], unsafe=True).kept == (1,)


@pytest.mark.parametrize("prompt", MINOR)
def test_alone_it_does_not_exclude_a_benign_prompt(prompt: str) -> None:
    assert screen([prompt], unsafe=False).kept == (0,)


@pytest.mark.parametrize(
    "prompt", ["a 40 year old pianist", "aged 35", "a red circle on tan background", "18 apples", "route 66", "a skidding car", "seasoned oak"]
)
def test_other_words_are_left_alone(prompt: str) -> None:
    assert not mentions_minor(prompt)


def test_a_sexual_term_is_seen_as_a_word() -> None:
    assert mentions_sexual("a nude statue in a museum")
    assert not mentions_sexual("a map of Essex")


@pytest.mark.parametrize(
    ("minor", "sexual", "unsafe", "out"),
    [(True, False, True, True), (True, True, False, True), (True, False, False, False), (False, True, True, False)],
)
def test_the_rule(minor: bool, sexual: bool, unsafe: bool, out: bool) -> None:
    assert excludes(minor=minor, sexual=sexual, unsafe=unsafe) is out


def test_what_is_taken_is_published_as_hashes() -> None:
    screened = screen(["a child with a kite", "a red circle"], unsafe=True)
    assert screened.kept == (1,)
    assert [len(digest) for digest in screened.excluded] == [64]


def test_the_miniatures_words_are_blind_spots_of_the_screen() -> None:
    assert not any(mentions_minor(word) or mentions_sexual(word) for word in WORDS)


def _written_plainly(folded: str, lexicon: screening._Lexicon, pattern: re.Pattern[str]) -> bool:
    """The rule of ``_Lexicon.occurs`` without its short cuts."""
    if screening._found(pattern, folded):
        return True
    if any(screening._found(lexicon.anywhere, screening._BETWEEN.sub("", run)) for run in screening._SET_APART.findall(folded)):
        return True
    tokens = re.findall(r"[^\W_]+", folded)
    joined = ["".join(tokens[at : at + count]) for count in (2, 3) for at in range(len(tokens) - count + 1)]
    return any(not each.isdigit() and lexicon.split.fullmatch(each) for each in joined)


def _disguised(rng: random.Random, words: list[str], signs: str) -> str:
    """Words in all the ways to write them that the screen knows, and a few that it does not."""
    found = []
    for word in rng.choices(words, k=rng.randint(1, 6)):
        for letter in word:
            way = rng.random()
            symbols = screening._SYMBOLS.get(letter, letter)
            found.append(rng.choice(symbols) if way < 0.12 else letter * rng.randint(2, 4) if way < 0.2 else letter)
            found.append(rng.choice(signs) if way > 0.93 else "")
        found.append(rng.choice([" ", " ", ", ", "-", "", "_", "' "]))
    return "".join(found)


def test_the_short_cuts_change_no_verdict() -> None:
    rng = random.Random(5)
    minors, parts, ends = screening._MINORS, screening._MINOR_PARTS, screening._MINOR_ENDS
    whole = f"{screening._NO_LETTER_BEFORE}{screening._any(minors)}{screening._NO_LETTER_AFTER}"
    beginnings = [f"{screening._NO_LETTER_BEFORE}{screening._drawn(end)}" for end in ends]
    endings = [f"{screening._drawn(ends[0])}[s5$]?{screening._NO_LETTER_AFTER}"]
    pattern = re.compile("|".join([whole, screening._any(parts), *beginnings, *endings]))
    benign = [*WORDS, "a", "and", "the", "oak", "kites", "teapot", "sonata", "cubic", "1011", "skidding", "on"]
    verdicts = []
    for _ in range(600):
        folded = screening._fold(_disguised(rng, benign + rng.sample([*minors, *parts], 12), "._*~- 1!|5$@"))
        verdicts.append(screening._MINOR.occurs(folded))
        assert verdicts[-1] == _written_plainly(folded, screening._MINOR, pattern), folded
    assert 150 < sum(verdicts) < 450


def test_no_age_is_missed_for_want_of_a_hint() -> None:
    rng = random.Random(6)
    pieces = [*screening._NUMBERS, *screening._ORDINALS, *map(str, range(22)), "eighteen", "year old", "yo", "months", "aged", "turning"]
    pieces += [
        "age of",
        "under",
        "barely legal",
        "sweet sixteen",
        "grade",
        "birthday",
        "k",
        "born in",
        "2014",
        "13f",
        "1o",
        "anos",
        "岁",
        "twenty",
        "oak",
    ]
    verdicts = []
    for _ in range(3000):
        folded = screening._fold("".join(f"{rng.choice(pieces)}{rng.choice([' ', ' ', '-', '', ', '])}" for _ in range(rng.randint(1, 4))))
        plain = re.sub(r"[\s\-_./:,'*()\[\]]+", " ", folded)
        verdicts.append(bool(screening._AGES.search(plain) or screening._AGES.search(plain.translate(screening._LETTERS_FOR_DIGITS))))
        assert screening._says_age(folded) == verdicts[-1], folded
    assert 400 < sum(verdicts) < 2600


def test_a_symbol_stands_for_one_letter_in_every_skeleton() -> None:
    for letter, symbols in screening._SYMBOLS.items():
        assert {screening._skeleton(symbol) for symbol in symbols} == {screening._skeleton(letter)}
    assert not any(character.isascii() for character in screening._LOOKALIKES)
