"""Ages below 18: digits, words and Roman numerals, in English and some thirty other languages."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from bench.suites.screen.folding import in_latin, in_own_script, table

_BLANKS = re.compile(r"[^\w<>+\u0900-\u0eff]+|_+")  # the vowel signs of Indic scripts and Thai are no letters to Python
_NO_LETTER_BEFORE, _NO_LETTER_AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"
_LETTERS_FOR_DIGITS = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t"})
_DISGUISED_DIGITS = re.compile(r"(?<![^\W_])([il|])([0-7])(?![^\W_])|(?<![^\W_])([1il|])o(?= ?(?:yo|y o|yrs?|years?|ans|an?os)(?![a-z]))")
_APART = re.compile(r"(?<![^\W_])(?:[^\W_] ){2,}[^\W_](?![^\W_])")

_N = r"(?<!\d)(?<!\d[.,])(?:1[0-7]|0?[0-9])(?![\d%])"
_YEARS = "ye?a?rs?|yo|y o|y|months?|mos?|weeks?|wks?|days? ?old|summers|winters|springs"
_UNITS = "|".join(
    r"""
    an[nñ]?os? ans anni|anno enne jahre?n? jahrig\w* jarige?\w* jaar ar aring\w* arig\w* ar[ ]gam\w+ vuotia\w* vuoden[ ]ik\w* letni\w*
    let(?![ ](?:us|me|s|it|them|him|her|the|go)(?![a-z]))\w{0,2} lat|lata roku|rok[uy]? rokov rocn\w+ godin\w* godisnj\w* yas\w* ani eves\w*
    tahun tuoi metu|metai taong лет\w* год\w* річн\w* рок\w* χρον\w* ετων|ετη साल\w* वर्ष\w* سنة|سنه|سنوات عام\w*|عاما ساله|سال שנים|שנה বছর\w* வயது
    """.replace("[ ]", "~").split()
).replace("~", " ")
_UNITS_WITHOUT_BLANKS = "歳|才|岁|歲|살|세|개월|ปี|ขวบ"
_AGED = "|".join(
    r"""
    age[ds]? aging turn(?:s|ed|ing)? edad alter leeftijd umur usia berusia yasinda idade wiek\w* eta возраст\w* вік\w* ηλικια\w* 年齢 年龄 年齡 나이
    עמר בת בן גיל عمره عمرها العمر بعمر อายุ उम्र umri
    """.split()
)
_ABOUT = "(?:of |about |around |at |is |only |just |barely |de |approximately |roughly |circa )?"
_NOT_YET = (
    (
        "under below barely almost nearly not~yet not~even less~than younger~than sub pre u before approaching shy~of short~of yet~to hasn~t"
        " has~not haven~t isn~t is~not isnt not until till nearing minus"
    )
    .replace(" ", "|")
    .replace("~", " ")
)
_NO_AGE = "(?! (?:of )?(?:experience|warranty|ago|war)(?![a-z]))"
_TO_18 = r"(?:1[0-8](?!\d))"
_AGES = re.compile(
    "|".join(
        [
            rf"{_N} ?(?:ish |something |or so |plus |and a half |1 2 )?"
            rf"(?:(?:{_YEARS}|{in_own_script(_UNITS)})(?: ?old)?{_NO_LETTER_AFTER}{_NO_AGE}|{in_own_script(_UNITS_WITHOUT_BLANKS)})",
            rf"{_NO_LETTER_BEFORE}(?:{in_own_script(_AGED)}) ?{_ABOUT}{_N}{_NO_LETTER_AFTER}",
            rf"(?:{_NO_LETTER_BEFORE}(?:{_NOT_YET})|<) ?(?:quite |yet |even )?"
            rf"(?:turned |turning |turn |reached |reaching |her |his |their |the )?(?:the )?(?:age )?(?:of )?"
            rf"{_TO_18}(?! ?(?:st|nd|rd|th) (?!birthday)|(?!s(?![a-z]))[a-z])",
            rf"{_NO_LETTER_BEFORE}(?:before|until|till|approaching|nearing|not yet|to|for|almost) (?:her|his|their|the|a) {_TO_18} ?th birthday",
            rf"{_N} ?(?:st|nd|rd|th)? ?(?:grade(?:rs?)?|birthday|klasse|classe|klass){_NO_LETTER_AFTER}",
            rf"{_NO_LETTER_BEFORE}(?:grade|klasse) ?{_N}{_NO_LETTER_AFTER}",
            rf"(?<!\d)(?:[1-9]\d|1\d\d) ?(?:months?|mos?|weeks?|wks?) ?old{_NO_LETTER_AFTER}",
            rf"{_NO_LETTER_BEFORE}year (?:1[0-3]|[1-9]) (?:class|pupil|student)",
            rf"{_NO_LETTER_BEFORE}(?:she|he|they|who|i|im|girl|boy) (?:is|was|are|am|m|s|will be|looks|looked|seems|has turned) "
            rf"(?:like |only |just |barely |about |around )?{_N}(?= (?:and|with|in|but|when|who|at|wearing|now|today)(?![a-z])|\s*$)",
            rf"{_NO_LETTER_BEFORE}(?:still|only|just) 1[0-7](?= (?:and|with|in|but|when|at|wearing)(?![a-z])|\s*$)",
            rf"(?<!\d)1[0-7](?:[fm]| [fm](?= |$)){_NO_LETTER_AFTER}",
            rf"(?<![^\W_])(?:a|few|several|couple of|some) (?:few )?(?:year|month|week|day)s? old{_NO_LETTER_AFTER}",
            r"barely legal|sweet 16|k ?12(?!\d)|born (?:in )?20(?:09|[12]\d)|junior high|middle school|high school|sixth form",
        ]
    )
)
"""Ages below 18, after numbers in English words are made digits, marks blanks, and blanks single."""
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10, "xi": 11, "xii": 12, "xiii": 13, "xiv": 14}
_ROMAN |= {"xv": 15, "xvi": 16, "xvii": 17}
_NUMERAL = "|".join(sorted(_ROMAN, key=len, reverse=True))
_ROMAN_AGE = re.compile(
    rf"(?<![^\W_])(?:(?:{_NUMERAL}) (?:ye?a?rs?|months?) (?:of age|old)|(?:[vx][ivx]{{0,4}}|iv) (?:ye?a?rs?|months?)"
    rf"|(?:aged?|turn(?:s|ed|ing)?)(?: of)? (?:[ivx]{{2,5}}|v|x)){_NO_LETTER_AFTER}"
)
_DOZENS = [
    ("half a dozen", "6"),
    ("half dozen", "6"),
    ("bakers dozen", "13"),
    ("baker s dozen", "13"),
    ("a dozen", "12"),
    ("dozen", "12"),
    ("a decade", "10"),
]
_TOO_SHORT = frozenset("to on du e".split())
"""Numbers that are other words of the same or another language once accents are off."""


def _numbered(words: str) -> dict[str, int]:
    return {word: number for number, word in enumerate(words.split(), start=1)}


_OLD_IN = {
    "fr": r"ans|an",
    "de": r"jahr\w*",
    "es": r"anos?|anyos",
    "it": r"anni|anno|enne",
    "pt": r"anos?",
    "nl": r"jaar|jarige?\w*",
    "sv": r"ar|aring\w*|arig\w*",
    "da": r"ar|aring\w*|arig\w*",
    "no": r"ar|aring\w*|arig\w*",
    "fi": r"vuotia\w*|vuoden\w*",
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
_MORE = {
    "zh": (_numbered("一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九"), "岁|歲"),
    "ko native": (_numbered("한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 열한 열두 열세 열네 열다섯 열여섯 열일곱 열여덟 열아홉 스무"), "살"),
    "pl before letni": (
        _numbered(
            "rocz dwu trzy cztero piecio szescio siedmio osmio dziewiecio dziesiecio"
            " jedenasto dwunasto trzynasto czternasto pietnasto szesnasto siedemnasto"
        ),
        r"letni\w*",
    ),
    "hi": (_numbered("एक दो तीन चार पांच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह"), "साल|वर्ष"),
    "el": (
        _numbered("ενα δυο τριων τεσσαρων πεντε εξι επτα οκτω εννεα δεκα εντεκα δωδεκα δεκατριων δεκατεσσαρων δεκαπεντε δεκαεξι δεκαεπτα δεκαοκτω"),
        r"ετων|χρον\w*",
    ),
}
"""Languages that num2words lacks, or counts ages otherwise in."""


def _spaced(text: str) -> str:
    return _BLANKS.sub(" ", text)


def _alternatives(words: dict[str, int], stems: bool) -> str:
    ending = r"\w{0,2}" if stems else ""
    return "|".join(re.escape(word) + ending for word in sorted(words, key=len, reverse=True))


@cache
def _english() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of the numbers in English words, and what each stands for; blanks in them may be left out."""
    tables, digits = table("numbers"), {}
    for text, number in tables["en"].items():
        digits[text.replace("-", " ")] = digits[text.replace("-", "")] = str(number)
    for text, number in tables["en ordinals"].items():
        digits[text] = f"{number}th"
    digits |= {"forteen": "14", "fourty": "40"} | dict(_DOZENS)
    return re.compile(rf"{_NO_LETTER_BEFORE}(?:{_alternatives(dict.fromkeys(digits, 0), False)})(?=(?:year|yr|yo|month|s? |$|\d|\W))"), digits


@cache
def _foreign() -> tuple[re.Pattern[str], list[tuple[re.Pattern[str], dict[str, int]]]]:
    """Return a pattern of all units, which says whether a text needs the others, and one a language: number and unit, or age and number."""
    found: list[tuple[re.Pattern[str], dict[str, int]]] = []
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
        number = _alternatives(folded, stems)
        units, before = in_own_script(units), in_own_script(_BEFORE_IN.get(language, ""))
        spaced = language not in ("ja", "ko", "ko native", "zh", "th")
        boundary, end = (r"(?<![^\W_])", r"(?![^\W_])") if spaced else ("", "")
        pattern = rf"{boundary}(?:(?P<n>{number}) ?(?:de )?(?:{units}){end}" + (rf"|(?:{before}) ?(?P<m>{number})(?![^\W_]))" if before else ")")
        found.append((re.compile(pattern), folded))
    units = "|".join(
        dict.fromkeys(in_own_script("|".join([*_OLD_IN.values(), *_BEFORE_IN.values(), *(units for _, units in _MORE.values())])).split("|"))
    )
    return re.compile(units), found


def _number_key(word: str) -> str:
    return _spaced(in_own_script(word)).strip()


def _says_foreign(text: str) -> bool:
    needed, languages = _foreign()
    if not needed.search(text):
        return False
    for pattern, words in languages:
        for found in pattern.finditer(text):
            said = found.groupdict().get("n") or found.groupdict().get("m") or ""
            value = words.get(said) or max(
                (number for word, number in words.items() if said.startswith(word) and len(said) - len(word) < 3), default=99
            )
            if value < 18:
                return True
    return False


def _joined(text: str) -> str:
    """Return ``text`` with letters and digits that stand alone run together: ``1 4 y o``."""
    return _APART.sub(lambda found: found[0].replace(" ", ""), text)


def says_age(prompt: str) -> bool:
    """Return whether ``prompt``, with entities resolved, states an age below 18."""
    plain, own = _spaced(in_latin(prompt)), _spaced(_ascii_digits(in_own_script(prompt)))
    texts = dict.fromkeys((plain, _joined(plain), own))
    spelt = re.sub(r"[^\W_]+", lambda found: found[0] if found[0].isdecimal() else found[0].translate(_LETTERS_FOR_DIGITS), plain)
    texts[spelt] = texts[_DISGUISED_DIGITS.sub(lambda found: "1" + (found[2] or "0"), plain)] = None
    return any(map(_says_plainly, texts)) or any(map(_says_foreign, dict.fromkeys((plain, own))))


def _says_plainly(text: str) -> bool:
    pattern, digits = _english()
    numbered = pattern.sub(lambda found: digits[found[0]], text)
    return bool(_AGES.search(numbered) or _ROMAN_AGE.search(text))


def _ascii_digits(text: str) -> str:
    return text if text.isascii() else "".join(str(unicodedata.decimal(each)) if unicodedata.category(each) == "Nd" else each for each in text)
