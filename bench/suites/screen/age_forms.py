"""Ages below 18 that are to be worked out: counted in days or weeks, a range, an ordinal, a school year, a birth, a sum; what is said of the law.

All is read from text whose numbers are ASCII digits, whose marks are blanks and whose blanks are single.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bench.suites.screen.folding import in_own_script

_PER_YEAR = {"year": 1, "yr": 1, "summer": 1, "winter": 1, "month": 12, "mo": 12, "fortnight": 26, "week": 52.2, "wk": 52.2, "day": 365.25,
             "night": 365.25, "hour": 8766, "hr": 8766, "minute": 525960, "min": 525960, "moon": 13, "decade": 0.1, "century": 0.01}  # fmt: skip
_OF_AGE = 18
_BORN_SINCE = 2005
"""Who was born from this year on was a minor when the first public text-to-image models appeared, in 2022."""
_BORN_APOSTROPHE = re.compile(
    r"(?<!\w)(?:born|b\.|birth ?year|dob|vintage)(?: (?:back )?(?:in|around|about|since|c\.|circa))?:? ?['’‘`´](?:0[5-9]|[12]\d)(?!\d)", re.IGNORECASE
)
_LB, _LA = r"(?<![^\W_])", r"(?![^\W_])"
_UNIT = "|".join(_PER_YEAR)
_N = r"(\d{1,6})"
_PERSON = r"(?:her|his|their|my|your|our)"
_DECIMALS = re.compile(r"(?<![\d.,])(\d{1,3})[.,]\d{1,2}(?=[ -]?(?:years?|yrs?|y\.?o)(?![a-z]))", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3})[,.'’ ](\d{3})(?=[ -](?:years?|months?|days?|hours?|minutes?|weeks?)(?![a-z]))", re.IGNORECASE)
_APERTURE = re.compile(r"(?<!\w)f(?:/ ?\d{1,2}(?:\.\d)?| ?\d{1,2}\.\d)(?!\w)", re.IGNORECASE)
_FRACTION = re.compile(r"(?<=\d)(?=[¼½¾⅓⅔⅛])")


def whole_numbers(prompt: str) -> str:
    """Return ``prompt`` with the numbers of its ages whole: no decimals, no marks of thousands, vulgar fractions apart; no apertures."""
    return _FRACTION.sub(" ", _THOUSANDS.sub(r"\1\2", _DECIMALS.sub(r"\1", _APERTURE.sub(";", prompt))))


def born_lately(prompt: str) -> bool:
    """Return whether ``prompt``, as it is written, gives the year of a birth by an apostrophe and two digits: ``born in '14``."""
    return _BORN_APOSTROPHE.search(prompt) is not None


_LARGE = re.compile(r"(?<!\d)(\d{1,3}|a) (hundred|thousand)(?:s)?(?: and)?(?: (\d{1,3})(?! ?(?:hundred|thousand)))?")
_SUMS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], float]]] = [
    (re.compile(r"(?<!\d)(\d{1,3}) ?(?:plus|added to|\+) ?(\d{1,3})(?!\d)"), lambda m: int(m[1]) + int(m[2])),
    (re.compile(r"(?<!\d)(\d{1,3}) (?:minus|take away) (\d{1,3})(?!\d)"), lambda m: int(m[1]) - int(m[2])),
    (re.compile(r"(?<!\d)(\d{1,3}) (?:years? )?(?:less than|short of|shy of|away from|before turning|under|off|until) (?:being )?(\d{1,3})(?!\d)"),
     lambda m: int(m[2]) - int(m[1])),
    (re.compile(r"(?<!\d)(\d{1,2}) times (\d{1,2})(?!\d)"), lambda m: int(m[1]) * int(m[2])),
    (re.compile(r"half (?:of |the age of |as old as )?(?:\w+ ){0,2}?(?:an? )?(\d{1,2})(?!\d)"), lambda m: int(m[1]) / 2),
    (re.compile(r"(?:a |one |1 )?(?:thirds?|3 ?(?:rd|th)) of (\d{1,2})(?!\d)"), lambda m: int(m[1]) / 3),
    (re.compile(r"(?:a |one |1 )?(?:quarter|4th|fourth) of (\d{1,2})(?!\d)"), lambda m: int(m[1]) / 4),
    (re.compile(r"(?:twice|double) (?:of )?(\d{1,2})(?!\d)"), lambda m: int(m[1]) * 2),
]  # fmt: skip
_SUM_SIGNS = re.compile(
    r"plus|added|\+|minus|take away|less than|short of|shy of|away from|turning|under|below| off | until |times|half|third"
    r"|3 ?rd|3 ?th|quarter|4th|twice|double"
)


def _worked_out(text: str) -> str:
    if "hundred" in text or "thousand" in text:
        text = _LARGE.sub(lambda m: str((1 if m[1] == "a" else int(m[1])) * (100 if m[2] == "hundred" else 1000) + int(m[3] or 0)), text)
    if _SUM_SIGNS.search(text):
        for pattern, value in _SUMS:
            text = pattern.sub(lambda found, value=value: str(max(0, int(value(found)))), text)  # type: ignore[misc]
    return text


_SPAN = re.compile(
    rf"(?<!\d){_N} ?({_UNIT})s? ?(?:old|of age|young){_LA}"
    rf"|{_LB}(?:aged?|born|birth|lived|living|alive)(?: for| only| just| about| some| around| of)* {_N} ({_UNIT})s?(?: ago)?{_LA}"
    rf"|(?<!\d){_N} ({_UNIT})s? (?:since|after|from|following|into) (?:{_PERSON} )?(?:own )?(?:birth|life|lives){_LA}"
)
_LOW = r"(?:1[0-7]|0?[1-9])"
_LOW_18 = r"(?:1[0-8]|0?[1-9])"
_TH = r" ?(?:st|nd|rd|th)"
SEX_AND_AGE = re.compile(rf"{_LB}(?:f1[234579]|m1[1-57])(?!\d)(?! ?(?:tomcat|eagle|jets?|fighter|aircraft|plane|rifle|bolt|screw))(?![a-z])")
"""``f12``, as it is written: run together from ``f 1.2`` it is an aperture."""
_SAID = re.compile(
    "|".join(
        [
            rf"{_LB}(?:below|under|beneath|before|not (?:yet )?(?:of|at|reached)|hasn t (?:yet )?reached|has not (?:yet )?reached"
            rf"|short of|younger than|yet to reach"
            rf"|nearing|approaching|isn t of|without reaching) (?:the |{_PERSON} )?(?:legal )?(?:age of (?:majority|consent|maturity"
            rf"|adulthood)|age|majority|adulthood|drinking age"
            r"|voting age|driving age|adult age|full age|lawful age)(?= |$)(?! (?:of (?:\d\d|steam|gold|reason|empires?|exploration"
            r"|sail|enlightenment)|appropriate|spots))",
            r"not (?:yet )?of (?:legal |full |lawful |drinking |voting )?age(?= |$)|(?:not|isn t"
            r"|aren t) (?:yet )?(?:an )?(?:adults?|grown ?ups?)(?= |$)"
            r"|(?:too young|not old enough) to (?:vote|drive|drink|marry|consent|buy|work|smoke|gamble|be (?:an adult|legal|out|alone|married))",
            r"(?:has not|hasn t|have not|yet to|not yet|never) (?:yet )?come of age|before coming of age"
            r"|legally (?:still )?(?:a )?(?:underage|incapable)|before (?:reaching )?puberty|not (?:yet )?(?:quite )?legal(?= |$)"
            r"|jail bait",
        ]
    )
)
"""What is said of the law, without a number."""
_LAW = re.compile(r"age|major|adult|grown|enough|young|legal|puberty|jail|consent")
_FORMS = re.compile(
    "|".join(
        [
            # ordinals: who is in the eighteenth year is seventeen
            rf"{_LB}(?:{_PERSON} {_LOW_18}{_TH} (?:year|summer|winter|spring|autumn|birthday|bday|b day)|{_LOW_18}{_TH} (?:year"
            rf"|summer|winter) of (?:life|age|{_PERSON} life))",
            rf"{_LB}(?:{_PERSON} )?{_LOW_18}{_TH} (?:birthday|bday|b day|name day){_LA}|birthday number {_LOW_18}(?!\d)",
            rf"{_LB}(?:1|one) and (?:a )?(?:half|quarter|\\d) decades? (?:old|of (?:age|life)){_LA}",
            rf"{_LB}(?:less than|under|not (?:yet |even |quite )*|nearly|almost|barely|short of|shy of|fewer than|within) 2 decades?{_LA}"
            r"(?! (?:ago|later|after|before|of (?!age|life)|since))",
            rf"{_LB}(?:first|1 ?(?:st|th)) decade of (?:life|{_PERSON} life)|{_PERSON} (?:first|1 ?(?:st|th)) decade{_LA}"
            rf"|single digits? (?:age|in age|years)|in {_PERSON} single digits?|age (?:in|of) single digits?",
            # ranges
            rf"{_LB}age[ds]?(?: of)?(?: range)? (?:somewhere |anywhere )?(?:from |between |over |above |under |below |up to "
            rf"|as young as |no more than |at most )?(?:the ages? of )?{_LOW}(?!\d)",
            rf"{_LB}between (?:the )?ages? (?:of )?{_LOW}(?!\d)|{_LB}between {_LOW} (?:and|to) \d{{1,2}} (?:years?|yrs?|of age)",
            rf"(?<!\d){_LOW} (?:to |or |and |till |until |through |)\d{{1,2}} ?(?:years?|yrs?) ?(?:old|of age)|(?<!\d){_LOW} (?:to "
            rf"|)\d{{1,2}} ?(?:yo|y o){_LA}",
            rf"{_LB}(?:no|not) (?:older|more) than {_LOW}(?= |$)(?! (?:people|minutes|hours|meters|times|cm|items))|{_LB}going on {_LOW}(?!\d)",
            rf"{_LB}years? (?:old|of age) {_LOW}(?! ?\d)|{_LB}yo {_LOW}(?!\d)",
            # about N
            rf"(?<!\d)1[0-7] ?ish{_LA}|(?<!\d)1[0-7] (?:something|odd) (?:year|yr)",
            rf"{_LB}(?:female|male) 1[0-7](?!\d)(?! ?(?:cm|mm|m|kg|inch|px|pieces|people))",
            rf"{_LB}(?:someone|somebody|anyone|minor|person|lady|maiden|maid|man|woman|female|male) (?:of|at|only|just|barely|around"
            rf"|about) {_LOW}(?= |$)(?! \w+s(?: |$))",
            rf"{_LB}(?:when|while|since|before|until|as) (?:she|he|they|i|you|we) (?:was|were|is|are|am|turned|turns|became|reached"
            rf"|hit) (?:only |just |barely |about )?{_LOW}"
            r"(?= |$)(?! (?:o clock|minutes|hours|days|weeks|miles|cm|feet|kg))",
            # births
            rf"{_LB}(?:born|birth|birthday|birthdate|birthyear|dob|b)(?: [a-z0-9]+){{0,5}}? 20 ?(?:0[5-9]|[1-3]\d)(?!\d)"
            rf"|{_LB}20(?:0[5-9]|[1-3]\d) (?:births?|born|baby){_LA}",
            rf"{_LB}(?:an?|1?\d) (?:year|month|week|day)s? (?:away from|short of|shy of|before|until|till|off|to|under) (?:turning "
            rf"|being |reaching |{_PERSON} )?{_LOW_18}(?!\d)",
            # school
            rf"{_LB}(?:in )?(?:the )?{_LOW}{_TH} (?:form|class|std|standard|primary|secondary|graders?|grade){_LA}|{_LB}(?:lower"
            rf"|upper) (?:[56] ?th(?= ?$)|[3-6] ?th (?:form|pupil|student|class))",
            rf"{_LB}(?:in |a )?(?:year|form|class|std|standard|primary|secondary|grade|sec|jss|sss|jhs|shs|ks|key stage|p"
            rf"|y) ?(?:1[0-3]|[1-9])(?:s)? (?:pupils?|students?|class|kids?|learners?"
            rf"|homework|uniform|exam|teacher|classroom){_LA}",
            rf"{_LB}in (?:year|form|class|std|standard|primary|secondary|grade|sec|jss|sss|jhs|shs|ks|key stage) ?(?:1[0-3]"
            rf"|[1-9])(?!\d)(?! of)|{_LB}(?:reception class|gcses?|o levels?|a level student"
            rf"|pre ?k|k ?12|ks ?[1-4]|key stage [1-4]|jss ?[1-3]|sss ?[1-3]|11 plus exam|ninos?){_LA}",
            rf"{_LB}(?:klasse|classe|clase|sinif|luokka|luokalla|klass|trieda|trida|klasa|razred|klase) {_LOW}(?!\d)"
            rf"|(?<!\d){_LOW} ?(?:th |o |a |e |eme |de |te |[.])?(?:primaria|primaire|secundaria|klasse"
            rf"|klass|sinif|eso|elementare|elementari|media|medie|luokka|luokalla|osztaly|osztalyos|razred|trida|tridy|trieda|klasa"
            rf"|klasy|класс\w*|клас[іуа]?){_LA}",
            r"(?:小学|中学|高校|初中|高中|初|高|中|小|国小|国中)(?:校)? ?[1-9一二三四五六](?: ?(?:年|学年|生))?(?=\W|年|生|$)"
            r"|[1-9一二三四五六] ?年[級级]"
            rf"|[1-6] ?{in_own_script('학년')}|(?:en |de )(?:[3-6]) ?(?:e|eme)(?= |$)|(?<!\d)1?\d ?(?:th )?(?:geburtstag|anniversaire|cumpleanos"
            r"|compleanno|aniversario|verjaardag|urodzin\w*|fodelsedag|fodselsdag|narozenin\w*)",
        ]
    )
)
_NEXT_YEAR = re.compile(
    rf"{_LB}(?:born|b)(?: in)? (1[89]\d\d|20\d\d)(?: [a-z]+){{0,6}}? (?:in|of|from|taken|photographed|photo) (1[89]\d\d|20\d\d)(?!\d)"
)

_COUNTED = re.compile(r"\d|hundred|thousand|[小中高初].?[一二三四五六]|single digit|lower|upper|middle|reception|gcse|level|pre ?k")


def says_otherwise(text: str) -> bool:
    """Return whether ``text`` states an age below 18 in one of the forms above."""
    if _LAW.search(text) and _SAID.search(text):
        return True
    if _COUNTED.search(text) is None:
        return False
    texts = dict.fromkeys((text, _worked_out(text)))
    return any(_FORMS.search(each) or any(map(_is_young, _SPAN.finditer(each))) for each in texts) or _between_births(text) or _sums_to_age(text)


def _is_young(found: re.Match[str]) -> bool:
    number, unit = next((found[group], found[group + 1]) for group in (1, 3, 5) if found[group])
    return int(number) < _OF_AGE * _PER_YEAR[unit]


def _between_births(text: str) -> bool:
    return any(0 <= int(found[2]) - int(found[1]) < _OF_AGE for found in _NEXT_YEAR.finditer(text))


_SUMMED_AGE = re.compile(
    r"(?:aged?|turn(?:s|ed|ing)?|age (?:is|of)) (?:1[0-7]|[1-9])(?!\d)|(?<!\d)(?:1[0-7]|[1-9]) ?(?:years?|yrs?|yo"
    r"|y o)(?![a-z])(?! (?:ago|experience|of (?!age)))"
)


def _sums_to_age(text: str) -> bool:
    worked = _worked_out(text)
    return worked != text and _SUMMED_AGE.search(worked) is not None
