"""The local engine: one worker in this process, or processes that are given units one after another.

On a CPU a worker scores each unit that it has made, and workers fill the cores. On a GPU a process of its own scores
what is finished while the next unit is made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from bench.engine.pool import WorkerPool, finish
from bench.engine.worker import Job, Told, Worker
from bench.guard.calls import Caller, UnitLimit


def work(job: Job, units: Sequence[int], workers: int | None, told: Told, limit: UnitLimit, *, isolate: bool) -> int:
    """Do ``job`` on ``units``, each committed as it is finished, and return how many workers there were.

    Args:
        job: make, score, or both; the caller holds the run's lock.
        units: which.
        workers: processes; 1 works in this one. Where None one a core, or on a GPU one.
        told: called with ``made`` or ``scored`` and the number of samples.
        limit: of the time over a unit. In this process it stops Python code alone; a process is ended, whatever runs in it.
        isolate: have a single worker be a process as well, so that no plugin can end this one, or keep it for ever.

    Raises:
        BenchError: the user's to mend, or a worker died; what was committed stands.
    """
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if job.spec.device == "cpu" else 1
    workers = min(workers, len(units))
    aside = job.make and bool(job.scorers) and not job.spec.device.startswith("cpu") and workers == 1
    making, scoring = (replace(job, scorers=()), replace(job, make=False)) if aside else (job, job)
    if aside and isolate:
        with WorkerPool(scoring, 1, told, limit) as scorers, WorkerPool(making, 1, told, limit, then=scorers.give) as makers:
            for unit in units:
                makers.give(unit)
            finish(makers, scorers)
    elif aside:
        beside(Worker(making, Caller(limit=limit)), scoring, units, told, limit)
    elif isolate or workers > 1:
        with WorkerPool(job, workers, told, limit) as pool:
            for unit in units:
                pool.give(unit)
            finish(pool)
    else:
        worker = Worker(job, Caller(limit=limit))
        for unit in units:
            worker.do(unit, told)
    return workers


def beside(maker: Worker, scoring: Job, units: Sequence[int], told: Told, limit: UnitLimit) -> None:
    """Make ``units`` in this process while another does the job ``scoring`` on what is finished; errors as in :func:`work`."""
    with WorkerPool(scoring, 1, told, limit) as pool:
        for unit in units:
            maker.do(unit, told)
            pool.give(unit)
            pool.look()
        finish(pool)
