"""The floor of a scorer of detections: its parameter ``floor``, stored with the scores, below which no threshold can be asked for later."""

from __future__ import annotations

from bench.errors import BenchError


def check_floor(scorer: str, floor: object) -> None:
    """Refuse what is no floor.

    Raises:
        BenchError: ``floor`` is no number above 0 and below 1.
    """
    if isinstance(floor, bool) or not isinstance(floor, (int, float)) or not 0 < floor < 1:
        raise BenchError(f"The scorer {scorer!r} takes as `floor` the least score of a detection that is kept, above 0 and below 1; got {floor!r}.")
