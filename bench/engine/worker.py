"""The worker: makes one unit after another, and scores it. Every engine calls this and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.console import say
from bench.engine.scoring import Scoring
from bench.errors import BenchError
from bench.runs.acting import Acted, count, together
from bench.runs.folder import RunFolder
from bench.runs.scores import ChosenScorer
from bench.runs.spec import RunSpec
from bench.runs.threads import one_thread
from bench.runs.units import Unit
from bench.types import Blocked, Outcome, Sample
from bench.types.sample import check

Told = Callable[[str, int], None]
"""What a worker calls with ``made`` or ``scored`` and a number of samples."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is done with each unit. Cheap to send to another process.

    Attributes:
        spec: the run.
        folder: where it is.
        make: generate the unit.
        scorers: then bring these scores of it up to date.
    """

    spec: RunSpec
    folder: RunFolder
    make: bool
    scorers: tuple[ChosenScorer, ...] = ()


class Worker:
    """One method and its scorers, each loaded once."""

    def __init__(self, job: Job) -> None:
        one_thread()
        spec, self._folder = job.spec, job.folder
        self._units = spec.units
        self._scoring = Scoring(job.folder, spec.loaded_track, job.scorers, spec.device)
        self._method = spec.make_method() if job.make else None
        self._fits: int | None = None
        if self._method is not None:
            self._method.load(spec.context)

    def do(self, index: int, told: Told) -> None:
        """Do the job on unit ``index`` and commit what it gives."""
        if self._method is not None:
            self._make(index, told)
        self._score(index)
        if self._scoring:
            told("scored", len(self._units[index].samples))

    def _score(self, index: int) -> None:
        import torch

        try:
            self._scoring.score(index)
        except torch.OutOfMemoryError:
            raise BenchError(
                "The device's memory does not hold the scorers beside the method. Finished units are kept: run again with --scoring after, "
                "or with fewer scorers at a time (--scorer NAME)."
            ) from None

    def _make(self, index: int, told: Told) -> None:
        """Generate the unit.

        A method that raises, or gives something that is no image of the size asked for, is recorded as failed
        samples with the reason. A :class:`BenchError` is the user's to mend and stops the run.
        """
        unit = self._units[index]
        began = time.perf_counter()
        rows: list[dict[str, object]] = []
        acted: list[Acted | None] = []
        number = 0
        for batch in unit.batches:
            for part, outcomes in self._parts(batch):
                rows += [self._row(unit, number, *pair) for pair in zip(part, outcomes, strict=True)]
                acted.append(count(outcomes))
                number += 1
                told("made", len(part))
        seconds = time.perf_counter() - began
        self._folder.commit_unit(index, rows, seconds, split=number - len(unit.batches), acted=together(acted))

    def _parts(self, batch: Sequence[Sample]) -> Iterator[tuple[Sequence[Sample], list[Outcome | str]]]:
        """Yield the batch with its outcomes: whole, or in halves of halves where the device's memory does not hold it.

        The rows say what was made together, so that the composition can be made again.

        Raises:
            BenchError: not even one sample fits.
        """
        import torch

        start = 0
        while start < len(batch):
            part = batch[start : start + (self._fits or len(batch))]
            try:
                outcomes = self._outcomes(part)
            except torch.OutOfMemoryError:
                outcomes = None  # and out of this block, whose traceback keeps the tensors alive
            if outcomes is not None:
                yield part, outcomes
                start += len(part)
            elif len(part) > 1:
                self._fits = (len(part) + 1) // 2
                torch.cuda.empty_cache()
                say(f"out of memory at a batch of {len(part)}: going on in batches of {self._fits}; the run's records say which images.")
            else:
                raise BenchError(
                    "The device's memory does not hold one image at a time. Try --dtype float16, --offload or --scoring after. "
                    "Finished units are kept."
                )

    def _outcomes(self, batch: Sequence[Sample]) -> list[Outcome | str]:
        """Return an outcome, or the reason of its failure, for each sample."""
        import torch

        assert self._method is not None
        try:
            outcomes = list(self._method.generate(batch))
        except (BenchError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            return [f"{type(error).__name__}: {error}"] * len(batch)
        if len(outcomes) != len(batch):
            return [f"the method returned {len(outcomes)} outcomes for {len(batch)} samples"] * len(batch)
        return [check(outcome, sample) for outcome, sample in zip(outcomes, batch, strict=True)]

    def _row(self, unit: Unit, number: int, sample: Sample, outcome: Outcome | str) -> dict[str, object]:
        row: dict[str, object] = {
            **sample.row(),
            "unit": unit.index,
            "batch": number,
            "status": "generated",
            "reason": None,
            "image": None,
            "image_bytes": None,
        }
        if isinstance(outcome, str):
            row |= {"status": "failed", "reason": outcome[:500]}
        elif isinstance(outcome, Blocked):
            row |= {"status": "blocked", "reason": outcome.reason}
        else:
            image, size = self._folder.images.put(outcome.image)
            row |= {"image": image, "image_bytes": size}
        return row
