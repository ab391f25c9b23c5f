"""The screen: over-inclusive where the material is unsafe, hard to trick, and blind to the miniature's own words."""

from __future__ import annotations

import pytest

from bench.miniature.vocabulary import WORDS
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
