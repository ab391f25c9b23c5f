"""English words for minors as a reader still hears or sees them: two letters swapped, spelt by ear, spelt out letter by letter.

All of it is a look-up of whole pieces of a text, so the work is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

_WORDS = """
    child children childhood girl girls boys teens teen teenager teenagers teenage toddler toddlers infant infants preteen preteens underage
    schoolgirl schoolgirls schoolboy schoolboys schoolchild juvenile juveniles adolescent adolescents daughter daughters youngster youngsters baby
    babies newborn newborns student students pupil pupils kids kid minor minors youth nephew nephews niece nieces kindergarten lolita young boy
""".split()
_BY_EAR = """
    ch:tch il:yl,ail,eyel,iel,ile ild:ilde,iled,ylde,yld,aild ir:ur,er,yr,ear,uhr oy:oi,oye,oiy oys:oyz,oiz,oize boy:bhoy ee:ea,ie,ey,i
    een:ean,ene ag:aj age:aige,ayj ge:dge er:ur,ah,uh,a,ar,or le:el ler:lah dd:d or:er,ur,ar,a sch:sk,sc oo:u,ew,ue ool:ule ph:f,ff,v
    en:an,in,un,yn,n ew:ue,yu,oo ie:ee,ea,ei ece:ese,ess y:ie,ee,ey,i s:z ou:u,oo,uh au:o augh:aw,or,au,ort i:y,e k:c,q,ck c:k in:en
    ant:ent,unt,int sc:s,ss ol:al ju:joo,jew ile:yle,al u:oo,uh,yoo tu:too pu:pyoo stu:styu f:ph aby:aybe a:ay,ey,ai bab:beb th:f der:da un:on
    dg:j born:bawn gart:gard new:noo,nu,knew
""".split()
"""Letters, and what sounds like them; at most two are changed in a word."""

_OTHER = frozenset(
    """
    abby cid darter darters dater daters doter doters gal gals juvenal miner miners myna mynas nice pupal qed ten tens tin tine tines tins tn tun tune
    tan tans tanager tanagers manor manors tunes tuns yong mina teun tyne cyd ced ked
    """.split()
)
"""Words that one of these is by chance."""

_ALPHABET = dict(
    each.split(":")
    for each in """
    alpha:a alfa:a bravo:b charlie:c charly:c delta:d echo:e foxtrot:f golf:g hotel:h india:i juliet:j juliett:j kilo:k lima:l mike:m november:n
    oscar:o papa:p quebec:q romeo:r sierra:s tango:t uniform:u victor:v whiskey:w whisky:w xray:x yankee:y zulu:z bee:b cee:c see:c dee:d eff:f
    gee:g aitch:h haitch:h eye:i jay:j kay:k ell:l el:l em:m en:n oh:o pee:p cue:q queue:q ar:r are:r ess:s tee:t you:u vee:v ex:x why:y wye:y
    zee:z zed:z ay:a
    """.split()
)
"""The names of letters, of the spelling alphabet and of English."""
_PIECE = re.compile(r"[a-z]+")
_FEWEST = 3


@cache
def _misspelt() -> frozenset[str]:
    """Return all words with two neighbouring letters swapped, and all as they sound."""
    found: set[str] = set()
    for word in _WORDS:
        if len(word) > 2:
            found |= {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
        once = set(_respelt(word))
        found |= once | {twice for each in once for twice in _respelt(each)}
    return frozenset(found - _OTHER - set(_WORDS))


def _respelt(word: str) -> Iterator[str]:
    for rule in _BY_EAR:
        letters, _, sounds = rule.partition(":")
        at = word.find(letters)
        while at >= 0:
            yield from (word[:at] + sound + word[at + len(letters) :] for sound in sounds.split(","))
            at = word.find(letters, at + 1)


def misspelt(folded: str) -> bool:
    """Return whether a piece of ``folded`` text is one of the words with letters swapped or spelt by ear."""
    return not _misspelt().isdisjoint(_PIECE.findall(folded))


def spelt_out(folded: str) -> str:
    """Return what ``folded`` text spells letter by letter, each such run a word: ``c and h and i``, ``cxhxixlxd``, ``charlie hotel india``."""
    pieces = _PIECE.findall(folded)
    runs = [piece[::2] for piece in pieces if len(piece) > 4 and len(set(piece[1::2])) == 1]
    runs += [piece[1::2] for piece in pieces if len(piece) > 4 and len(set(piece[::2])) == 1]
    runs += _parted(pieces)
    run = ""
    for piece in [*pieces, ""]:
        letter = piece if len(piece) == 1 else _ALPHABET.get(piece, "")
        if letter:
            run += letter
            continue
        if len(run) >= _FEWEST:
            runs += [run, run.removeprefix("a")]  # "a kilo india delta" has an article
        run = ""
    return " ; ".join(runs)


def _parted(pieces: list[str]) -> Iterator[str]:
    """Yield the letters that stand alone with the same piece between each two of them."""
    for first in (0, 1):
        run, between = "", ""
        for at in range(first, len(pieces), 2):
            if len(pieces[at]) == 1 and (not run or pieces[at - 1] == between or len(run) == 1):
                between = pieces[at - 1] if run else ""
                run += pieces[at]
                continue
            if len(run) >= _FEWEST:
                yield run
            run, between = (pieces[at] if len(pieces[at]) == 1 else ""), ""
        if len(run) >= _FEWEST:
            yield run
