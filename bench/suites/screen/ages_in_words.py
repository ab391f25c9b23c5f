"""Ages below 18 in words of some thirty languages other than English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from bench.suites.screen.births import says_birth_or_bound
from bench.suites.screen.folding import in_latin, in_own_script, spaced, table
from bench.suites.screen.school import says_school_year

_FIRST = 3
_TOO_SHORT = frozenset("to on du e".split())
"""Numbers that are other words of the same or another language once accents are off."""


def _numbered(words: str) -> dict[str, int]:
    return {word: number for number, word in enumerate(words.split(), start=1)}


_OLD_IN = {
    "fr": r"ans|an",
    "de": r"jahr\w*",
    "es": r"anos?|anyos|an[iy]t[oa]s",
    "it": r"anni|anno|enne",
    "pt": r"anos?|aninhos",
    "nl": r"jaar|jarige?\w*",
    "sv": r"ar|aring\w*|arig\w*",
    "da": r"ar|aring\w*|arig\w*",
    "no": r"ar|aring\w*|arig\w*",
    "fi": r"vuotia\w*|vuoden\w*|vuotta",
    "pl": r"letni\w*|lat|lata|rok\w*",
    "cs": r"let\w*|rok\w*",
    "sk": r"rok\w*|rocn\w*",
    "sr": r"godin\w*|godisnj\w*",
    "ru": r"лет\w*|год\w*",
    "uk": r"річн\w*|рок\w*",
    "tr": r"yas\w*",
    "ro": r"ani|(?:de )?ani",
    "hu": r"eves\w*",
    "id": r"tahun",
    "vi": r"tuoi",
    "ar": r"سنة|سنه|سنوات|عام\w*",
    "he": r"שנים|שנה",
    "ja": r"歳|才",
    "ko": r"살|세",
    "th": r"ปี|ขวบ",
    "fa": r"ساله|سال",
    "lt": r"metu|metai|met\w*",
}
_BEFORE_IN = {
    "he": "בת|בן|גיל",
    "ar": "عمره|عمرها|العمر|بعمر",
    "id": "umur|usia|berusia",
    "th": "อายุ",
    "fr": "age de|agee de",
    "es": "edad de",
    "de": "alter von",
}
_CHINESE_DIGITS = frozenset("二三四五六七八九百贰叁肆伍陆柒捌玖")
_COMPOUNDS = re.compile(
    in_own_script(
        r"(?:\b)(?:nov|dec|undic|dodic|tredic|quattordic|quindic|sedic|diciassett|dieciassett)enn\w{1,2}(?:\b)"
        r"|(?:\b)quincea[nñ]er\w+|(?:\b)(?:un|do|tre|quater|quin)z'?ans(?:\b)"
        r"|(?:\b)(?:τρι|τετρα|πεντα|εξα|επτα|εφτα|οκτα|οχτα|εννια|εννεα|δεκα|ενδεκα|εντεκα|δωδεκα|δεκατρι|δεκατετρα|δεκαπεντα|δεκαεξα|δεκαεπτα"
        r"|δεκαεφτα)χρον\w+"
        r"|(?:\b)(?:dwu|trzy|cztero|piecio|szescio|siedmio|osmio|dziewiecio|dziesiecio|jedenasto|dwunasto|trzynasto|czternasto|pietnasto|szesnasto"
        r"|siedemnasto)lat\w+"
    )
)
"""Numbers and years in one word."""
_MORE = {
    "zh": (_numbered("一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九"), "周?岁|周?歲|歲"),
    "zh formal": (_numbered("壹 贰 叁 肆 伍 陆 柒 捌 玖 拾 拾壹 拾贰 拾叁 拾肆 拾伍 拾陆 拾柒 拾捌 拾玖"), "周?岁|周?歲|歲"),
    "ko native": (_numbered("한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 열한 열두 열세 열네 열다섯 열여섯 열일곱 열여덟 열아홉 스무"), "살"),
    "pl before letni": (
        _numbered(
            "rocz dwu trzy cztero piecio szescio siedmio osmio dziewiecio dziesiecio"
            " jedenasto dwunasto trzynasto czternasto pietnasto szesnasto siedemnasto"
        ),
        r"letni\w*",
    ),
    "pt of Brazil": ({"quatorze": 14, "dezesseis": 16, "dezessete": 17}, "anos?|aninhos"),
    "hi": (_numbered("एक दो तीन चार पांच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह"), "साल|वर्ष"),
    "el": (
        _numbered("ενα δυο τριων τεσσαρων πεντε εξι επτα οκτω εννεα δεκα εντεκα δωδεκα δεκατριων δεκατεσσαρων δεκαπεντε δεκαεξι δεκαεπτα δεκαοκτω"),
        r"ετων|χρον\w*",
    ),
}
"""Languages that num2words lacks, or counts ages otherwise in."""


def alternatives(words: Iterable[str], *, stems: bool) -> str:
    """Return a pattern of any of ``words``, the longest first, with up to two more letters where they are stems."""
    ending = r"\w{0,2}" if stems else ""
    return "|".join(re.escape(word) + ending for word in sorted(words, key=len, reverse=True))


@cache
def _foreign() -> list[tuple[frozenset[str], re.Pattern[str], dict[str, int]]]:
    """Return for each language the first letters of its numbers, a pattern of number and unit, or age and number, and what its numbers mean.

    A text in which no word begins with these letters needs no pattern; a language without blanks has none of them, and is always tried on its script.
    """
    found: list[tuple[frozenset[str], re.Pattern[str], dict[str, int]]] = []
    tables = table("numbers")
    every = [(tables[language], units, language) for language, units in _OLD_IN.items()]
    every += [(words, units, language) for language, (words, units) in _MORE.items()]
    for words, units, language in every:
        folded = {_number_key(word): number for word, number in words.items()}
        if language == "hu":  # two is another word before what is counted
            folded |= {word.removesuffix("ketto") + "ket": number for word, number in folded.items() if word.endswith("ketto")}
        folded = {word: number for word, number in folded.items() if word not in _TOO_SHORT or language == "tr"}
        stems = language in ("ru", "uk", "pl", "cs", "sk", "sr")
        if stems:
            folded = {word[:-1] if len(word) > 4 else word: number for word, number in folded.items()}
        number = alternatives(folded, stems=stems)
        units, before = in_own_script(units), in_own_script(_BEFORE_IN.get(language, ""))
        parted = language not in ("ja", "ko", "ko native", "zh", "zh formal", "th")
        boundary, end = (r"(?<![^\W_])", r"(?![^\W_])") if parted else ("", "")
        pattern = rf"{boundary}(?:(?P<n>{number}) ?(?:de )?(?:{units}){end}" + (rf"|(?:{before}) ?(?P<m>{number})(?![^\W_]))" if before else ")")
        found.append((frozenset(word.split()[0][:_FIRST] for word in folded) if parted else frozenset(), re.compile(pattern), folded))
    return found


def _number_key(word: str) -> str:
    return spaced(in_own_script(word)).strip()


def says_foreign(text: str) -> bool:
    """Return whether ``text``, folded and with marks made blanks, states an age below 18 in words of another language."""
    if says_birth_or_bound(text) or _COMPOUNDS.search(text) or says_school_year(text):
        return True
    own_script = not text.isascii()
    first = {word[:_FIRST] for word in text.split()}
    for starts, pattern, words in _foreign():
        if first.isdisjoint(starts) if starts else not own_script:
            continue
        for found in pattern.finditer(text):
            said = found.groupdict().get("n") or found.groupdict().get("m") or ""
            value = words.get(said) or max(
                (number for word, number in words.items() if said.startswith(word) and len(said) - len(word) < 3), default=99
            )
            if value < 18 and not _after_tens(text[: found.start()], words):
                return True
    return False


def _after_tens(before: str, words: dict[str, int]) -> bool:
    """Return whether a number is only the end of a larger one: ``kırk beş`` is no five, and ``四十`` no ten."""
    if before[-1:] in _CHINESE_DIGITS:
        return True
    last = in_latin(before.rstrip().rpartition(" ")[2])
    return bool(last) and any(number >= 20 and number % 10 == 0 and in_latin(word) == last for word, number in words.items())
