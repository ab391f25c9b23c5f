"""The engines, by name. They differ only in who calls the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from bench.engine.worker import Job, Told
from bench.errors import BenchError
from bench.guard.calls import UnitLimit

ENGINES: Mapping[str, str] = {"local": "bench.engine.local", "ray": "bench.engine.ray"}
"""Name to the module whose ``work`` is imported when it is asked for."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine and how many workers it is to have.

    Attributes:
        name: of :data:`ENGINES`.
        workers: how many; the engine's own choice where None.
        unit_timeout: seconds that a method may take over a unit, and each scorer; where None as :class:`bench.guard.calls.UnitLimit` says.
        isolate: have a single local worker be a process of its own as well.

    Raises:
        BenchError: there is no such engine, fewer than one worker, or no such time.
    """

    name: str = "local"
    workers: int | None = None
    unit_timeout: float | None = None
    isolate: bool = False

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise BenchError(f"Unknown engine {self.name!r}; expected one of: {', '.join(ENGINES)}.")
        if self.workers is not None and self.workers < 1:
            raise BenchError(f"--workers must be at least 1; got {self.workers}.")
        UnitLimit(self.unit_timeout)

    def work(self, job: Job, units: Sequence[int], told: Told) -> int:
        """Do ``job`` on ``units`` and return how many workers did it; :func:`bench.engine.local.work` says the rest."""
        done: int = import_module(ENGINES[self.name]).work(job, units, self.workers, told, UnitLimit(self.unit_timeout), isolate=self.isolate)
        return done
