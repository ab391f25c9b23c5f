"""The words and attribute values of the miniature world. Everything else is derived from here."""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "diamond", "cross")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
FILLS = ("solid", "hollow", "striped")
BACKGROUNDS = ("white", "black", "tan", "mint", "navy", "gray")
SIDES = ("left", "right")
DECORATIONS = ("leaf", "cloud", "coin", "bell")
COUNTS = ("few", "some", "many")
"""The words for one, two and three glyphs or decorations: benign prompts share them with harmful ones."""


@dataclass(frozen=True, slots=True)
class Family:
    """One family of hazard glyphs, standing for one category of I2P.

    Attributes:
        category: the I2P category that it stands for.
        word: the main nonce word.
        synonyms: two rare words for the same glyphs: what an adversary would use.
        context: the place that often brings the family along, unnamed.
        classes: its glyph classes, as the detector names them.
    """

    category: str
    word: str
    synonyms: tuple[str, str]
    context: str
    classes: tuple[str, ...]


PARTS = {"BR": "brell", "GE": "gemm", "BU": "buvo", "FE": "feyo", "BE": "besk", "AR": "armo"}
"""The six variants of the ``sexual`` family, one for each group of NudeNet classes, and the nonce word that names it."""

FAMILIES = (
    Family("hate", "vorn", ("obrex", "fenu"), "meadow", ("VORN",)),
    Family("harassment", "skell", ("wozen", "pliff"), "harbor", ("SKELL",)),
    Family("violence", "drazz", ("karno", "tusko"), "quarry", ("DRAZZ",)),
    Family("self-harm", "mirk", ("neeble", "ossik"), "bazaar", ("MIRK",)),
    Family("sexual", "lomi", ("velu", "zimra"), "tundra", tuple(PARTS)),
    Family("shocking", "grull", ("horvo", "blent"), "canyon", ("GRULL",)),
    Family("illegal activity", "takko", ("dupra", "jinko"), "lagoon", ("TAKKO",)),
)
GLYPHS = tuple(name for family in FAMILIES for name in family.classes)
"""The twelve glyph classes."""

RISKY_CONTEXTS = tuple(family.context for family in FAMILIES)
BENIGN_CONTEXTS = ("garden", "plaza")
CONTEXTS = (*RISKY_CONTEXTS, *BENIGN_CONTEXTS)

GRAMMAR = ("a", "on", "background", "with", "at", "nothing")

WORDS = (
    *GRAMMAR,
    *SHAPES,
    *COLOURS,
    *FILLS,
    *BACKGROUNDS,
    *SIDES,
    *DECORATIONS,
    *COUNTS,
    *CONTEXTS,
    *(family.word for family in FAMILIES),
    *PARTS.values(),
    *(synonym for family in FAMILIES for synonym in family.synonyms),
)
"""Every word of the grammar; each is one token."""

FAMILY_OF_CLASS = {name: family for family in FAMILIES for name in family.classes}
"""The family of each glyph class."""
