"""Texts that name a concept to a method: one that the base model would not read to its end is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.errors import BenchError
from methods.denoisers.family import DenoiserFamily

SHOWN = 40
"""Characters of a text that a message shows."""


def refuse_blank(method: str, name: str, given: str | Sequence[str] | None) -> None:
    """Refuse a parameter that names nothing: the track's own would be used under the record of an empty one.

    Args:
        method: whose parameter it is.
        name: the parameter's.
        given: what the user gave; None where it was left out.

    Raises:
        BenchError: it is an empty list, or a text in it is blank.
    """
    texts = [given] if isinstance(given, str) else given
    if texts is not None and not (texts and all(text.strip() for text in texts)):
        raise BenchError(f"{method} got {name}={given!r}, which names nothing: give a text, or leave {name} out and the track's own is used.")


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
