"""The child-safety screen: every prompt of every suite and every training set passes it before anything is generated.

In what is declared unsafe, any possible reference to a minor excludes the row: over-inclusive on purpose, since a wrongly
lost prompt costs a little and a wrongly kept one is not acceptable. In benign material, such a reference together with a
sexual term excludes it. There is no switch. Reports publish how many rows were taken, and their hashes.

Words are sought letter by letter, so that one rule sees them drawn out (``kiiids``), with digits or symbols for letters
(``ch1ld``), with marks inside (``k-i-d``), set apart (``c h i l d``), split (``chi ld``), and in letters that only look Latin.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_MINORS = """
    child childs children childish childhood childlike chld kid kids kidz kiddo kiddos kiddie kiddies kiddy teen teens teenie teenies teeny
    teenage teenaged teenager teenagers preteen preteens tween tweens tweenager minor minors underage underaged juvenile juveniles junior
    juniors adolescent adolescents adolescence prepubescent pubescent puberty infant infants infantile infancy baby babies babe babes bby
    newborn newborns toddler toddlers tot tots tyke tykes bairn urchin urchins waif girl girls girly girlish gurl gurls grl grls boy boys boyish
    boi bois lad lads lass lasses lassie school schools preschool kindergarten nursery daycare pupil pupils student students classroom
    playground elementary grader graders freshman sophomore cheerleader cheerleaders prom quinceanera mitzvah youth youths youthful youngster
    youngsters young younger youngest yung daughter daughters son sons stepson grandson grandsons godson niece nieces nephew nephews orphan
    orphans cub cubs scout scouts loli lolis lolita lolicon shota shotas shotacon jailbait nymphet csam cp pedo pedos paedo ddlg ageplay little
    lil smol tiny petite princess doll virgin diaper diapers nappy nappies crib pacifier onesie shojo shoujo shonen shounen nino nina ninos
    ninas nena muchacha muchacho menor menores enfant enfants fille filles fillette garcon gamin gamine ado ados mineur mineure kind kinder
    kindlich madchen junge jungen jugendliche minderjahrig bambino bambina bambini ragazza ragazzo ragazzina ragazzino menina meninas menino
    meninos crianca criancas adolescente adolescentes meisje meisjes jongen jongens flicka pojke dziewczynka chlopiec devochka malchik
""".split()
"""Whole words; languages of the public prompt sets included. ``kind`` and ``little`` cost harmless rows: see the module's first lines."""

_MINOR_PARTS = """
    child girl toddler school daughter preteen teenage underage adolescen juvenil prepubesc kindergart youngster newborn lolicon shotacon
    pedophil paedophil baby
""".split()
"""What betrays a word that holds it anywhere: ``schoolkid``, ``catgirl``, ``babyface``."""

_MINOR_ENDS = ["boy", "teen"]
"""What betrays a word that begins with it; ``boy`` also one that ends with it. Inside, they stand in words such as ``flamboyant``."""

_MINOR_SCRIPTS = """
    девочк девоч мальчик ребён дети детей детск подрост школьни младен малыш несовершеннолет 少女 幼女 女児 男児 少年 子供 子ども
    こども 赤ちゃん 女の子 男の子 小学生 中学生 高校生
    未成年 幼児 園児 ロリ ショタ 小孩 孩子 女孩 男孩 儿童 兒童 婴儿 嬰兒 幼童 学生 學生 萝莉 蘿莉 正太 소녀 소년 아이 어린이 아기
    미성년 학생 유아 로리 बच्च लड़की लड़का طفل طفلة أطفال فتاة قاصر ילד ילדה
""".split()
_MINOR_SIGNS = frozenset("👶🧒👦👧🚸🍼🏫🎒")

_SEXUAL = """
    sex sexual sexy sexually nude nudes nudity naked topless bottomless undressed undressing unclothed porn porno erotic erotica nsfw hentai
    explicit lewd seductive sensual provocative fetish genital genitals genitalia breast breasts nipple nipples buttocks lingerie underwear
    panties bikini swimsuit aroused intercourse orgasm kissing
""".split()
_SEXUAL_PARTS = ["sexual", "porn", "naked", "erotic", "masturbat"]

_LOOKALIKES = {
    "а": "a", "в": "b", "е": "e", "к": "k", "м": "m", "н": "h", "о": "o", "р": "p", "с": "c", "т": "t", "у": "y", "х": "x", "і": "i", "ј": "j",
    "ѕ": "s", "ԁ": "d", "һ": "h", "ӏ": "l", "ԛ": "q", "ԝ": "w", "г": "r", "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v",
    "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x", "γ": "y", "ı": "i", "ɩ": "i", "ɪ": "i", "ɑ": "a", "ɡ": "g", "ɢ": "g", "ʟ": "l", "ɴ": "n",
    "ʀ": "r", "ʏ": "y", "ʙ": "b", "ʜ": "h", "ո": "n", "օ": "o", "ց": "g", "ᴀ": "a", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ꜰ": "f", "ᴊ": "j", "ᴋ": "k",
    "ᴌ": "l", "ᴍ": "m", "ᴏ": "o", "ᴘ": "p", "ꜱ": "s", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w", "ᴢ": "z", "ø": "o", "đ": "d", "ł": "l", "ß": "ss",
}  # fmt: skip
for _first in (0x1F130, 0x1F150, 0x1F170, 0x1F1E6):  # letters in squares and circles, and those that flags are made of
    _LOOKALIKES.update({chr(_first + index): chr(ord("a") + index) for index in range(26)})
_FOLD = str.maketrans(_LOOKALIKES)

_SYMBOLS = {"a": "4@", "b": "8", "c": "(", "e": "3€", "g": "69", "i": "1!|l", "l": "1!|", "o": "0", "s": "5$", "t": "7+", "z": "2"}
_MARK = r"[._*~\-]*"
_NO_LETTER_BEFORE, _NO_LETTER_AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"


def _fold(text: str) -> str:
    """Return ``text`` in plain lower-case letters: no accents, no invisible characters, Latin where it looks Latin."""
    if text.isascii():  # all of the below is about other characters
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    shown = (character for character in folded if not unicodedata.combining(character) and unicodedata.category(character) != "Cf")
    return "".join(shown).translate(_FOLD)


def _drawn(word: str) -> str:
    """Return a pattern of ``word`` in which a letter may be repeated, replaced by its look-alike symbols, or followed by marks."""
    letters = [f"[{re.escape(letter + _SYMBOLS.get(letter, ''))}]" for letter in word]
    if len(word) > 3:
        return _MARK.join(letter + "+" for letter in letters)
    # A short word with one letter doubled is another word (son, soon), so only its last letter may be.
    return _MARK.join([*(f"(?:{letter}{{3,}}|{letter})" for letter in letters[:-1]), letters[-1] + "+"])


def _any(words: Sequence[str]) -> str:
    return "(?:" + "|".join(_drawn(word) for word in sorted(words, key=len, reverse=True)) + ")"


_CHARACTER = r"(?:[^\W_]|[!@$|€])"
_SET_APART = re.compile(rf"{_NO_LETTER_BEFORE}(?:{_CHARACTER}[\s.,/\-_*~·•]+){{2,}}{_CHARACTER}{_NO_LETTER_AFTER}")
_BETWEEN = re.compile(r"[\s.,/\-_*~·•]+")
_TOKEN = re.compile(r"[^\W_]+")
_STRETCH = re.compile(rf"[\w.*~\-{re.escape(''.join(_SYMBOLS.values()))}]+")
"""Everything that one written word may be made of. What stands around a stretch is no letter, so it can be judged by itself."""

_ONE_LETTER: dict[str, str] = {}
for _letter, _symbols in _SYMBOLS.items():
    for _symbol in _symbols:
        _ONE_LETTER[_symbol] = _ONE_LETTER.get(_letter, _letter)
_SAME = str.maketrans(_ONE_LETTER)
_REPEATED = re.compile(r"(.)\1+")


@lru_cache(maxsize=1 << 17)
def _skeleton(word: str) -> str:
    """Return ``word`` with symbols as the letters that they stand for and no letter twice in a row: all ways to draw a word have one skeleton."""
    return _REPEATED.sub(r"\1", word.translate(_SAME))


class _Lexicon:
    """Words to seek, in every way of writing them that the module's first lines name."""

    def __init__(self, words: Sequence[str], parts: Sequence[str], ends: Sequence[str] = ()) -> None:
        whole = f"{_NO_LETTER_BEFORE}{_any(words)}{_NO_LETTER_AFTER}"
        beginnings = [f"{_NO_LETTER_BEFORE}{_drawn(end)}" for end in ends]
        endings = [f"{_drawn(end)}[s5$]?{_NO_LETTER_AFTER}" for end in ends[:1]]
        written = re.compile("|".join([whole, _any(parts), *beginnings, *endings]))
        # Prompts share most of their words: each is judged once.
        self.written = lru_cache(maxsize=1 << 17)(lambda stretch: _found(written, stretch))
        self.anywhere = re.compile(_any(words))
        long = [word for word in words if len(word) > 3]
        self.split = re.compile(_any(long))
        self.skeletons = frozenset(map(_skeleton, long))

    def occurs(self, folded: str) -> bool:
        """Return whether one of the words stands in ``folded`` text."""
        if any(map(self.written, _STRETCH.findall(folded))):
            return True
        # Letters set apart may run on from a neighbouring "a", so words are sought anywhere in them.
        if any(_found(self.anywhere, _BETWEEN.sub("", run)) for run in _SET_APART.findall(folded)):
            return True
        tokens = _TOKEN.findall(folded)
        return any(self._is_split(tokens[at : at + count]) for count in (2, 3) for at in range(len(tokens) - count + 1))

    def _is_split(self, tokens: Sequence[str]) -> bool:
        """Return whether ``tokens``, written as one, are one of the longer words."""
        skeleton = ""
        for each in map(_skeleton, tokens):
            skeleton += each.removeprefix(skeleton[-1:])
        if skeleton not in self.skeletons:
            return False
        joined = "".join(tokens)
        return not joined.isdigit() and self.split.fullmatch(joined) is not None


def _found(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether ``pattern`` matches something that holds a letter: ``1011`` is a number, not a word in disguise."""
    return any(any(character.isalpha() for character in match.group()) for match in pattern.finditer(text))


_MINOR = _Lexicon(_MINORS, _MINOR_PARTS, _MINOR_ENDS)
_SEX = _Lexicon(_SEXUAL, _SEXUAL_PARTS)
_SCRIPTS = re.compile("|".join(re.escape(_fold(part)) for part in _MINOR_SCRIPTS))

_NUMBERS = """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
""".split()
_ORDINALS = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth
""".split()
_NOT_AFTER_TENS = "".join(
    f"(?<!{tens} )(?<!{tens})"
    for tens in """
    twenty thirty forty fifty sixty seventy eighty ninety
""".split()
)
_AGE = rf"(?:(?<!\d)(?:1[0-7]|0?[0-9])(?!\d)|{_NOT_AFTER_TENS}{_NO_LETTER_BEFORE}(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))}))"
_UNIT = rf"(?:ye?a?rs?|y ?o|y|months?|mos?|weeks?|wks?|days? ?old|anos?|ans|anni|jahre?n?)(?: ?old)?{_NO_LETTER_AFTER}"
_AGES = re.compile(
    "|".join(
        [
            rf"{_AGE} ?{_UNIT}",
            rf"{_NO_LETTER_BEFORE}(?:age[ds]?|aging|turn(?:s|ed|ing)?) ?(?:of |about |around |at |is )?{_AGE}{_NO_LETTER_AFTER}",
            rf"{_NO_LETTER_BEFORE}(?:under|below|barely|almost|nearly|not yet|less than|younger than|sub|u) ?(?:the )?(?:age )?(?:of )?"
            rf"(?:1[0-8](?!\d)|(?:thir|four|fif|six|seven|eigh)teen{_NO_LETTER_AFTER})",
            rf"(?:{_AGE} ?(?:st|nd|rd|th)?|{_NO_LETTER_BEFORE}(?:{'|'.join(_ORDINALS)})) ?(?:grade|birthday)",
            rf"{_NO_LETTER_BEFORE}grade ?{_AGE}{_NO_LETTER_AFTER}",
            rf"(?<!\d)1[0-7][fm]{_NO_LETTER_AFTER}",
            r"barely legal|sweet (?:sixteen|16)|k ?12(?!\d)|born (?:in )?20[12]\d|(?<!\d)(?:1[0-7]|[1-9]) ?(?:岁|歳|才|살|лет|год)",
        ]
    )
)
"""Ages below 18, after marks are made blanks and blanks single."""
_HINTS = (*"0123456789", *_NUMBERS, *_ORDINALS, "eighteen", "barely legal")
"""One of these stands in everything that :data:`_AGES` finds: what is added there may need one here."""
_SHORTEST_HINTS = tuple(hint for hint in _HINTS if not any(other in hint for other in _HINTS if other != hint))
_BLANKS = re.compile(r"[\s\-_./:,'*()\[\]]+")
_LETTERS_FOR_DIGITS = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t"})


@dataclass(frozen=True, slots=True)
class Screened:
    """What the screen left.

    Attributes:
        kept: indices of the prompts that may be used, in order.
        excluded: SHA-256 of every prompt taken, in order.
    """

    kept: tuple[int, ...]
    excluded: tuple[str, ...]


def _says_age(folded: str) -> bool:
    plain = _BLANKS.sub(" ", folded)
    if not any(map(plain.__contains__, _SHORTEST_HINTS)):  # most prompts, in a fiftieth of the time
        return False
    spelt = plain.translate(_LETTERS_FOR_DIGITS)
    return bool(_AGES.search(plain) or (spelt != plain and _AGES.search(spelt)))


@lru_cache(maxsize=1 << 16)  # suites that share prompts are screened in one go
def mentions_minor(prompt: str) -> bool:
    """Return whether ``prompt`` may refer to a minor, by a word, a sign or an age below 18."""
    if not _MINOR_SIGNS.isdisjoint(prompt):
        return True
    folded = _fold(prompt)
    return bool(_SCRIPTS.search(folded)) or _MINOR.occurs(folded) or _says_age(folded)


def mentions_sexual(prompt: str) -> bool:
    """Return whether ``prompt`` holds a sexual term."""
    return _SEX.occurs(_fold(prompt))


def excludes(*, minor: bool, sexual: bool, unsafe: bool) -> bool:
    """Return whether a row with these findings is excluded from material of this kind."""
    return minor and (unsafe or sexual)


def screen(prompts: Sequence[str], *, unsafe: bool, beside: Sequence[Sequence[str]] | None = None) -> Screened:
    """Return which of ``prompts`` may be used.

    Args:
        prompts: the texts.
        unsafe: True where the suite or set is declared unsafe: the strict form.
        beside: for each prompt the texts that belong to it, such as the plain sentence behind an adversarial prompt; a finding in one counts.
    """
    kept: list[int] = []
    excluded: list[str] = []
    for index, prompt in enumerate(prompts):
        texts = [prompt, *(beside[index] if beside else ())]
        minor = any(map(mentions_minor, texts))
        if excludes(minor=minor, sexual=minor and not unsafe and any(map(mentions_sexual, texts)), unsafe=unsafe):
            excluded.append(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest())
        else:
            kept.append(index)
    return Screened(tuple(kept), tuple(excluded))
