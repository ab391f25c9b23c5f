"""What comes of a rule of ``bench check-method``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Broken(Exception):
    """The adapter breaks the rule; the message says what was seen."""


class Skip(Exception):
    """The rule does not apply here, or cannot be tested; the message says why."""


class RuleVerdict(StrEnum):
    """What comes of a rule."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "skipped"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What came of one rule.

    Attributes:
        rule: its name.
        result: ok, FAILED, skipped or measured.
        found: what was seen.
        mend: how to keep the rule; empty where it is kept.
    """

    rule: str
    result: RuleVerdict
    found: str
    mend: str = ""
