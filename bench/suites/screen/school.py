"""School years below the last, in some thirty languages other than English: by ordinals in words, by numerals, by letters."""

from __future__ import annotations

import re
from functools import cache

from bench.suites.screen.folding import in_own_script, spaced, table

_LONG = 5
"""Letters of an ordinal that has an ending of more than one."""
_SCHOOL_IN = {
    "de": r"klasse\w*|klassler\w*|schuljahr\w*|schulstufe",
    "fr": r"annee|primaire",
    "es": r"(?:curso |grado |ano )?de (?:la )?(?:primaria|secundaria|eso|basica|basico)",
    "it": r"elementare|media|superiore|liceo",
    "pt": r"(?:ano|serie) do (?:ensino|fundamental|basico|medio)|serie|classe",
    "nl": r"klas|klasser\w*|leerjaar",
    "sv": r"klass|klassen|klassaren?",
    "da": r"klasse\w*",
    "no": r"klasse\w*|trinn",
    "fi": r"luok\w*",
    "pl": r"klas\w*",
    "ru": r"класс\w*",
    "uk": r"клас\w*",
    "tr": r"sinif\w*",
    "hu": r"osztaly\w*",
}
"""What follows an ordinal in words where it is a school year's. The first two are no age: so are the classes of trains."""
_SCHOOL_BEFORE = {"ro": "clasa a", "it": "classe", "fr": "classe de|eleve de|eleve en|eleves de"}
_SCHOOL_ALONE = ("es", "it")
"""Where the noun is a school's alone, and the first two years count too."""
_ENDING = r"\w{0,8}"
_NUMERAL = r"(?:1[0-3]|[1-9]|x?i{1,3}|i?v|vi{1,3}|i?x)"
_ARABIC = "الاول الثاني الثالث الرابع الخامس السادس السابع الثامن التاسع العاشر الحادي"
_NUMBERED = "|".join(
    in_own_script(each).replace("#", _NUMERAL)
    for each in r"""
    #~?(?:o|a|er|do)?~?(?:de~(?:la~)?)?(?:eso|primaria|secundaria|basica|bachillerato)
    #~?(?:o|a)?~?(?:ano|serie)~d[oe]~(?:ensino|fundamental|medio|basico|escola)
    (?:groep|klas|brugklas)~# (?:en|de)~(?:classe~de~)?(?:cp|ce1|ce2|cm1|cm2)
    i~(?:trean|fyran|femman|sexan|sjuan|attan|nian) clasa~a~#(?:~a)? #~?(?:th~)?sinif\w* #~\w?~?класс\w*
    #~\w?~?клас[аіуи]\w*
    (?:[αβγδεστ]|[1-6])~(?:γυμνασι\w+|λυκει\w+|δημοτικ\w+) lop~# kelas~# (?:كلاس|پایه|صف)~\w+ #~?(?:eves|osztalyos)
    #~(?:e|de)~klas #~trida\w*
    (?:i|w|v|do|z)~#~(?:klas\w*|trid\w*|razred\w*|trined\w*|klassen)
    """.split()
).replace("~", " ")
_OTHERWISE = "|".join(
    in_own_script(each)
    for each in (
        rf"(?:الصف|صف) (?:{_ARABIC.replace(' ', '|')})\w*",
        rf"(?:{_ARABIC.replace(' ', 'ة|')}ة)(?: عشرة?)? من عمر\w*",
        "(?:ב|ל|מ)?(?:כיתה|כתה) (?:[א-ט]|י[אב]?)",
        r"(?:पहली|दूसरी|तीसरी|चौथी|पांचवीं|पाँचवीं|छठी|छठवीं|सातवीं|आठवीं|नौवीं|दसवीं|ग्यारहवीं|बारहवीं|\d{1,2} ?वीं) (?:कक्षा|क्लास)|कक्षा \d{1,2}",
    )
)
_WITHOUT_BLANKS = in_own_script(
    "[初高][一二三123](?![点點些米层層楼樓級级])|小[学學]?[一二三四五六1-6](?=[年生のな的]|$)|[中高][1-3](?=[のなで生]| |$)"
    "|[小中][1-6]年?生|(?:ชั้น ?)?[มป] ?[1-6](?![0-9])"
)
_HUNGARIAN = "elso|masodik|harmadik|negyedik|otodik|hatodik|hetedik|nyolcadik|kilencedik|tizedik"


@cache
def _school_years() -> re.Pattern[str]:
    """Return a pattern of school years by ordinals in words: ``in der siebten Klasse``."""
    tables, found = table("numbers"), []
    for language in {**_SCHOOL_IN, **_SCHOOL_BEFORE}:
        words = {
            spaced(in_own_script(word)).strip().removeprefix("al ").removesuffix("lea"): number
            for word, number in tables[f"{language} ordinals"].items()
        }
        least = 1 if language in _SCHOOL_ALONE else 3
        stems = [word[: -2 if len(word) > _LONG else -1] for word, number in words.items() if number >= least]
        ordinal = "(?:" + "|".join(map(re.escape, sorted(stems, key=len, reverse=True))) + ")" + _ENDING
        if language in _SCHOOL_IN:
            found.append(rf"{ordinal} ?(?:{in_own_script(_SCHOOL_IN[language])})")
        if language in _SCHOOL_BEFORE:
            found.append(rf"(?:{_SCHOOL_BEFORE[language]}) {ordinal}")
    found += [_NUMBERED, _OTHERWISE, rf"(?:{_HUNGARIAN})[eo]s\w{{0,4}}"]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(found)})(?![^\W_])|{_WITHOUT_BLANKS}")


def says_school_year(text: str) -> bool:
    """Return whether ``text``, folded and with marks made blanks, names a school year."""
    return _school_years().search(text) is not None
