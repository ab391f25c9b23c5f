"""What a check says: passed, failed or not checked, and why, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckVerdict(StrEnum):
    """The three outcomes of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome.

    Attributes:
        name: the check's.
        about: the run that was looked at, as ``suite/method``; ``bundle`` for the whole.
        verdict: the outcome.
        reason: one line of plain text. It may quote the bundle, so a page shows it as text, never as markup.
    """

    name: str
    about: str
    verdict: CheckVerdict
    reason: str


class Refused(Exception):
    """A bundle is not what it must be; the message is the reason, one line."""


class NotChecked(Exception):
    """A check cannot be made here; the message says what is missing."""


def shown(value: object) -> str:
    """Return what a bundle says as short, harmless text: ASCII, escaped, cut."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[0]}"


def one_line(text: str) -> str:
    """Return a message as one line of at most 400 characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= 400 else f"{line[:397]}..."
