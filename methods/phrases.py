"""Texts that name a concept to a method: one that the base model would not read to its end is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.errors import BenchError, NotAvailable
from bench.types import Context
from methods.denoisers.family import DenoiserFamily

SHOWN = 40
"""Characters of a text that a message shows."""


def refuse_cut(method: str, name: str, texts: Iterable[str], family: DenoiserFamily) -> None:
    """Refuse texts that a text encoder of the base would cut: the method would act on another concept than it was told.

    Args:
        method: whose parameter it is.
        name: the parameter's.
        texts: as the method has them encoded.
        family: of the base model.

    Raises:
        BenchError: one is too long.
    """
    for text in texts:
        found = family.overlong(text)
        if found is not None:
            shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
            raise BenchError(
                f"{method} needs {name} that this base model reads to the end: {shown!r} has {found[0]} tokens and {found[1]} are read, "
                "start and end among them. Give a shorter text, or fewer phrases."
            )


def concepts_and_guides(method: str, chosen: Mapping[str, Any], context: Context) -> tuple[list[str], list[str]]:
    """Return the concepts to be erased and, for each, the text that it is mapped to; the track's where none were given.

    Raises:
        NotAvailable: the track has no concepts and none were given.
        BenchError: there are not as many guides as concepts.
    """
    concepts = listed(chosen["concepts"]) or list(context.track.concepts.get("unsafe", ()))
    if not concepts:
        raise NotAvailable(f"The track {context.track.name!r} has no concepts to erase. Give them: --set 'concepts=[\"...\"]'.")
    guides = listed(chosen["guide"]) or list(context.track.concepts.get("neutral", ())) or [""]
    if len(guides) == 1:
        guides *= len(concepts)
    if len(guides) != len(concepts):
        raise BenchError(f"{method} got {len(guides)} guides for {len(concepts)} concepts; expected one for all, or one for each.")
    return concepts, guides


def listed(value: str | Sequence[str] | None) -> list[str]:
    """Return a parameter that is one text or several as a list; None is an empty one."""
    return [] if value is None else [value] if isinstance(value, str) else list(value)
