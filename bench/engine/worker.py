"""The worker: makes one unit after another, and scores it. Every engine calls this and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from bench.console import say
from bench.engine.calls import Call, Caller, OutOfTime, own, taken
from bench.engine.scoring import Scoring
from bench.errors import BenchError, blaming, in_one_line, is_ctrl_c, naming, said
from bench.runs.acting import Acted, count, together
from bench.runs.folder import RunFolder
from bench.runs.scores import ChosenScorer
from bench.runs.spec import RunSpec
from bench.runs.threads import one_thread
from bench.runs.units import Unit
from bench.types import Blocked, Method, Outcome, Sample
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
    """One method and its scorers, each loaded once.

    Args:
        job: what it does.
        caller: makes every call of theirs.

    Raises:
        BenchError: the method cannot be made or loaded.
    """

    def __init__(self, job: Job, caller: Caller | None = None) -> None:
        one_thread()
        self._spec, self._folder, self._caller = job.spec, job.folder, caller or Caller()
        self._units = job.spec.unit_of
        self._scoring = Scoring(job.folder, job.spec.loaded_track, job.scorers, job.spec.device, self._caller)
        self._fits: int | None = None
        self._method = self._loaded() if job.make else None

    def do(self, index: int, told: Told, spared: Collection[str] = ()) -> None:
        """Do the job on unit ``index`` and commit what it gives; the scorers ``spared`` are left out."""
        self._caller.begin(len(self._units[index].samples))
        if self._method is not None:
            self._make(index, told)
        self._score(index, spared)
        self._caller.idle()
        if self._scoring:
            told("scored", len(self._units[index].samples))

    def _loaded(self) -> Method:
        name = self._spec.method
        method = self._spec.make_method()
        with blaming("method", name, "load"), self._caller.call(Call("method", name, "load")):
            method.load(self._spec.context)
        return method

    def _score(self, index: int, spared: Collection[str]) -> None:
        import torch

        try:
            self._scoring.score(index, spared)
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
        self._caller.idle()
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
        """Return an outcome, or the reason of its failure, for each sample.

        What is no ``Exception`` is the method's failure as well: ``SystemExit`` would else end the run with an exit code of the method's choice.
        """
        import torch

        assert self._method is not None
        call = Call.on("method", self._spec.method, "generate", batch)
        try:
            with self._caller.call(call):
                given = taken("the method", self._method.generate(own(batch)), len(batch), "outcomes", "samples")
                if isinstance(given, str):
                    return [given] * len(batch)
                return [check(outcome, sample) for outcome, sample in zip(given, batch, strict=True)]
        except BenchError as error:
            raise naming(error, call.noun, call.name, call.asked()) from None
        except torch.OutOfMemoryError:
            raise
        except OutOfTime as error:
            self._method = self._loaded()  # the old one was stopped somewhere in its work
            return [str(error)] * len(batch)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            return [said(error)] * len(batch)

    def _row(self, unit: Unit, number: int, sample: Sample, outcome: Outcome | str) -> dict[str, object]:
        if isinstance(outcome, str):
            return sample_row(unit.index, number, sample, "failed", outcome)
        if isinstance(outcome, Blocked):
            return sample_row(unit.index, number, sample, "blocked", outcome.reason)
        image, size = self._folder.images.put(outcome.image)
        return {**sample_row(unit.index, number, sample, "generated"), "image": image, "image_bytes": size}


def sample_row(unit: int, batch: int, sample: Sample, status: str, reason: str | None = None) -> dict[str, object]:
    """Return a row of a run's sample table, without an image."""
    reason = None if reason is None else in_one_line(reason)
    return {**sample.row(), "unit": unit, "batch": batch, "status": status, "reason": reason, "image": None, "image_bytes": None}


def failed_rows(unit: Unit, reason: str) -> list[dict[str, object]]:
    """Return the rows of a unit none of whose samples came to be."""
    return [sample_row(unit.index, number, sample, "failed", reason) for number, batch in enumerate(unit.batches) for sample in batch]
