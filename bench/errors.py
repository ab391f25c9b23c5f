"""Errors that are a user's to mend: one clear line, never a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class BenchError(Exception):
    """Something the user can mend. The CLI prints it as one line and exits with code 2.

    Write the message as: what was wrong, what was expected, what to run.
    """


class NotAvailable(BenchError):
    """Something that exists but cannot be had here (an extra, gated data, weights of another track)."""


class Damaged(BenchError):
    """A file that is not, byte by byte, what was written, or that lacks where another says that it is."""


def first_line(error: BaseException) -> str:
    """Return the first line of what ``error`` says, or its type where it says nothing; no full stop at the end."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def did_you_mean(noun: str, name: str, known: Collection[str]) -> BenchError:
    """Return the error for an unknown ``name``: a suggestion where one is near, and what there is."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return BenchError(f"Unknown {noun} {name!r}.{hint} Known: {', '.join(sorted(known)) or 'none'}.")
