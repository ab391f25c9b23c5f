"""Ages below 18: digits, words and Roman numerals, in English and some thirty other languages."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from bench.suites.screen.age_forms import SEX_AND_AGE, born_lately, says_otherwise, whole_numbers
from bench.suites.screen.ages_in_words import alternatives, says_foreign
from bench.suites.screen.folding import in_latin, in_own_script, spaced, table

_NO_LETTER_BEFORE, _NO_LETTER_AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"
_LETTERS_FOR_DIGITS = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t"})
_DISGUISED_DIGITS = re.compile(r"(?<![^\W_])([il|])([0-7])(?![^\W_])|(?<![^\W_])([1il|])o(?= ?(?:yo|y o|yrs?|years?|ans|an?os)(?![a-z]))")
_APART = re.compile(r"(?<![^\W_])(?:[^\W_] ){2,}[^\W_](?![^\W_])")

_N = r"(?<!\d)(?<!\d[.,])(?:1[0-7]|0?[0-9])(?![\d%])"
_YEARS = "ye?a?rs?|yo|y o|y|months?|mos?|weeks?|wks?|days? ?old|summers|winters|springs"
_UNITS = "|".join(
    r"""
    monate? monats? mois mese[is]? mes maande?n? manader maneder kuukau\w+ miesi[ea]c\w* mesic\w* mesiac\w* honap\w* luni aylik μηνων месяц\w*
    місяц\w* اشهر|شهرا|شهور חודש\w* ماهه महीन\w* thang[ ]tuoi bulan an[nñ]?os? an[iy]t[oa]s aninhos
    ans anni|anno enne jahre?n? j(?=[ ]|$) jr jahrig\w* jarige?\w* jaar ar aring\w* arig\w* ar[ ]gam\w+ vuotia\w* vuoden[ ]ik\w* letni\w*
    let(?![ ](?:us|me|s|it|them|him|her|the|go)(?![a-z]))\w{0,2} lat|lata roku|rok[uy]? rokov rocn\w+ godin\w* godisnj\w* yas\w* ani eves\w*
    tahun tuoi metu|metai taong лет\w* год\w* річн\w* рок\w* χρον\w* ετων|ετη साल\w* वर्ष\w* سنة|سنه|سنوات عام\w*|عاما ساله|سال שנים|שנה বছর\w* வயது
    """.replace("[ ]", "~").split()
).replace("~", " ")
_UNITS_WITHOUT_BLANKS = "周 ?岁|周 ?歲|歳|才|岁|歲|살|세|개월|ปี|ขวบ|ਸਾਲ|વર્ષ|ವರ್ಷ|വയസ്സ|సంవత్సర|ఏళ్ళ|ఏళ్ల|វស្សា|ឆ្នាំ|ປີ|နှစ်|ዓመት|წლის|տարեկան"
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
            rf"{_N} ?(?:ish |something |or so |plus |and a half |and (?:a|1|3) quarters? |1 2 )?"
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
            rf"{_N} candles? (?:on|for|in) (?:\w+ )?(?:birthday )?cake|(?:^|[a-z] )(?:[3-9]|1[0-7]) and a half\s*$",
            rf"{_NO_LETTER_BEFORE}(?:turns?|turning|be|becomes?|hits?|reach(?:es)?) 18"
            rf" (?:next|this|in|on|tomorrow|soon|until|till|before){_NO_LETTER_AFTER}",
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
    ("half a decade old", "5 years old"),
    ("a decade old", "10 years old"),
    ("a decade", "10"),
]


@cache
def _english() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of the numbers in English words, and what each stands for; blanks in them may be left out."""
    tables, digits = table("numbers"), {}
    for text, number in tables["en"].items():
        digits[text.replace("-", " ")] = digits[text.replace("-", "")] = str(number)
    for text, number in tables["en ordinals"].items():
        digits[text] = f"{number}th"
    for text, number in [(text, number) for text, number in digits.items() if text.endswith("teen")]:
        digits |= {text[:at] + text[at + 1] + text[at] + text[at + 2 :]: number for at in range(1, len(text) - 4)}
        digits |= {text[:-4] + wrong: number for wrong in ("ten", "teeen", "tean", "tteen", "tene")}
    digits |= {"forteen": "14", "fourty": "40"} | dict(_DOZENS)
    return re.compile(rf"{_NO_LETTER_BEFORE}(?:{alternatives(digits, stems=False)})(?=(?:year|yr|yo|month|ish|s? |$|\d|\W))"), digits


def _joined(text: str) -> str:
    """Return ``text`` with letters and digits that stand alone run together: ``1 4 y o``."""
    return _APART.sub(lambda found: found[0].replace(" ", ""), text)


def says_age(prompt: str) -> bool:
    """Return whether ``prompt``, with entities resolved, states an age below 18."""
    prompt = whole_numbers(prompt)
    plain, own = spaced(in_latin(prompt)), spaced(_ascii_digits(in_own_script(prompt)))
    texts = dict.fromkeys((plain, _joined(plain), own))
    spelt = re.sub(r"[^\W_]+", lambda found: found[0] if found[0].isdecimal() else found[0].translate(_LETTERS_FOR_DIGITS), plain)
    texts[spelt] = texts[_DISGUISED_DIGITS.sub(lambda found: "1" + (found[2] or "0"), plain)] = None
    return (
        born_lately(prompt)
        or bool(SEX_AND_AGE.search(plain))
        or any(map(_says_plainly, texts))
        or any(map(says_foreign, dict.fromkeys((plain, own))))
    )


def _says_plainly(text: str) -> bool:
    pattern, digits = _english()
    numbered = pattern.sub(lambda found: digits[found[0]], text)
    return bool(_AGES.search(numbered) or _ROMAN_AGE.search(text) or says_otherwise(numbered))


def _ascii_digits(text: str) -> str:
    return text if text.isascii() else "".join(str(unicodedata.decimal(each)) if unicodedata.category(each) == "Nd" else each for each in text)
