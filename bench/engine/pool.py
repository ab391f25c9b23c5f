"""Worker processes: each is given one unit after another, watched while it is at work, and ended with whatever a plugin has left in it."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

from bench.console import say
from bench.engine.losses import record_loss
from bench.engine.worker import Job, Told, Worker
from bench.errors import BenchError
from bench.guard.calls import Caller, UnitLimit
from bench.guard.process import POLL, Watched, WorkerLine
from bench.guard.wire import Foreign

LOST = 3
"""How many units in a row may be lost to the time limit before the run stops: another one would most likely be lost as well."""


def _in_script() -> bool:
    """Return whether this process runs somebody's script, which a worker reads again, and not a command or a module."""
    main = sys.modules["__main__"]
    return getattr(main, "__spec__", None) is None and str(getattr(main, "__file__", None)).endswith(".py")


class Hand(Watched):
    """One worker.

    Attributes:
        unit: what it was given; None where it is free, or not loaded yet.
        spared: the scorers that it was told to leave out of that unit.
        ready: whether it has loaded what it needs.
    """

    def __init__(self, job: Job) -> None:
        self.unit: int | None = None
        self.spared: frozenset[str] = frozenset()
        self.ready = False
        super().__init__(_serve, job)

    def give(self, unit: int, spared: frozenset[str]) -> None:
        """Have it do ``unit``."""
        self.unit, self.spared = unit, spared
        self.reset()
        with suppress(OSError):  # it is dead, which is found out in a moment
            self.pipe.send((unit, spared))


class WorkerPool:
    """Worker processes that are given units; a context manager that leaves none behind.

    Args:
        job: what they do.
        workers: how many.
        told: called with ``made`` or ``scored`` and a number of samples.
        limit: of the time over a unit.
        then: called with each unit that is done.
    """

    def __init__(self, job: Job, workers: int, told: Told, limit: UnitLimit, then: Callable[[int], None] = lambda unit: None) -> None:
        self._job, self._workers, self._told, self._limit, self._then = job, workers, told, limit, then
        self._todo: deque[tuple[int, frozenset[str]]] = deque()
        self._hands: list[Hand] = []
        self._lost = 0

    def __enter__(self) -> WorkerPool:
        self._hands = [Hand(self._job) for _ in range(self._workers)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for hand in self._hands:
            hand.end()

    @property
    def pipes(self) -> list[Connection[Any, Any]]:
        """Where workers are heard."""
        return [hand.pipe for hand in self._hands]

    @property
    def at_work(self) -> bool:
        """Whether a unit is not done yet."""
        return bool(self._todo) or any(hand.unit is not None for hand in self._hands)

    def give(self, unit: int) -> None:
        """Queue a unit."""
        self._todo.append((unit, frozenset()))
        self._assign()

    def look(self) -> None:
        """Pass on what the workers have said so far, and see to those that are dead or late.

        Raises:
            BenchError: a worker found something for the user to mend, died, units in a row were lost to the time limit, or something else wrote into
                a worker's pipe.
        """
        for hand in list(self._hands):
            try:
                for kind, value in hand.heard():
                    self._hear(hand, kind, value)
            except Foreign:
                self._disturbed(hand)
            if hand.process.exitcode is not None:
                self._died(hand)
            elif hand.busy() > self._allowed(hand):
                self._late(hand)
        self._assign()

    def _assign(self) -> None:
        for hand in self._hands:
            if hand.ready and hand.unit is None and self._todo:
                hand.give(*self._todo.popleft())

    def _allowed(self, hand: Hand) -> float:
        """Return the seconds that a worker may be at what it is at; to start, before any plugin is at work, it has the default's."""
        if hand.ready and hand.unit is None:
            return math.inf
        return (self._limit if hand.call else UnitLimit()).of(self._samples(hand))

    def _samples(self, hand: Hand) -> int:
        return 1 if hand.unit is None else len(self._job.spec.unit_of[hand.unit].samples)

    def _hear(self, hand: Hand, kind: str, value: Any) -> None:
        match kind:
            case "ready":
                hand.ready = True
            case "done":
                hand.unit, self._lost = None, 0
                self._then(value)
            case "made" | "scored":
                self._told(kind, value)

    def _died(self, hand: Hand) -> None:
        code = hand.process.exitcode or 0
        if not hand.began and code == 1:
            script = 'It reads the script that calls bench again: put the call there under `if __name__ == "__main__":`, or give workers=1.'
            raise BenchError(f"A worker process could not start; its own error stands above. {script if _in_script() else ''}".rstrip())
        died, how = hand.how_it_died(), f"signal {-code}" if code < 0 else f"exit code {code}"
        hand.end()
        if hand.unit is not None:
            record_loss(self._job, hand.unit, hand.call, f"the worker process died with {how} in {hand.call.rule}" if hand.call else "")
        raise BenchError(f"A worker process died with {died}. Finished units are kept: run the same command again to go on.")

    def _disturbed(self, hand: Hand) -> None:
        """Stop where something that is no worker's word came through its pipe: what it says from here on cannot be trusted."""
        hand.end()
        if hand.unit is not None:
            record_loss(self._job, hand.unit, hand.call, f"something was written into the worker's pipe in {hand.call.rule}" if hand.call else "")
        raise BenchError(f"Something was written into the pipe of a worker process{hand.where()}. Mend it. Finished units are kept.")

    def _late(self, hand: Hand) -> None:
        """End a worker that is over the time limit; another one goes on with what is left of its unit, and with the others."""
        call, unit = hand.call, hand.unit
        hand.end()
        self._hands.remove(hand)
        passed = self._limit.passed(self._samples(hand))
        who = f"{call.noun} {call.name!r}" if call else "worker process"
        if unit is None or call is None or call.rule == "load":
            what = "load" if call else "start"
            raise BenchError(f"The {who} did not {what} within {self._limit.of(1):g} s (--unit-timeout). Mend it, or give it more time.")
        record_loss(self._job, unit, call, passed)
        self._lost += 1
        if self._lost >= LOST:
            raise BenchError(f"The {who} {passed}, {LOST} units in a row; the last was at {call.asked()}. Mend it, or give it more time.")
        say(f"warning: {call.words()}, {passed}. That is recorded, and the run goes on.")
        if call.noun == "scorer":
            self._todo.appendleft((unit, hand.spared | {call.name}))
        self._hands.append(Hand(self._job))


def finish(*pools: WorkerPool) -> None:
    """Wait until every unit of every pool is done.

    Raises:
        BenchError: as :meth:`WorkerPool.look`.
    """
    while any(pool.at_work for pool in pools):
        wait([pipe for pool in pools for pipe in pool.pipes], POLL)
        for pool in pools:
            pool.look()


def _serve(line: WorkerLine, job: Job) -> None:
    """The life of one worker process."""
    worker = Worker(job, Caller(line.at))
    line.at(None)
    line.say("ready", None)
    while True:
        unit, spared = line.next()
        worker.do(unit, line.say, spared)
        line.say("done", unit)
