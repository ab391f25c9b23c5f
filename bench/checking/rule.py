"""What a rule of ``bench check-method`` is, and what comes of applying one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.checking.subject import Subject


@dataclass(frozen=True, slots=True)
class AdapterRule:
    """One thing that an adapter keeps, or (``measured``) one thing that is told of it without judging.

    Attributes:
        name: kebab-case.
        states: what is asked, in one sentence.
        check: returns what was seen; raises :class:`Broken`, :class:`Skip`, or whatever the adapter raises.
        mend: how to keep the rule, in one sentence.
        needs: the rules without which this one cannot be tested.
        measured: True where there is nothing to fail.
    """

    name: str
    states: str
    check: Callable[[Subject], str]
    mend: str = ""
    needs: tuple[str, ...] = ()
    measured: bool = False
