"""The local engine: one worker in this process, or several processes that take units from one queue."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from bench.console import warn_in_one_line
from bench.engine.spec import RunSpec
from bench.engine.worker import Worker
from bench.errors import BenchError
from bench.store.run_folder import RunFolder

_POLL = 0.2
"""Seconds."""


def generate(spec: RunSpec, folder: RunFolder, units: Sequence[int], workers: int, advance: Callable[[int], None]) -> None:
    """Make ``units`` of the run, each committed as it is finished.

    Args:
        spec: the run.
        folder: where it goes; the caller holds its lock.
        units: which.
        workers: processes; 1 works in this one.
        advance: called with the number of samples just made.

    Raises:
        BenchError: the user's to mend, or a worker died; what was committed stands.
    """
    if workers <= 1 or len(units) <= 1:
        worker = Worker(spec, folder)
        for unit in units:
            worker.make(unit, advance)
        return
    _in_processes(spec, folder, units, min(workers, len(units)), advance)


def _in_processes(spec: RunSpec, folder: RunFolder, units: Sequence[int], workers: int, advance: Callable[[int], None]) -> None:
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    for unit in units:
        todo.put(unit)
    for _ in range(workers):
        todo.put(None)
    processes = [context.Process(target=_serve, args=(spec, folder, todo, done, os.getpid()), daemon=True) for _ in range(workers)]
    try:
        for process in processes:
            process.start()
        finished = 0
        while finished < workers:
            try:
                kind, value = done.get(timeout=_POLL)
            except queue.Empty:
                _check_alive(processes)
                continue
            if kind == "made":
                advance(value)
            elif kind == "finished":
                finished += 1
            elif kind == "mend":
                raise BenchError(value)
            else:
                raise RuntimeError(f"a worker crashed:\n{value}")
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for channel in (todo, done):
            channel.close()
            channel.cancel_join_thread()


def _check_alive(processes: Sequence[Any]) -> None:
    for process in processes:
        if process.exitcode not in (None, 0):
            how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"exit code {process.exitcode}"
            hint = " (the machine may be short of memory: try a smaller --batch-size or --workers 1)" if process.exitcode == -signal.SIGKILL else ""
            raise BenchError(f"A worker process died with {how}{hint}. Finished units are kept: run the same command again to go on.")


def _serve(spec: RunSpec, folder: RunFolder, todo: Any, done: Any, parent: int) -> None:
    """The life of one worker process: until the queue is empty, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    warn_in_one_line()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        worker = Worker(spec, folder)
        while (unit := todo.get()) is not None:
            worker.make(unit, lambda count: done.put(("made", count)))
        done.put(("finished", None))
    except BenchError as error:
        done.put(("mend", str(error)))
    except BaseException:
        done.put(("crashed", traceback.format_exc()))


def _leave_with(parent: int) -> None:
    """End this process when the parent is gone: a killed run must not go on writing behind the next one's back."""
    while os.getppid() == parent:
        time.sleep(_POLL)
    os._exit(1)
