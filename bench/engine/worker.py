"""The worker: makes one unit after another. Every engine calls this and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import numpy as np

from bench.engine.plan import Unit, plan
from bench.engine.spec import RunSpec
from bench.errors import BenchError
from bench.store.run_folder import RunFolder
from bench.types import Blocked, Generated, Outcome, Sample


class Worker:
    """One method, loaded once."""

    def __init__(self, spec: RunSpec, folder: RunFolder) -> None:
        import torch

        # One thread a worker: sums are then split the same way on every machine and with any number of workers.
        # Workers, not threads, fill a CPU.
        torch.set_num_threads(1)
        self._folder = folder
        self._units = plan(spec.loaded_suite.samples, spec.batch)
        self._method = spec.make_method()
        self._method.load(spec.context)

    def make(self, index: int, advance: Callable[[int], None] = lambda done: None) -> None:
        """Generate unit ``index`` and commit it.

        A method that raises, or gives something that is no image of the size asked for, is recorded as failed
        samples with the reason. A :class:`BenchError` is the user's to mend and stops the run.
        """
        unit = self._units[index]
        began = time.perf_counter()
        rows: list[dict[str, object]] = []
        for number, batch in enumerate(unit.batches):
            rows += [self._row(unit, number, *pair) for pair in zip(batch, self._outcomes(batch), strict=True)]
            advance(len(batch))
        self._folder.commit_unit(index, rows, time.perf_counter() - began)

    def _outcomes(self, batch: Sequence[Sample]) -> list[Outcome | str]:
        """Return an outcome, or the reason of its failure, for each sample."""
        try:
            outcomes = list(self._method.generate(batch))
        except (BenchError, MemoryError):
            raise
        except Exception as error:
            return [f"{type(error).__name__}: {error}"] * len(batch)
        if len(outcomes) != len(batch):
            return [f"the method returned {len(outcomes)} outcomes for {len(batch)} samples"] * len(batch)
        return [check(outcome, sample) for outcome, sample in zip(outcomes, batch, strict=True)]

    def _row(self, unit: Unit, number: int, sample: Sample, outcome: Outcome | str) -> dict[str, object]:
        row: dict[str, object] = {
            "prompt_id": sample.prompt_id,
            "image_index": sample.image_index,
            "prompt": sample.prompt,
            "category": sample.category,
            "seed": sample.seed,
            "width": sample.width,
            "height": sample.height,
            "steps": sample.steps,
            "guidance": sample.guidance,
            "metadata": json.dumps(dict(sample.metadata), sort_keys=True),
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


def check(outcome: object, sample: Sample) -> Outcome | str:
    """Return ``outcome`` if it is one for ``sample``, else what is wrong with it."""
    if isinstance(outcome, Blocked):
        return outcome
    if not isinstance(outcome, Generated):
        return f"expected Generated or Blocked, got {type(outcome).__name__}"
    image: object = outcome.image
    if not isinstance(image, np.ndarray):
        return f"expected an image as a NumPy array, got {type(image).__name__}"
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        return "the image holds NaN or infinite values"
    if image.dtype != np.uint8:
        return f"expected uint8 pixels, got {image.dtype}"
    if image.shape != (sample.height, sample.width, 3):
        return f"expected an image of shape {(sample.height, sample.width, 3)}, got {image.shape}"
    return outcome
