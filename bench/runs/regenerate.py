"""Makes some samples again and compares: does the method still give the images that the run holds?"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.console import Progress, default_progress
from bench.errors import BenchError
from bench.guard.asking import load, outcomes
from bench.guard.calls import Caller
from bench.runs.find import describe, spec_of
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.runs.threads import one_thread
from bench.runs.verify import check_unchanged
from bench.types import Blocked, Generated, Sample
from bench.types.sample import key_of

TOLERANCE = 1
"""Levels of 255 by which a pixel may differ. The same batch on the same machine gives the same bits; other processors round otherwise."""


@dataclass(frozen=True, slots=True)
class Regenerated:
    """One sample, made again.

    Attributes:
        prompt_id: whose.
        image_index: which.
        identical: the same bits, or blocked both times.
        largest: the largest difference of a pixel, in levels of 255; None where it cannot be measured.
        agrees: whether it is within the tolerance.
    """

    prompt_id: str
    image_index: int
    identical: bool
    largest: int | None
    agrees: bool


def regenerate(path: Path | str, count: int, seed: int = 0, progress: Progress | None = None, caller: Caller | None = None) -> list[Regenerated]:
    """Make the batches of ``count`` random samples of a run again and compare those samples with the stored ones.

    Whole batches are made, in their composition, because another one moves single pixels.

    Args:
        path: a finished run's folder.
        count: how many samples; all where there are fewer.
        seed: of the choice.
        progress: told of every sample that was compared.
        caller: makes every call of the method.

    Raises:
        BenchError: as :func:`bench.runs.verify.verify`, or its images were made elsewhere.
    """
    refuse_imported(path)
    folder = RunFolder.open(Path(path))
    spec = describe(folder).spec
    advance = (progress or default_progress()).start("make again", count)
    check_unchanged(folder, spec.loaded_suite)
    found = []
    for row, outcome in make_again(folder.samples().to_pylist(), spec, count, seed, caller):
        found.append(_compare(folder, row, outcome))
        advance(1)
    return found


def refuse_imported(path: Path | str) -> None:
    """Refuse to make images of a run again that another tool made.

    Raises:
        BenchError: they were made elsewhere, or there is no such run.
    """
    if spec_of(RunFolder.open(Path(path))).imported:
        raise BenchError(f"The images of {path} were made elsewhere, so none can be made again here. Verify what is stored: `bench verify {path}`.")


def make_again(
    rows: Sequence[Mapping[str, Any]], spec: RunSpec, count: int, seed: int, caller: Caller | None = None
) -> Iterator[tuple[Mapping[str, Any], object]]:
    """Yield ``count`` random rows of a finished run, each with its outcome made now: what the method gave, or what is wrong with it.

    Args:
        rows: of every sample: ``prompt_id``, ``image_index``, ``unit``, ``batch`` and ``status``.
        spec: what the run is.
        count: how many; all where there are fewer.
        seed: of the choice.
        caller: makes every call of the method.
    """
    caller = caller or Caller()
    one_thread()
    samples = {sample.key: sample for sample in spec.loaded_suite.samples}
    batches: dict[tuple[int, int], list[Sample]] = {}  # as they were made: the device's memory may have split what was planned
    for row in rows:
        batches.setdefault((row["unit"], row["batch"]), []).append(samples[key_of(row)])
    rows = [row for row in rows if row["status"] != "failed"]
    chosen = random.Random(seed).sample(rows, min(count, len(rows)))
    method = load(spec.make_method(), spec.method, spec.context, caller)
    for place in sorted({(row["unit"], row["batch"]) for row in chosen}):
        batch = batches[place]
        caller.begin(len(batch))
        again = dict(zip((sample.key for sample in batch), outcomes(method, spec.method, batch, caller), strict=True))
        caller.idle()
        for row in (each for each in chosen if (each["unit"], each["batch"]) == place):
            yield row, again[key_of(row)]


def how_many(amount: str, samples: int) -> int:
    """Return the number of samples that ``amount`` asks for: ``8``, or ``5%`` of ``samples``, rounded up.

    Raises:
        BenchError: it is neither.
    """
    match = re.fullmatch(r"(\d{1,9})|(\d{1,3}(?:\.\d{1,6})?)%", amount)
    if match is None or float(match[2] or 0) > 100:
        raise BenchError(f"--regenerate takes a number of samples, such as 8, or a share of them, such as 5%; got {amount!r}.")
    return int(match[1]) if match[1] else math.ceil(samples * float(match[2]) / 100)


def _compare(folder: RunFolder, row: Mapping[str, Any], outcome: object) -> Regenerated:
    key = key_of(row)
    if isinstance(outcome, Blocked) or row["status"] == "blocked":
        same = isinstance(outcome, Blocked) and row["status"] == "blocked"
        return Regenerated(*key, identical=same, largest=None, agrees=same)
    if not isinstance(outcome, Generated):
        return Regenerated(*key, identical=False, largest=None, agrees=False)
    before = folder.images.get(str(row["image"])).astype(np.int16)
    largest = int(np.abs(before - outcome.image.astype(np.int16)).max())
    return Regenerated(*key, identical=largest == 0, largest=largest, agrees=largest <= TOLERANCE)
