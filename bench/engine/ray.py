"""The Ray engine: actors anywhere in a cluster, each a worker, are given one unit after another by this process.

The cluster at ``RAY_ADDRESS`` is joined; without that, one is made of this machine and ended with the run. Every node must have the same
versions and see the run's folder at the same path; both are checked.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.console import results_apart, say, warn_in_one_line
from bench.engine.calls import Call, Caller, UnitLimit
from bench.engine.losses import record_loss
from bench.engine.worker import Job, Told, Worker
from bench.errors import BenchError, NotAvailable, first_line
from bench.runs.folder import RunFolder
from bench.runs.provenance import NUMERIC, versions
from bench.runs.spec import digest

RETRIES = 2
"""How often a unit is given to another actor after one died over it: nodes come and go, but a unit that needs too much memory kills every actor."""

POLL = 1.0
"""Seconds after which the clock is looked at."""

GRACE = 10.0
"""Seconds over the time limit before an actor that is still at work is ended: by then its code does not heed the limit."""

ANSWERS = 10.0
"""Seconds in which a cluster must answer."""

REASON = 160
"""Characters of what Ray says of a death; it says much."""


@dataclass(frozen=True, slots=True)
class ActorReport:
    """What an actor says of a unit.

    Attributes:
        told: what the worker said, as (kind, samples).
        trouble: what the user must mend, where something is to be mended.
    """

    told: tuple[tuple[str, int], ...] = ()
    trouble: str | None = None


class Served:
    """A worker inside an actor. It is loaded by a call and not at birth, so that what is wrong then has one clear line too."""

    def __init__(self, job: Job, limit: UnitLimit, manifest: str, installed: Mapping[str, str], place: Path) -> None:
        self._job, self._limit, self._manifest, self._installed, self._place = job, limit, manifest, installed, place
        self._worker: Worker | None = None

    def begin(self) -> ActorReport:
        """Check this node and load the worker."""
        warn_in_one_line()
        with suppress(OSError):  # relative paths of weights mean the same as on the first machine, where its folder is there
            os.chdir(self._place)
        try:
            check_node(self._job.folder, self._manifest, self._installed)
            with results_apart():
                self._worker = Worker(self._job, Caller(limit=self._limit))
        except BenchError as error:
            return ActorReport(trouble=str(error))
        return ActorReport()

    def do(self, unit: int) -> ActorReport:
        """Do the job on ``unit``."""
        assert self._worker is not None
        told: list[tuple[str, int]] = []
        try:
            with results_apart():
                self._worker.do(unit, lambda kind, count: told.append((kind, count)))
        except BenchError as error:
            return ActorReport(tuple(told), str(error))
        return ActorReport(tuple(told))


def check_node(folder: RunFolder, manifest: str, installed: Mapping[str, str]) -> None:
    """Check that this node sees the run's folder and has the versions of the first machine.

    Args:
        folder: the run's.
        manifest: its manifest's digest.
        installed: version by package.

    Raises:
        BenchError: it does not.
    """
    host = socket.gethostname()
    if not folder.exists() or digest(folder.manifest()) != manifest:
        raise BenchError(f"The node {host} does not see the run at {folder.path}. Give --out a folder that every node of the cluster shares.")
    here = versions()
    for name, wanted in installed.items():
        if here[name] != wanted:
            raise BenchError(f"The node {host} has {name} {here[name]}, not {wanted}; its images may differ. Install the same on every node.")


def imported() -> Any:
    """Return Ray, told to report to nobody what runs here.

    Raises:
        NotAvailable: it is not installed.
    """
    if find_spec("ray") is None:
        raise NotAvailable("The engine ray needs Ray, which is not installed. Run: pip install -c constraints.txt -e '.[ray]'.")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return import_module("ray")


def work(job: Job, units: Sequence[int], workers: int | None, told: Told, limit: UnitLimit, *, isolate: bool) -> int:
    """Do ``job`` on ``units`` by actors of the cluster, as :func:`bench.engine.local.work` does by processes of this machine.

    Args:
        job: make, score, or both; the caller holds the run's lock.
        units: which.
        workers: actors; where None as many as the cluster has processors, or on a GPU as it has GPUs.
        told: called with ``made`` or ``scored`` and the number of samples, unit by unit.
        limit: of the time over a unit. Python code is stopped in its actor; whatever else goes on longer than all plugins together may, ends with it.
        isolate: makes no difference; an actor is a process of its own.

    Raises:
        BenchError: the user's to mend: also a cluster without what is asked for, or an actor that died time and again.
        NotAvailable: Ray is not installed.
    """
    ray = imported()
    job = replace(job, folder=RunFolder(job.folder.path.resolve()))
    made = (job, limit, digest(job.folder.manifest()), {name: versions()[name] for name in NUMERIC}, Path.cwd())
    with cluster():
        kind, count = _room(job.spec.device, workers, len(units))
        served = ray.remote(num_cpus=1, num_gpus=int(kind == "GPU"))(Served)
        crew = Crew(lambda: served.remote(*made), job, limit)
        try:
            crew.do(units, count, told)
        finally:
            crew.dismiss()
    return count


class Crew:
    """Actors that are given units. One that dies is replaced, and its unit goes to whoever is free first.

    Ray could start an actor anew by itself, but an actor of a node that is gone would wait for room that may never come, and its unit with it.

    Args:
        hire: makes an actor of :class:`Served`.
        job: what the actors do.
        limit: of the time over a unit.
    """

    def __init__(self, hire: Callable[[], Any], job: Job, limit: UnitLimit) -> None:
        self._hire, self._job, self._limit = hire, job, limit
        self._asked: dict[Any, tuple[Any, int | None]] = {}  # by what will hold the answer: the actor, and its unit where it has one
        self._due: dict[Any, float] = {}  # when an answer must be there
        self._free: list[Any] = []

    def do(self, units: Sequence[int], count: int, told: Told) -> None:
        """Have ``count`` actors do ``units``; one that the cluster has no room for yet is not waited for.

        Raises:
            BenchError: the user's to mend, or the same unit was the end of several actors.
        """
        ray = imported()
        todo, left, deaths = deque(units), len(units), Counter[int | None]()
        for _ in range(count):
            self._begin()
        while left:
            while todo and self._free:
                actor = self._free.pop()
                unit = todo.popleft()
                self._ask(actor, unit)
            answers, _ = ray.wait(list(self._asked), num_returns=1, timeout=POLL)
            if not answers:
                left -= self._end_late()
                continue
            (answer,) = answers
            actor, given = self._asked.pop(answer)
            self._due.pop(answer, None)
            try:
                report: ActorReport = ray.get(answer)
            except ray.exceptions.RayTaskError as error:
                raise RuntimeError(f"a worker crashed:\n{error}") from None
            except ray.exceptions.RayError as error:
                ray.kill(actor)  # it may be out of reach and still at work
                reason = str(error).strip().splitlines()[-1][:REASON]  # the last line is what happened, those before it say to whom
                deaths[given] += 1
                if deaths[given] > RETRIES:
                    raise self._lost(given, f"A Ray worker died ({reason})") from None
                say(f"warning: a Ray worker died ({reason}). Another begins when the cluster has room for it.")
                self._begin()
                if given is not None:
                    todo.appendleft(given)
                continue
            self._free.append(actor)
            for kind, samples in report.told:
                told(kind, samples)
            if report.trouble is not None:
                raise BenchError(report.trouble)
            left -= given is not None

    def _ask(self, actor: Any, unit: int) -> None:
        answer = actor.do.remote(unit)
        plugins = int(self._job.make) + len(self._job.scorers)
        self._asked[answer] = actor, unit
        self._due[answer] = time.monotonic() + self._limit.of(len(self._job.spec.unit_of[unit].samples)) * plugins + GRACE

    def _end_late(self) -> int:
        """End the actors that are over the time limit, record their units as lost, and return how many there were.

        Raises:
            BenchError: the unit was made already, so that a scorer is at fault, and would be again.
        """
        late = [answer for answer, due in self._due.items() if time.monotonic() > due]
        for answer in late:
            actor, unit = self._asked.pop(answer)
            del self._due[answer]
            imported().kill(actor)
            assert unit is not None
            passed = self._limit.passed(len(self._job.spec.unit_of[unit].samples))
            lost = self._lost(unit, f"A Ray worker {passed}")
            if not self._making(unit):
                raise lost
            say(f"warning: {lost}")
            self._begin()
        return len(late)

    def _lost(self, unit: int | None, what: str) -> BenchError:
        """Record a unit that was lost while it was made, and return what is said of it."""
        if unit is None:
            return BenchError(f"{what}. Finished units are kept: run the same command again to go on.")
        who = f"the method {self._job.spec.method!r}" if self._making(unit) else f"the scorers {', '.join(each.name for each in self._job.scorers)}"
        call = Call.on("method", self._job.spec.method, "generate", self._job.spec.unit_of[unit].samples)
        if self._making(unit):
            record_loss(self._job, unit, call, what)
        where = f"{who} worked on {call.asked().partition(', ')[2]}"
        return BenchError(f"{what} while {where}. Finished units are kept: run the same command again to go on.")

    def _making(self, unit: int) -> bool:
        """Return whether the method had still to make the unit."""
        marker = self._job.folder.markers().get(unit)
        return self._job.make and (marker is None or bool(marker.get("failed")))

    def dismiss(self) -> None:
        """End every actor."""
        for actor in [*self._free, *(actor for actor, _ in self._asked.values())]:
            imported().kill(actor)

    def _begin(self) -> None:
        actor = self._hire()
        self._asked[actor.begin.remote()] = actor, None


@contextmanager
def cluster() -> Iterator[None]:
    """Join the cluster at ``RAY_ADDRESS``, or make one of this machine; leave, or end it. One that the caller has joined is left as it is.

    Raises:
        BenchError: none answers there, it asks for a token that is not here, or Ray cannot write its own files.
    """
    ray = imported()
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    _answers(address)
    # Of a cluster that is there Ray knows the processors.
    own = {"num_cpus": len(os.sched_getaffinity(0)), "include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (OSError, ray.exceptions.RayError) as error:
        raise _no_cluster(address, first_line(error)) from None
    try:
        yield
    finally:
        ray.shutdown()


def _answers(address: str) -> None:
    """Check that something answers at ``HOST:PORT``, which Ray itself would try for many minutes; a word such as ``auto`` is for Ray to read.

    Raises:
        BenchError: nothing does.
    """
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, reason: str) -> BenchError:
    if address == "local":
        return BenchError(f"Ray cannot be started on this machine ({reason}). Mend that, or use --engine local.")
    return BenchError(
        f"The Ray cluster at RAY_ADDRESS={address} cannot be joined ({reason}). Start it, or unset RAY_ADDRESS to use this machine; "
        "one with tokens also takes RAY_AUTH_MODE=token and its token in ~/.ray/auth_token."
    )


def _room(device: str, workers: int | None, units: int) -> tuple[str, int]:
    """Return what each actor takes, ``CPU`` or ``GPU``, and how many actors there are to be.

    Raises:
        BenchError: the cluster has not as many, and would wait for ever; or ``device`` names one GPU, which is for Ray to choose.
    """
    ray = imported()
    if device not in ("cpu", "cuda"):
        raise BenchError(f"--engine ray takes --device cpu or cuda, and gives each worker a GPU of its own; got {device!r}.")
    kind = "CPU" if device == "cpu" else "GPU"
    there = int(ray.cluster_resources().get(kind, 0))
    if not there:
        raise BenchError(
            f"The Ray cluster has no {kind} and would wait for one for ever. Give another --device, or join a cluster that has: RAY_ADDRESS."
        )
    if workers is not None and workers > there:
        raise BenchError(f"The Ray cluster has {there} {kind}(s), and --workers {workers} would wait for more for ever. Give at most {there}.")
    count = min(workers or there, units)
    free = int(ray.available_resources().get(kind, 0))
    if free < count:
        say(f"{free} of {count} {kind}s are free now; the other workers begin when theirs are.")
    return kind, count
