"""The local engine: one worker in this process, or several processes that take units from one queue.

On a CPU a worker scores each unit that it has made, and workers fill the cores. On a GPU a process of its own scores
what is finished while the next unit is made.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from bench.console import warn_in_one_line
from bench.engine.worker import Job, Told, Worker
from bench.errors import BenchError

_POLL = 0.2
"""Seconds."""


def work(job: Job, units: Sequence[int], workers: int | None, told: Told) -> int:
    """Do ``job`` on ``units``, each committed as it is finished, and return how many workers there were.

    Args:
        job: make, score, or both; the caller holds the run's lock.
        units: which.
        workers: processes; 1 works in this one. Where None one a core, or on a GPU one.
        told: called with ``made`` or ``scored`` and the number of samples.

    Raises:
        BenchError: the user's to mend, or a worker died; what was committed stands.
    """
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if job.spec.device == "cpu" else 1
    workers = min(workers, len(units))
    if workers > 1:
        with WorkerPool(job, workers, told) as pool:
            for unit in units:
                pool.give(unit)
            pool.finish()
    elif job.make and job.scorers and not job.spec.device.startswith("cpu"):
        beside(Worker(replace(job, scorers=())), replace(job, make=False), units, told)
    else:
        worker = Worker(job)
        for unit in units:
            worker.do(unit, told)
    return workers


def beside(maker: Worker, scoring: Job, units: Sequence[int], told: Told) -> None:
    """Make ``units`` in this process while another does the job ``scoring`` on what is finished; errors as in :func:`work`."""
    with WorkerPool(scoring, 1, told) as pool:
        for unit in units:
            maker.do(unit, told)
            pool.give(unit)
            pool.look()
        pool.finish()


class WorkerPool:
    """Worker processes that take units from one queue; a context manager that leaves none behind."""

    def __init__(self, job: Job, workers: int, told: Told) -> None:
        context = multiprocessing.get_context("spawn")
        self._told, self._unfinished = told, workers
        self._todo, self._done = context.Queue(), context.Queue()
        self._processes = [context.Process(target=_serve, args=(job, self._todo, self._done, os.getpid()), daemon=True) for _ in range(workers)]

    def __enter__(self) -> WorkerPool:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
            process.join()
        for channel in (self._todo, self._done):
            channel.close()
            channel.cancel_join_thread()

    def give(self, unit: int) -> None:
        """Queue a unit."""
        self._todo.put(unit)

    def look(self) -> None:
        """Pass on what the workers have said so far.

        Raises:
            BenchError: a worker found something for the user to mend, or died.
        """
        while True:
            try:
                self._hear(*self._done.get_nowait())
            except queue.Empty:
                break
        self._check_alive()

    def finish(self) -> None:
        """Wait until every unit is done; no more may be given.

        Raises:
            BenchError: as :meth:`look`.
        """
        for _ in self._processes:
            self._todo.put(None)
        while self._unfinished:
            try:
                self._hear(*self._done.get(timeout=_POLL))
            except queue.Empty:
                self._check_alive()
        for process in self._processes:
            process.join()

    def _hear(self, kind: str, value: Any) -> None:
        if kind == "finished":
            self._unfinished -= 1
        elif kind == "mend":
            raise BenchError(value)
        elif kind == "crashed":
            raise RuntimeError(f"a worker crashed:\n{value}")
        else:
            self._told(kind, value)

    def _check_alive(self) -> None:
        for process in self._processes:
            if process.exitcode not in (None, 0):
                if process.exitcode == 1:  # it says nothing else of itself, so it did not come as far as its work
                    raise BenchError(
                        "A worker process could not start: it reads the script that calls bench again. In that script "
                        'put the call under `if __name__ == "__main__":`, or give workers=1.'
                    )
                how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"exit code {process.exitcode}"
                killed = process.exitcode == -signal.SIGKILL
                hint = " (the machine may be short of memory: try a smaller --batch-size or --workers 1)" if killed else ""
                raise BenchError(f"A worker process died with {how}{hint}. Finished units are kept: run the same command again to go on.")


def _serve(job: Job, todo: Any, done: Any, parent: int) -> None:
    """The life of one worker process: until the queue says so, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    warn_in_one_line()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        worker = Worker(job)
        while (unit := todo.get()) is not None:
            worker.do(unit, lambda kind, count: done.put((kind, count)))
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
