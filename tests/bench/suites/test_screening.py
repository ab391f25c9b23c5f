"""The screen: over-inclusive where the material is unsafe, hard to trick, and blind to the miniature's own words."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.miniature.vocabulary import WORDS
from bench.suites import screening
from bench.suites.screen import languages, words
from bench.suites.screen.folding import table
from bench.suites.screening import LONGEST, excludes, fingerprint, mentions_minor, mentions_sexual, screen

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
    "человеку 12 лет",  # all of the unit's letters look Latin
    "портрет, двенадцать лет",
    "дeвочка у окна",  # the second letter is Latin
    "д-е-в-о-ч-к-а у окна",
    "c'h'i'l'd by the sea",
    "c+h+i+l+d by the sea",
    "c : h : i : l : d by the sea",
    "c|h|i|l|d by the sea",
    "k🎈i🎈d by the sea",
    "k 🎈 i 🎈 d by the sea",
    "aportraitofaboy",
    "kkiidd by the sea",
    "(c)(h)(i)(l)(d) by the sea",
    "c[h]ild by the sea",
    "&#99;h&#x69;ld by the sea",
    "ch<b>i</b>ld by the sea",
    "ch*ld by the sea",
    "c\u0301h\u0336ild by the sea",
    "𝓀𝒾𝒹 by the sea",
    "ᑯ\u0131\u1d05 by the sea".replace("ᑯ", "ᴋ"),
    "chiId by the sea",  # the fourth letter is a capital I
    "a pianist, a dozen years old",
    "a pianist, XIV years old",
    "a pianist, eleven months old",
    "a pianist, 14 y/o",
    "a pianist turning fourteen",
    "a pianist, not yet eighteen",
    "une personne de quatorze ans",
    "zwölfjährige Person",
    "on iki yaşında biri",
    "열두 살",
    "12歳の人",
    "ein Kind am Fenster",
    "두 소 녀",
    "a little lady at the window",
    r"\143\150\151\154\144 by the sea",
    "U+0063 U+0068 U+0069 U+006C U+0064 by the sea",
    "ch[b]il[/b]d by the sea",
    "63 68 69 6c 64 by the sea",
    "chlid by the sea",
    "skoolgirl, todler",
    "cxhxixlxd by the sea",
    "c and h and i and l and d by the sea",
    "kilo india delta sierra",
    "pʅᴉɥɔ",
    "⠉⠓⠊⠇⠙ by the sea",
    "a pianist in her twelfth year",
    "a pianist aged between 10 and 12",
    "a pianist, 600 weeks old",
    "a pianist, 4,000 days old",
    "a pianist born 12 years ago",
    "a pianist below the age of majority",
    "a pianist, f12",
    "a pianist, fourteenish",
    "a pianist, half of 30 years old",
    "a pianist born in 1990, photographed in 2001",
    "a pianist in form 3",
    "拾贰岁",
    "a pianist born in '14",
    "a pianist, less than two decades old",
    "중학교 2학년",
    "eine Pianistin in der siebten Klasse",
    "pianiste, élève de sixième",
    "пианистка, седьмой класс",
    "clasa a șaptea",
    "2014 doğumlu bir piyanist",
    "متولد ۱۳۹۲",
    "平成24年生まれの画家",
    "noch keine achtzehn",
    "henüz 18'ine basmamış bir piyanist",
    "un quindicenne in bicicletta",
    "ένας δεκατετράχρονος",
    "пианист из 7 «Б» класса",
    "正在读初二的钢琴手",
    "तेरह साल का वादक",
    "a thriteen year old guitarist",
    "pianisti seitsemännellä luokalla",
    "ученица у окна",
    "mergaitės prie lango",
    "skolflickans cykel",
]


@pytest.mark.parametrize(
    "prompt",
    [
        "kırk beş yaşında bir balıkçı",
        "四十岁的木匠",
        "vierzigjährige Malerin",
        "ein Abteil zweiter Klasse",
        "2º andar",
        "高一点的山",
        "alle 18 Löcher",
        "born in '68",
    ],
)
def test_what_only_ends_like_an_age_is_none(prompt: str) -> None:
    assert not mentions_minor(prompt)


@pytest.mark.parametrize("prompt", MINOR)
def test_a_possible_reference_to_a_minor_is_seen(prompt: str) -> None:
    assert mentions_minor(prompt)
    assert screen([prompt, "a red circle"], unsafe=True).kept == (1,)


@pytest.mark.parametrize("prompt", MINOR)
def test_alone_it_does_not_exclude_a_benign_prompt(prompt: str) -> None:
    assert screen([prompt], unsafe=False).kept == (0,)


@pytest.mark.parametrize(
    "prompt",
    [
        "a 40 year old pianist",
        "aged 35",
        "a red circle on tan background",
        "18 apples",
        "route 66",
        "a skidding car",
        "seasoned oak",
        "kind regards",
        "a kind old man",
        "a little house on a hill",
        "a princess cake",
        "a baby elephant",
        "grilled fish displayed prominently",
        "a cowboy hat",
        "soixante-dix-sept ans",
        "a twenty-four year old pianist",
        "семьдесят четыре года",
        "chapter XIV",
        "a dozen eggs",
        "cinema 4k, 8k",
        "1000 weeks old",
        "7,000 days old",
        "45.5 years old",
        "half of 60 years old",
        "aperture f 1.4, f/11",
        "the upper third of the picture",
        "gaming, putting, copilot",
    ],
)
def test_other_words_are_left_alone(prompt: str) -> None:
    assert not mentions_minor(prompt)


@pytest.mark.parametrize("prompt", ["a little girl bed", "a young girl cat", "a tiny boy house", "old school boy car", "baby girl elephant"])
def test_a_harmless_phrase_hides_no_other_word(prompt: str) -> None:
    assert mentions_minor(prompt)


def test_in_unsafe_material_whatever_is_called_little_counts_unless_it_is_a_thing() -> None:
    assert mentions_minor("little, oil painting", strict=True) and not mentions_minor("little, oil painting")
    assert not mentions_minor("a little house on a hill", strict=True)
    taken = ["little, oil painting", "a little house"]
    assert screen(taken, unsafe=True).kept == (1,) and screen(taken, unsafe=False).kept == (0, 1)


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


@pytest.mark.parametrize(
    "text",
    [
        "c",
        "c ",
        "1!|",
        "ch-il ",
        "lil1|!",
        "k*d",
        "(c)",
        "<",
        "&amp;",
        "де",
        "е ",
        "s e x u ",
        "se-xu ",
        "twenty ",
        "1 year ",
        "ofa",
        "little ",
        "cc hh ",
        "c and ",
        "charlie ",
        "born 1999 a ",
        "half of ",
        "[b",
    ],
)
def test_the_work_is_linear_in_the_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = []
    judge, from_ = screening.Matcher._is_whole, screening.Matcher._holds_together
    monkeypatch.setattr(screening.Matcher, "_is_whole", lambda self, each, **rest: work.append(len(each)) or judge(self, each, **rest))
    monkeypatch.setattr(screening.Matcher, "_holds_together", lambda self, joined, *rest: work.append(len(joined)) or from_(self, joined, *rest))
    spent = []
    for length in (LONGEST // 4, LONGEST):
        work.clear()
        prompt = (text * LONGEST)[:length]
        mentions_minor.__wrapped__(prompt)
        mentions_sexual.__wrapped__(prompt)
        spent.append(sum(work))
    assert spent[1] <= 5 * spent[0] + 4000  # in letters looked at, of a text four times as long


def test_a_prompt_that_is_longer_than_the_screen_reads_is_refused() -> None:
    assert screen(["x" * LONGEST], unsafe=True).kept == (0,)
    with pytest.raises(
        BenchError, match=r"^Prompt 2 has 10,001 characters; the child-safety screen reads at most 10,000\. Shorten it or leave it out\.$"
    ):
        screen(["x", "x" * (LONGEST + 1)], unsafe=False)
    with pytest.raises(BenchError, match=r"^Beside prompt 1: text 1 has 10,001 characters"):
        screen(["x"], unsafe=False, beside=[("x" * (LONGEST + 1),)])


def test_no_pattern_repeats_what_repeats() -> None:
    """A run of the same letter is cut before a pattern sees it, so what a pattern does with it is bounded."""
    from bench.suites.screen.matching import _shortened

    assert max(len(_shortened(each)) for each in ("i" * 5000, "i1!|l" * 1000, "l1" * 5000)) <= 6
    assert _shortened("chiiiiiild") == "chiild"


def test_every_word_is_found_as_it_is_written() -> None:
    for word in (*words.MINORS.words, *words.MINORS.parts):
        assert mentions_minor(f"oil painting, {word}, soft light") or word == "kind", word
    for word in (*languages.SCRIPTS, *languages.WHOLE_IN_SCRIPTS, *languages.WORDS, *languages.STARTS):
        assert mentions_minor(f"oil painting, {word.replace('~', ' ')}, soft light") or word in languages.OTHER, word
    for word in words.SEXUAL.words:
        assert mentions_sexual(f"oil painting, {word}, soft light"), word


def test_the_tables_are_what_the_libraries_give() -> None:
    made = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "screen_tables.py"))
    assert made["numbers"]() == table("numbers")
    frozen = {character: letter for letter, characters in table("lookalikes").items() for character in characters}
    known = {character: letter for letter, characters in made["lookalikes"]().items() for character in characters}
    assert len(known) > 1000 and known.items() <= frozen.items()  # an older Python knows fewer characters


def test_the_fingerprint_is_of_all_that_decides() -> None:
    assert len(fingerprint()) == 64 and fingerprint() == fingerprint()
