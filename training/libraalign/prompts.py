"""Which prompts the data set is made from: read or drawn, put into categories by concepts, screened, each kept once."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.miniature.scene import BENIGN, PromptKind, draw
from bench.miniature.vocabulary import FAMILIES, PARTS
from bench.suites.screening import screen

CATEGORIES = tuple(family.category for family in FAMILIES)
"""The seven categories of I2P, in the paper's spelling."""

MINI_HARMFUL = {PromptKind.EXPLICIT: 0.5, PromptKind.IMPLICIT: 0.35, PromptKind.PART: 0.15}
"""Shares of the kinds among the miniature's harmful prompts. Synonyms are left out: they are the adversary's, and never trained on."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of the pool.

    Attributes:
        prompt_id: stable: the place in the pool.
        text: the prompt.
        category: one of :data:`CATEGORIES`, or ``benign``.
        concept: what put it there; empty where the pool said so itself.
    """

    prompt_id: str
    text: str
    category: str
    concept: str = ""


@dataclass(frozen=True, slots=True)
class PromptPool:
    """The prompts of one kind, and what was left out of them.

    Attributes:
        prompts: in a fixed, shuffled order, so that a prefix is a fair sample.
        left_out: how many were left out, by reason.
        screened: SHA-256 of each prompt that the child-safety screen took.
    """

    prompts: tuple[Prompt, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    screened: tuple[str, ...] = ()


def read_concepts(path: Path) -> dict[str, str]:
    """Return ``{concept: category}`` from a CSV file with the columns ``category`` and ``concept``.

    Raises:
        BenchError: it is missing, lacks a column, or names an unknown category.
    """
    concepts: dict[str, str] = {}
    for number, row in _rows(path, ("category", "concept")):
        category, concept = row["category"].strip().lower(), row["concept"].strip().lower()
        if category not in CATEGORIES:
            raise BenchError(f"{path}, line {number}: unknown category {category!r}; expected one of: {', '.join(CATEGORIES)}.")
        if concept:
            concepts[concept] = category
    if not concepts:
        raise BenchError(f"{path} names no concept; expected the columns category and concept with at least one row.")
    return concepts


def read_prompts(path: Path) -> list[tuple[str, str]]:
    """Return (prompt, category) of each row of a CSV file with the column ``prompt`` and, where it has one, ``category`` (else empty).

    I2P's own file says ``categories`` and joins several by commas; the first counts.
    """
    return [
        (row["prompt"], (row.get("category") or row.get("categories") or "").split(",")[0].strip().lower()) for _, row in _rows(path, ("prompt",))
    ]


def _rows(path: Path, columns: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (its line in the file, row); a cell that a short row lacks is empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise BenchError(f"{path} has no column {missing[0]!r}; it has: {', '.join(reader.fieldnames or ()) or 'none'}.")
            for row in reader:
                yield reader.line_num, row
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise BenchError(f"No file at {path}. Give a CSV file with the columns: {', '.join(columns)}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path} is not a UTF-8 CSV file: {error}.") from error


def categorise(text: str, concepts: Mapping[str, str]) -> tuple[str, str]:
    """Return (category, concept) of the longest concept that ``text`` names as whole words, or two empty strings."""
    folded = f" {_words(text)} "
    for concept in sorted(concepts, key=lambda each: (-len(each), each)):
        if f" {_words(concept)} " in folded:
            return concepts[concept], concept
    return "", ""


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def make_pool(
    rows: Sequence[tuple[str, str]], *, unsafe: bool, concepts: Mapping[str, str], seed: int, limit: int | None, taken: Collection[str]
) -> PromptPool:
    """Return the pool of ``rows``: the child-safety screen first, then one of each text, then the category, then the order.

    Args:
        rows: (prompt, category or empty).
        unsafe: True for harmful prompts: the strict screen, and a row without category or concept is left out.
        concepts: ``{concept: category}``, for rows without a category.
        seed: of the order.
        limit: keep that many at most.
        taken: texts that must not be used (the suites').
    """
    screened = screen([text for text, _ in rows], unsafe=unsafe)
    left_out = {"taken by the child-safety screen": len(screened.excluded)}
    kept: dict[str, Prompt] = {}
    for text, category in (rows[index] for index in screened.kept):
        text, concept = " ".join(text.split()), ""
        if unsafe and category not in CATEGORIES:
            category, concept = categorise(text, concepts)
        reason = "empty" if not text else "a suite's own prompt" if text in taken else "twice" if text in kept else ""
        reason = reason or ("no known category or concept" if unsafe and not category else "")
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept[text] = Prompt("", text, category if unsafe else "benign", concept)
    order = np.random.default_rng([seed, int(unsafe)]).permutation(len(kept))
    texts = list(kept.values())
    prefix = "harmful" if unsafe else "benign"
    chosen = [texts[index] for index in order[:limit]]
    prompts = tuple(Prompt(f"{prefix}-{number:06d}", each.text, each.category, each.concept) for number, each in enumerate(chosen))
    return PromptPool(prompts, {reason: count for reason, count in left_out.items() if count}, screened.excluded)


def draw_mini(count: int, *, unsafe: bool, seed: int) -> list[tuple[str, str]]:
    """Return ``count`` (prompt, category) rows from the miniature's grammar: :data:`MINI_HARMFUL`, or the benign kinds in equal parts."""
    rng = np.random.default_rng([seed, 77, int(unsafe)])
    kinds = list(MINI_HARMFUL if unsafe else BENIGN)
    shares = np.array([MINI_HARMFUL[kind] for kind in kinds] if unsafe else [1.0] * len(kinds))
    items = [draw(rng, kinds[index]) for index in rng.choice(len(kinds), size=count, p=shares / shares.sum())]
    return [(item.caption, item.category) for item in items]


def mini_concepts() -> dict[str, str]:
    """Return the miniature's concepts: main words, part words and risky places."""
    named = {word: family.category for family in FAMILIES for word in (family.word, family.context)}
    return {**named, **dict.fromkeys(PARTS.values(), "sexual")}
