"""Makes some samples again and compares: does the method still give the images that the run holds?"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.engine.plan import plan
from bench.engine.spec import RunSpec
from bench.engine.worker import check
from bench.store.run_folder import RunFolder
from bench.types import Blocked, Generated

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


def regenerate(folder: RunFolder, spec: RunSpec, count: int, seed: int, advance: Callable[[int], None]) -> list[Regenerated]:
    """Make the batches of ``count`` random samples again and compare those samples.

    Whole batches are made, in their composition, because another one moves single pixels.

    Args:
        folder: a finished run.
        spec: what it is.
        count: how many samples; all where there are fewer.
        seed: of the choice.
        advance: called with the number of samples just compared.
    """
    import torch

    torch.set_num_threads(1)
    batches = {(unit.index, number): batch for unit in plan(spec.loaded_suite.samples, spec.batch) for number, batch in enumerate(unit.batches)}
    rows = [row for row in folder.samples().to_pylist() if row["status"] != "failed"]
    chosen = random.Random(seed).sample(rows, min(count, len(rows)))
    method = spec.make_method()
    method.load(spec.context)
    found = []
    for place in sorted({(row["unit"], row["batch"]) for row in chosen}):
        batch = batches[place]
        again = {sample.key: check(outcome, sample) for sample, outcome in zip(batch, method.generate(batch), strict=True)}
        for row in (each for each in chosen if (each["unit"], each["batch"]) == place):
            found.append(_compare(folder, row, again[row["prompt_id"], row["image_index"]]))
            advance(1)
    return found


def _compare(folder: RunFolder, row: dict[str, object], outcome: object) -> Regenerated:
    key = (str(row["prompt_id"]), int(str(row["image_index"])))
    if isinstance(outcome, Blocked) or row["status"] == "blocked":
        same = isinstance(outcome, Blocked) and row["status"] == "blocked"
        return Regenerated(*key, identical=same, largest=None, agrees=same)
    if not isinstance(outcome, Generated):
        return Regenerated(*key, identical=False, largest=None, agrees=False)
    before = folder.images.get(str(row["image"])).astype(np.int16)
    largest = int(np.abs(before - outcome.image.astype(np.int16)).max())
    return Regenerated(*key, identical=largest == 0, largest=largest, agrees=largest <= TOLERANCE)
