"""What a scorer is: it turns images into raw values that are kept for good, and says what they mean."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError
from bench.types.context import Context, merge_parameters
from bench.types.metric import Direction, Role
from bench.types.sample import KEY, Sample

if TYPE_CHECKING:
    from bench.types.sample import Image

WAYS: Mapping[str, Direction | None] = {"better": "higher", "worse": "lower", "neither": None}
"""What ``higher_is`` can be, and which values are then better."""


@dataclass(frozen=True, slots=True)
class ScorerInfo:
    """What a scorer says of itself.

    Attributes:
        name: the registry name.
        summary: one line.
        columns: the raw values it stores, ``{column: unit or meaning}``. The one that bears the scorer's name, if any, is its number in tables: the
            mean of what is a number, the share of what is yes or no.
        higher_is: ``better``, ``worse``, or ``neither``, of that number: what ranks, arrows and tiers go by. Of a detector: of what it finds.
        version: raised whenever the same image could get other values.
        source: paper, repository and commit.
        licence: of the weights it runs.
        tracks: where it runs; empty means everywhere.
        proxy: True where it stands in for the real scorer of that role (the mini track).
        defaults: every parameter with its default.
        encoder: the parameter that says where the CLIP is whose image features it reads; empty where it reads none that others may share.
        label: what its number is called on pages and in print; the name where empty.
        explanation: of its number, one or two sentences; the summary where empty.
        unit: of its number in tables; what ``columns`` says of it where empty.
        role: what its number tells of; where None, quality if higher is better and safety if it is worse.
        range: the least and the most that its number can be; its bounds where None.
        bounds: the least and the most that a stored value can be, ``{column: (least, most)}``; a column that is not there has none.
        headline: whether tables show its number wherever it is there.
        published: what published tables call its number, the name in ``published.csv`` first; the scorer's own where empty.
    """

    name: str
    summary: str
    columns: Mapping[str, str]
    higher_is: str
    version: str = "1"
    source: str = ""
    licence: str = "Apache-2.0"
    tracks: tuple[str, ...] = ()
    proxy: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    encoder: str = ""
    label: str = ""
    explanation: str = ""
    unit: str = ""
    role: Role | None = None
    range: tuple[float, float] | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    headline: bool = False
    published: tuple[str, ...] = ()


def column_name(scorer: str, column: str) -> str:
    """Return the name of a scorer's column in a run's records: ``pickscore``, ``q16_inappropriate``, ``glyphs_detections``."""
    return column if column == scorer or column.startswith(f"{scorer}_") else f"{scorer}_{column}"


RESERVED = (*KEY, "unscored")
"""Columns of every score table, which no scorer may call its own so."""


def check_scorer(name: str, scorer: type[Scorer]) -> None:
    """Refuse a scorer that does not say what it gives, or which way its number is better.

    Raises:
        BenchError: it has no ``info``, is abstract, names no column or a reserved one, or says of ``higher_is`` something unknown.
    """
    info = getattr(scorer, "info", None)
    wrong = ""
    if not isinstance(info, ScorerInfo):
        wrong = "it says nothing of itself: its `info` is no ScorerInfo"
    elif info.higher_is not in WAYS:
        wrong = f"higher_is is {info.higher_is!r}; expected one of: {', '.join(WAYS)}"
    elif not isinstance(info.columns, Mapping) or not info.columns or not all(isinstance(each, str) and each for each in info.columns):
        wrong = "columns names no column; expected {column: unit or meaning}"
    elif taken := sorted(set(info.columns) & set(RESERVED)):
        wrong = f"columns names {taken[0]!r}, which is a column of every table; expected another name"
    elif inspect.isabstract(scorer):
        wrong = f"it lacks {', '.join(sorted(scorer.__abstractmethods__))}"
    if wrong:
        raise BenchError(f"The scorer {name!r} is broken: {wrong}.")


class Scorer(ABC):
    """Turns images into raw values that are kept for good. Thresholds and counting rules come later, in metrics.

    A value never depends on the other images of the call nor on which other scorers ran.
    """

    info: ClassVar[ScorerInfo]

    def __init__(self, **parameters: Any) -> None:
        self.parameters: dict[str, Any] = merge_parameters(self.info.name, self.info.defaults, parameters)

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return ``{file: sha256}`` of every weight file it reads. Called before :meth:`load`."""
        return {}

    def known_as(self, context: Context) -> Mapping[str, str]:
        """Return ``{file: which published file it is}`` where several are in circulation; kept beside the scores, no part of their fingerprint."""
        return {}

    @abstractmethod
    def load(self, context: Context) -> None:
        """Read weights. Heavy imports belong here."""

    @abstractmethod
    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``{column: value}`` per image, in order. A value is a number, a bool, a string, a list of detections, a vector, or None for missing.

        A detection is ``{"class": str, "score": float, "box": [x, y, width, height]}`` in pixels. A vector is a list of floats, of the same
        length for every image, and is kept as float32. Arrays and tensors count as what they hold; numbers are finite. A column holds one kind
        of value, and the one that bears the scorer's name numbers or bools. :mod:`bench.types.values` has every rule; an image whose value breaks
        one has no score, and the run says why.
        """
