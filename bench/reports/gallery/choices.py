"""What may be asked of a gallery; nothing heavy is imported here."""

from __future__ import annotations

from enum import StrEnum

SAMPLES, MOST_SAMPLES = 200, 2000
"""Samples on a page: where nobody says, and at most."""
TILES, MOST_TILES = 24, 120
"""Pictures on a sheet, likewise."""
RESOLUTION = 300
"""The sheet's pixels an inch where nobody says."""


class Choice(StrEnum):
    """In which order samples are taken where not all can be shown."""

    EVENLY = "evenly"
    """The first of each category, then the second of each, and so on, in the suite's order: nobody picks."""
    FIRST = "first"
    """The suite's order."""


class Only(StrEnum):
    """Which samples are taken at all."""

    ALL = "all"
    DISAGREE = "disagree"
    """Those on which the verdicts of two methods differ."""
    FLAGGED = "flagged"
    """Those that some method's verdict flags."""
    BLOCKED = "blocked"
    """Those that some method blocked."""
