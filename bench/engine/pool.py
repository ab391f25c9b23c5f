"""Worker processes: each is given one unit after another, watched while it is at work, and ended with whatever a plugin has left in it.

A plugin can end its process, keep it for ever, or leave threads and children in it. So nothing is waited for without a look at the clock, what a
worker was asked last is known here, and its end is a signal to its whole process group that no code can refuse.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, NoReturn

from bench.console import results_apart, say, warn_in_one_line
from bench.engine.calls import Call, Caller, UnitLimit
from bench.engine.losses import record_loss
from bench.engine.worker import Job, Told, Worker
from bench.errors import BenchError

POLL = 0.2
"""Seconds."""

LOST = 3
"""How many units in a row may be lost to the time limit before the run stops: another one would most likely be lost as well."""


class Hand:
    """One worker process, and what it is at.

    Attributes:
        unit: what it was given; None where it is free, or not loaded yet.
        spared: the scorers that it was told to leave out of that unit.
        ready: whether it has loaded what it needs.
        call: the last call of a plugin's that it announced; None where no plugin is at work.
        began: whether it said anything at all.
    """

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(job, other, os.getpid()))
        self.unit: int | None = None
        self.spared: frozenset[str] = frozenset()
        self.ready = self.began = False
        self.call: Call | None = None
        self._since, self._spent = time.monotonic(), dict[tuple[str, str, str], float]()
        self.process.start()
        other.close()  # so that the pipe ends when the worker does

    def give(self, unit: int, spared: frozenset[str]) -> None:
        """Have it do ``unit``."""
        self.unit, self.spared = unit, spared
        self._since, self._spent = time.monotonic(), {}
        with suppress(OSError):  # it is dead, which is found out in a moment
            self.pipe.send((unit, spared))

    def at(self, call: Call | None) -> None:
        """Note what it is about to be asked."""
        now = time.monotonic()
        if self.call is not None:
            self._spent[self.call.clock] = self._spent.get(self.call.clock, 0.0) + now - self._since
        self.call, self._since = call, now

    def busy(self) -> float:
        """Return the seconds that the plugin which is at work has had of this unit; of a worker that is not loaded yet, since its start."""
        spent = 0.0 if self.call is None else self._spent.get(self.call.clock, 0.0)
        return spent + time.monotonic() - self._since

    def end(self) -> None:
        """End the process and all that it has started, now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()  # it may not lead its group yet
        self.process.join()
        self.pipe.close()


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
            BenchError: a worker found something for the user to mend, died, or units in a row were lost to the time limit.
        """
        for hand in list(self._hands):
            try:
                while hand.pipe.poll():
                    self._hear(hand, *hand.pipe.recv())
            except (EOFError, OSError):
                hand.process.join(POLL)
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
        hand.began = True
        match kind:
            case "at":
                hand.at(value)
            case "ready":
                hand.ready = True
            case "done":
                hand.unit, self._lost = None, 0
                self._then(value)
            case "mend":
                raise BenchError(value)
            case "crashed":
                raise RuntimeError(f"a worker crashed:\n{value}")
            case "made" | "scored":
                self._told(kind, value)

    def _died(self, hand: Hand) -> None:
        code = hand.process.exitcode or 0
        if not hand.began and code == 1:
            raise BenchError(
                "A worker process could not start: it reads the script that calls bench again. In that script "
                'put the call under `if __name__ == "__main__":`, or give workers=1.'
            )
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        hint = " (the machine may be short of memory: try a smaller --batch-size or --workers 1)" if code == -signal.SIGKILL else ""
        where = f" while it was calling {hand.call.words()}" if hand.call else ""
        hand.end()
        if hand.unit is not None:
            record_loss(self._job, hand.unit, hand.call, f"the worker process died with {how} in {hand.call.rule}" if hand.call else "")
        raise BenchError(f"A worker process died with {how}{hint}{where}. Finished units are kept: run the same command again to go on.")

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


def _serve(job: Job, pipe: Connection[Any, Any], parent: int) -> None:
    """The life of one worker process: until it is ended, or the parent is gone."""

    def say_to_parent(kind: str, value: Any) -> None:
        try:
            pipe.send((kind, value))
        except OSError:  # the parent is gone, or a plugin has closed what is not its own
            _leave(parent)

    say_to_parent("at", None)
    os.setsid()  # a group of its own: Ctrl-C reaches the parent alone, which decides, and whoever a plugin starts ends with it
    warn_in_one_line()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        with results_apart():
            worker = Worker(job, Caller(lambda call: say_to_parent("at", call)))
            say_to_parent("at", None)
            say_to_parent("ready", None)
            while True:
                unit, spared = _next(pipe, parent)
                worker.do(unit, say_to_parent, spared)
                say_to_parent("done", unit)
    except BenchError as error:
        say_to_parent("mend", str(error))
    except BaseException:
        say_to_parent("crashed", traceback.format_exc())
    signal.pause()


def _next(pipe: Connection[Any, Any], parent: int) -> tuple[int, frozenset[str]]:
    try:
        given: tuple[int, frozenset[str]] = pipe.recv()
    except (EOFError, OSError):
        _leave(parent)
    return given


def _leave(parent: int) -> NoReturn:
    """End this process, and where the parent is gone what it has started."""
    if os.getppid() != parent:
        os.killpg(0, signal.SIGKILL)
    os._exit(os.EX_IOERR)


def _leave_with(parent: int) -> None:
    """End with the parent: a killed run must not go on writing behind the next one's back."""
    while os.getppid() == parent:
        time.sleep(POLL)
    _leave(parent)
