"""A process for code of plugins: watched while it is at work, and ended with whatever a plugin has left in it.

A plugin can end its process, keep it for ever, write into its pipe, or leave threads and children in it. So nothing is waited for without a look at
the clock, what the process was asked last is known here, and its end is a signal to its whole process group that no code can refuse.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, NoReturn

from bench.console import results_apart, warn_in_one_line
from bench.errors import BenchError
from bench.guard.calls import Call
from bench.guard.wire import KEY, Ear, Voice

POLL = 0.2
"""Seconds."""


class Watched:
    """One process, and what it is at.

    Args:
        serve: its life, called there with the voice and ``arguments``.
        arguments: can be sent to another process.

    Attributes:
        call: the last call of a plugin's that it announced; None where no plugin is at work.
        began: whether it said anything at all.
    """

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        key = secrets.token_bytes(KEY)
        self._ear = Ear(self.pipe, key)
        self.process: SpawnProcess = context.Process(target=_live, args=(serve, arguments, other, key, os.getpid()))
        self.call: Call | None = None
        self.began = False
        self.reset()
        self.process.start()
        other.close()  # so that the pipe ends when the process does

    def reset(self) -> None:
        """Start the clocks anew."""
        self._since, self._spent = time.monotonic(), dict[tuple[str, str, str], float]()

    def heard(self) -> Iterator[tuple[str, Any]]:
        """Yield what it has said so far and is not of its calls.

        Raises:
            BenchError: it found something for the user to mend.
            Foreign: something else was written into its pipe.
            RuntimeError: it crashed in code of the harness.
        """
        try:
            for kind, value in self._ear.heard():
                self.began = True
                if kind == "at":
                    self._at(value)
                elif kind == "mend":
                    raise BenchError(value)
                elif kind == "crashed":
                    raise RuntimeError(f"a worker crashed:\n{value}")
                else:
                    yield kind, value
        except (EOFError, OSError):
            self.process.join(POLL)

    def _at(self, call: Call | None) -> None:
        now = time.monotonic()
        if self.call is not None:
            self._spent[self.call.clock] = self._spent.get(self.call.clock, 0.0) + now - self._since
        self.call, self._since = call, now

    def busy(self) -> float:
        """Return the seconds that the plugin which is at work has had since the clocks were started; without one, since it was last heard of that."""
        spent = 0.0 if self.call is None else self._spent.get(self.call.clock, 0.0)
        return spent + time.monotonic() - self._since

    def how_it_died(self) -> str:
        """Return for a message how the process ended, and in which call; empty where it lives."""
        code = self.process.exitcode
        if code is None:
            return ""
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        hint = " (the machine may be short of memory: try a smaller --batch-size or --workers 1)" if code == -signal.SIGKILL else ""
        return f"{how}{hint}{self.where()}"

    def where(self) -> str:
        """Return for a message in which call it is; empty where no plugin is at work."""
        return f" while it was calling {self.call.words()}" if self.call else ""

    def end(self) -> None:
        """End the process and all that it has started, now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()  # it may not lead its group yet
        self.process.join()
        self.pipe.close()


class WorkerLine:
    """What the process holds of the connection.

    Args:
        pipe: its end.
        key: of its frames.
        parent: the process that waits.
    """

    def __init__(self, pipe: Connection[Any, Any], key: bytes, parent: int) -> None:
        self._voice, self._pipe, self._parent = Voice(pipe, key), pipe, parent

    def say(self, kind: str, value: Any) -> None:
        """Tell the parent."""
        try:
            self._voice.say(kind, value)
        except OSError:  # the parent is gone, or a plugin has closed what is not its own
            _leave(self._parent)

    def at(self, call: Call | None) -> None:
        """Announce a call."""
        self.say("at", call)

    def next(self) -> Any:
        """Return what the parent gives next."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            _leave(self._parent)


def _live(serve: Callable[..., None], arguments: tuple[Any, ...], pipe: Connection[Any, Any], key: bytes, parent: int) -> None:
    """The life of one process: until it is ended, or the parent is gone."""
    line = WorkerLine(pipe, key, parent)
    line.at(None)
    os.setsid()  # a group of its own: Ctrl-C reaches the parent alone, which decides, and whoever a plugin starts ends with it
    warn_in_one_line()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        with results_apart():
            serve(line, *arguments)
    except BenchError as error:
        line.say("mend", str(error))
    except BaseException:
        line.say("crashed", traceback.format_exc())
    signal.pause()


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
