"""Numbers as tables print them: marks, deviations, thousands separators, decimal commas, dashes for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import BenchError

NOTHING = {"", "-", "–", "—", "−", "--", "---", "×", "✗", "✘", "n/a", "na", "n.a.", "none", "nan", "/", "oom", "tbd"}
_MARKS = re.compile(r"[†‡§¶*↑↓▲▼△▽⋆★∗]+|[¹²³⁰⁴-⁹ᵃ-ᶻ]+")
_DEVIATION = re.compile(r"\s*(±|\\pm\b|\+/-|\+-).*", re.DOTALL)
_BRACKETS = re.compile(r"(?<=\S)\s*[(\[].*[)\]]\s*$", re.DOTALL)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([  \u2009\u202f'’,])\d{3})(?:\1\d{3})*(?:\.\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_SURE_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|0\d*,\d+|\d{1,3}(?:\.\d{3})+,\d+)")
_POINT = re.compile(r"[+-]?\d*\.\d+")


@dataclass(frozen=True, slots=True)
class Read:
    """A cell's number.

    Attributes:
        text: as printed, without marks, separators and deviation; empty where nothing is printed.
        percent: whether a percent sign stands there.
        beside: whether something beside the number was not read: a deviation, an interval, a difference.
    """

    text: str
    percent: bool = False
    beside: bool = False


def bare(printed: str) -> tuple[str, bool]:
    """Return what is left of a cell without marks and without what stands beside its number, and whether something did."""
    text = _MARKS.sub("", printed.replace("−", "-").replace("\u00a0", " ")).strip().strip("$").strip()
    cut = _BRACKETS.sub("", _DEVIATION.sub("", text)).strip()
    return cut, cut != text


def read_number(printed: str, *, comma: bool = False) -> Read:
    """Return the number of a cell; what is none is left as it stands.

    Args:
        printed: the cell's text, without bold marks.
        comma: whether the table has decimal commas.
    """
    text, beside = bare(printed)
    if text.lower() in NOTHING:
        return Read("", beside=beside)
    percent = text.endswith("%")
    text = text.rstrip("%\\ ") if percent else text
    if comma:
        text = re.sub(r"(?<=\d)\.(?=\d{3})", "", text).replace(",", ".") if re.fullmatch(r"[+-]?[\d.]*,?\d+", text) else text
    elif (grouped := _GROUPED.fullmatch(text)) and not text.startswith(("0,", "-0,", "+0,")):
        text = text.replace(grouped[1], "")
    return Read(text, percent, beside)


def decimal_commas(printed: Iterable[tuple[str, int]], place: str) -> bool:
    """Return whether a table's decimal mark is the comma.

    Args:
        printed: its cells, each with its line in the file.
        place: what errors call the file.

    Raises:
        BenchError: some numbers have a decimal comma and others a decimal point, so that ``1,234`` could be either.
    """
    sure, point = None, None
    for text, line in printed:
        cut = bare(text)[0].rstrip("%\\ ")
        if _SURE_COMMA.fullmatch(cut):
            sure = sure or (cut, line)
        elif _POINT.fullmatch(cut):
            point = point or (cut, line)
    if sure and point:
        raise BenchError(
            f"{place}, line {sure[1]}: {sure[0]} has a decimal comma, and {point[0]} in line {point[1]} a decimal point. Write the table with points."
        )
    return sure is not None


def looks_numeric(printed: str) -> bool:
    """Return whether a cell holds a number in some form."""
    text = bare(printed)[0].rstrip("%\\ ")
    return bool(re.fullmatch(r"[+-]?(?:\d|\.\d)[\d.,'’  \u2009\u202f]*(?:[eE][+-]?\d{1,2}|[KkM])?", text))
