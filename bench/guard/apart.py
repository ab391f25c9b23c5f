"""Have a function that calls plugins do its work in a process of its own: a plugin there can neither end the command nor keep it."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any, TypeVar

from bench.console import Progress, Quiet
from bench.errors import BenchError
from bench.guard.calls import Caller, UnitLimit
from bench.guard.process import POLL, Watched, WorkerLine
from bench.guard.wire import Foreign

T = TypeVar("T")


class _Told:
    """The progress of the other process."""

    def __init__(self, line: WorkerLine) -> None:
        self._line, self._bars = line, 0

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Have a bar begun; return what advances it."""
        bar, self._bars = self._bars, self._bars + 1
        self._line.say("start", (what, total, unit))
        return lambda done: self._line.say("advance", (bar, done))


def apart(function: Callable[..., T], *arguments: Any, limit: UnitLimit, progress: Progress | None = None, **named: Any) -> T:
    """Return what ``function(*arguments, **named, progress=..., caller=...)`` gives, called in a process of its own.

    Args:
        function: of a module, since the other process finds it by its name. It makes every call of a plugin's through ``caller``.
        arguments: can be sent to another process.
        limit: of the time over one call.
        progress: told of the progress.
        named: more arguments.

    Raises:
        BenchError: what the function raises, or: a plugin ended the process, wrote into its pipe, or took longer than the limit.
    """
    process, bars = Watched(_do, function, arguments, named), list[Callable[[int], None]]()
    try:
        while True:
            wait([process.pipe, process.process.sentinel], POLL)
            for kind, value in process.heard():
                match kind:
                    case "start":
                        bars.append((progress or Quiet()).start(*value))
                    case "advance":
                        bars[value[0]](value[1])
                    case "result":
                        found: T = value
                        return found
            if died := process.how_it_died():
                raise BenchError(f"The process that works for this command died with {died}. Mend it: see `bench check-method`.")
            if process.call and process.busy() > limit.of(process.call.samples):
                raise BenchError(f"{_begun(process.call.words())}, {limit.passed(process.call.samples)}. Mend it, or give it more time.")
    except Foreign:
        raise BenchError(f"Something was written into the pipe of the process that works for this command{process.where()}. Mend it.") from None
    finally:
        process.end()


def _begun(words: str) -> str:
    return words[0].upper() + words[1:]


def _do(line: WorkerLine, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    line.say("result", function(*arguments, **named, progress=_Told(line), caller=Caller(line.at)))
