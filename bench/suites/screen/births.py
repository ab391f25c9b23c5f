"""Who was born lately, and who is not eighteen yet, in some thirty languages other than English."""

from __future__ import annotations

import re
from functools import cache

from bench.suites.screen.folding import in_own_script, table

_BORN = r"""
    nee? nees nes nacid[oa]s? nat[oaie] nascid[oa]s? geboren\w{0,2} geb jahrgang jg narodeny narodena fodte?s? fodde?s? syntyny\w+ syntyi
    urodzon\w+ urodzil\w+
    narozen\w* narodil\w* rodjen\w* szulet\w+ nascute?a? dogumlu\w* dogdu γεννημεν\w* γεννηθ\w* рожд\w+ родил\w+ рожден\w* народж\w+ народил\w+
    г~р
    مولود\w* المولود\w* ولد ولدت متولد נולד\w* יליד\w* जन्म\w* जन्मी lahir kelahiran sinh gim\w+
"""
_BORN_WITHOUT_BLANKS = "年生まれ|年生|年出生|年 ?생|เกิด"
_YEAR = r"(?:20(?:0[5-9]|[1-3]\d)|13(?:8[4-9]|9\d)|140\d|25(?:4[89]|[5-9]\d))"
"""From 2005 on, as in English; in Iran's calendar from 1384 and in Thailand's from 2548 on."""
_NOT_YET = r"""
    noch~keine noch~nicht unter junger~als vor~dem pas~encore n~a~pas n~ont~pas moins~de avant~ses mineure?~de menor~de menores~de menos~de
    aun~no~\w+ todavia~no~\w+ no~ha~cumplido no~tiene sin~cumplir non~ancora meno~di sotto~i minore~di non~ha ainda~nao~\w+ nao~tem nao~fez
    abaixo~de nog~geen nog~niet onder~de jonger~dan inte~fyllt inte~an an~inte ikke~fylt ikke~fyldt enna~ikke endnu~ikke ikke ei~viela
    ponizej przed nie~ma nie~skonczyla? nieukonczon\w+ jeste~nema\w* mladsi~nez mladsi~ako nincs~meg nem~toltotte~be~a nem~mult~el nem~mult
    sub nu~are nu~a~implinit inca~nu~a~implinit κατω~απο~τα κατω~των δεν~εχει~κλεισει~τα младше моложе до нет не~исполнилось henuz هنوز
    jeste~nebylo nebylo~mu nebylo~ji este~nema нету меньше
    молодш\w+~за немає не~виповнилося تحت~سن تحت دون~سن دون لم~يبلغ لم~تبلغ اقل~من מתחת~לגיל עוד~לא~בת עוד~לא~בן עדיין~לא~בת עדיין~לא~בן زیر
    chua~du chua~den duoi di~bawah belum kurang~dari
"""
_NOT_OF_AGE = r"""
    nicht~volljahrig noch~nicht~volljahrig nicht~mundig non~ancora~maggiorenn non~maggiorenn pas~encore~majeur pas~majeur no~es~mayor~de~edad
    aun~no~es~mayor~de~edad no~mayor~de~edad nog~niet~meerderjarig niet~meerderjarig nog~niet~volwassen inte~myndig ikke~myndig ei~taysi~ikain
    nie~pelnoletni ainda~nao~e~maior~de~idade nao~e~maior~de~idade resit~olmayan resit~degil
"""
_NOT_YET_AFTER = r"alatti yas~alti yasindan~kucuk yasini~doldurmamis ev~alatti से~कम साल~से~कम सालकी~से~कम"
_NOT_YET_WITHOUT_BLANKS = "|".join(
    [
        "(?:未满|未滿|不满|不滿|还没满|还不到|ต่ำกว่า|ไม่ถึง|อายุต่ำกว่า|อายุไม่ถึง) ?(?:18|十八)",
        "(?:18|十八) ?(?:岁|歲|周岁)? ?(?:以下|未满)|(?:18|十八) ?(?:歳|才) ?未満|18 ?세 ?미만",
    ]
)


def _words(text: str) -> str:
    return "|".join(in_own_script(word).replace("~", " ") for word in text.split())


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    tables = table("numbers")
    eighteen = "|".join(["18", *sorted({in_own_script(word) for words in tables.values() for word, number in words.items() if number == 18})])
    start, end = r"(?<![^\W_])", r"(?![^\W_])"
    blank = in_own_script(_BORN_WITHOUT_BLANKS)
    return (
        re.compile(rf"{start}(?:{_words(_BORN)}) (?:\w+ ){{0,4}}?{_YEAR}(?!\d)|(?<!\d){_YEAR} (?:\w+ )?(?:{_words(_BORN)}){end}"),
        re.compile(rf"(?<!\d){_YEAR} ?(?:{blank})|(?:{blank}) (?:\D{{0,12}})?{_YEAR}(?!\d)"),
        re.compile(rf"{start}(?:{_words(_NOT_YET)}) (?:a |la |l |os |las |anos |el |i |сво\w+ |ще |еще |ani |de )?(?:{eighteen})\w{{0,3}}{end}"),
        re.compile(rf"(?<!\d)(?:{eighteen})\w{{0,2}} (?:{_words(_NOT_YET_AFTER)}){end}|{start}alle (?:{eighteen}) ?v\w*"),
        re.compile(in_own_script(_NOT_YET_WITHOUT_BLANKS)),
        re.compile(rf"{start}(?:{_words(_NOT_OF_AGE)})\w{{0,3}}{end}"),
        re.compile(in_own_script("平成 ?(?:1[7-9]|2[0-9]|3[01])|令和 ?(?:[0-9]{1,2}|元)") + "年"),
        re.compile(rf"{start}(?:recem nascid|recien nacid)\w+"),
    )


def says_birth_or_bound(text: str) -> bool:
    """Return whether ``text``, folded and with marks made blanks, says that somebody was born in 2005 or later, or is not eighteen yet."""
    return any(pattern.search(text) for pattern in _patterns())
