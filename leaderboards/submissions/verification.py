"""Verification: the method makes some of a bundle's samples again here, and images and scores are compared with those submitted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.console import Progress
from bench.errors import BenchError
from bench.runs.images import ImageStore, Pixels, hash_pixels
from bench.runs.provenance import machine, versions
from bench.runs.regenerate import TOLERANCE, how_many, make_again
from bench.runs.scores import make_scorer
from bench.runs.spec import RunSpec, digest
from bench.scorers.precision import full_float32
from bench.types import Blocked, Context, Generated, Sample, Scorer
from bench.types.sample import KEY, key_of
from bench.types.scorer import column_name
from leaderboards.submissions.bundle import Bundle, BundledRun
from leaderboards.submissions.records import MadeAgain, ScoreDifference, Verification, VerifiedRun

SAME_IMAGE = 1e-3
"""What a score of the same image may differ by, in standard deviations of its column over the run: other processors round otherwise."""

NEAR_IMAGE = 0.15
"""The same where the image is not the same to the bit, and for the mean difference of n such images, times the square root of n: rounding has no
direction. Measured on 64 samples each of sd-v1.5 on i2p and sld-medium on drawbench (mini) with the kernels of an older processor (SSE4.1): 27 of
128 images differ, no score by more than 0.04, no mean by more than 0.002."""

FENCE = 3.0
"""Scores farther than this, and farther than the middle 90% of the column are wide, from that middle count as if they lay there: a few made-up
ones must not widen the tolerance of all. No share and no severity lies so far."""


@dataclass
class _Found:
    """What was found of one run so far."""

    samples: list[MadeAgain] = field(default_factory=list)
    largest: dict[str, float] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, list[float]] = field(default_factory=dict)


def verify_bundle(bundle: Bundle, amount: str, seed: int, images: Path | None, progress: Progress) -> Verification:
    """Make samples of every run of a bundle again, score them, and return the record. Nothing is downloaded.

    Args:
        bundle: one whose checks have passed.
        amount: how many of each run: ``8``, or ``5%``; at least one.
        seed: of the choice; the submitter must not know it beforehand.
        images: the folder ``images`` of the submitted run, where pixels are to be compared too.
        progress: told of the progress.

    Raises:
        BenchError: a run is another in this environment, or its method or weights are not here.
    """
    found = []
    with _offline():
        for run in bundle.runs:
            spec = _spec(run)
            count = min(max(1, how_many(amount, run.manifest.samples)), run.manifest.samples)
            found.append(_verify(run, spec, count, seed, images, progress.start(f"make again: {run.label}", count)))
    return Verification(
        schema_version=1,
        bundle=bundle.sha256,
        date=datetime.now(UTC).date().isoformat(),
        versions=versions(),
        machine=machine(),
        amount=amount,
        seed=seed,
        runs=found,
        agrees=all(each.agrees for each in found),
    )


@contextmanager
def _offline() -> Iterator[None]:
    """Fetch nothing meanwhile: the hub's client and :mod:`bench.files.web` look at this variable."""
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


def _spec(run: BundledRun) -> RunSpec:
    """Return how to make the run again, proven to be the run that was submitted.

    Raises:
        BenchError: here it would be another run.
    """
    spec = RunSpec(**run.manifest.spec.model_dump(), limit_in_id=run.manifest.suite.limit is not None)
    here = spec.identity()
    if digest(here) == run.manifest.run_id:
        return spec
    said = run.manifest.model_dump(include={"track", "method", "suite", "settings"})
    part, key = next(((part, key) for part in here for key in here[part] if here[part][key] != said[part].get(key)), ("settings", "more"))
    raise BenchError(
        f"{run.label} is another run here: its {part} differs in {key!r}. "
        "Install the version of bench, the method and the weights that the bundle names, then verify again."
    )


def _verify(run: BundledRun, spec: RunSpec, count: int, seed: int, images: Path | None, advance: Callable[[int], None]) -> VerifiedRun:
    submitted = {key_of(row): row for row in run.table.to_pylist()}
    spread = {str(name): _spread(values) for name, values in run.records.select_dtypes("float64").items()}
    samples = {sample.key: sample for sample in spec.loaded_suite.samples}
    scorers = _load(run, spec)
    store = None if images is None else ImageStore(images)
    found = _Found()
    for row, outcome in make_again(list(submitted.values()), spec, count, seed):
        sample = samples[key_of(row)]
        picture, same, largest = _compare(row, outcome, store)
        scored = _score(scorers, picture, sample)
        differences = {name: _difference(row[name], value, spread.get(name, 1.0)) for name, value in scored.items()}
        tolerance = SAME_IMAGE if same else NEAR_IMAGE
        for name, difference in differences.items():
            found.largest[name] = max(found.largest.get(name, 0.0), difference)
            found.tolerance[name] = max(found.tolerance.get(name, 0.0), tolerance)
        for name in () if same else scored:
            if isinstance(row[name], float):
                found.shifts.setdefault(name, []).append((float(scored[name]) - row[name]) / spread[name])
        near = same or (isinstance(outcome, Generated) and row["status"] == "generated" and (largest is None or largest <= TOLERANCE))
        agrees = near and all(difference <= tolerance for difference in differences.values())
        found.samples.append(MadeAgain(**_key(sample), same_image=same, largest_pixel=largest, agrees=agrees))
        advance(1)
    scores = [
        ScoreDifference(
            column=name, largest=found.largest[name], tolerance=found.tolerance[name], shift=float(np.mean(found.shifts.get(name, [0.0])))
        )
        for name in sorted(found.largest)
    ]
    return VerifiedRun(
        run_id=run.manifest.run_id,
        suite=run.listed.suite,
        method=run.listed.method,
        samples=found.samples,
        scores=scores,
        agrees=all(each.agrees for each in found.samples) and not _off(scores, found.samples),
    )


def _key(sample: Sample) -> dict[str, Any]:
    return dict(zip(KEY, sample.key, strict=True))


def _load(run: BundledRun, spec: RunSpec) -> list[Scorer]:
    """Return the bundle's scorers, ready to score."""
    scorers = [make_scorer(name, spec.loaded_track) for name in run.manifest.scorers]
    context = Context(spec.loaded_track, spec.device)
    for scorer in scorers:
        scorer.load(context)
    return scorers


def _compare(row: Mapping[str, Any], outcome: object, store: ImageStore | None) -> tuple[Pixels, bool, int | None]:
    """Return the picture that a user sees now, whether it is the submitted one, and the largest difference of a pixel where that is known."""
    if not isinstance(outcome, Generated):
        black = np.zeros((row["height"], row["width"], 3), dtype=np.uint8)
        return black, isinstance(outcome, Blocked) and row["status"] == "blocked", None
    picture = np.ascontiguousarray(outcome.image)
    if hash_pixels(picture) == row["image"]:
        return picture, True, 0
    if store is None or row["image"] is None:
        return picture, False, None
    before = store.get(row["image"]).astype(np.int16)  # proven by its hash to be the submitted one
    return picture, False, int(np.abs(before - picture.astype(np.int16)).max())


def _score(scorers: Sequence[Scorer], picture: Pixels, sample: Sample) -> dict[str, Any]:
    """Return every score of one picture, by the column's name in the bundle."""
    picture.flags.writeable = False
    found = {}
    for scorer in scorers:
        with full_float32():
            (values,) = scorer.score([picture], [sample])
        found.update({column_name(scorer.info.name, column): value for column, value in values.items()})
    return found


def _off(scores: Sequence[ScoreDifference], samples: Sequence[MadeAgain]) -> list[ScoreDifference]:
    """Return the columns whose mean difference is more than rounding makes: scores that are all a little too good."""
    other = sum(not each.same_image for each in samples)
    return [each for each in scores if abs(each.shift) * other**0.5 > NEAR_IMAGE]


def _spread(values: pd.Series) -> float:
    """Return the standard deviation of a column within :data:`FENCE`, or 1, its own unit, where it does not vary."""
    low, high = values.quantile(0.05, interpolation="higher"), values.quantile(0.95, interpolation="lower")
    width = max(FENCE, high - low)
    spread = float(values.clip(low - width, high + width).std())
    return spread if spread > 1e-6 else 1.0  # equal values differ by rounding alone; of a single one there is none


def _difference(submitted: Any, now: Any, spread: float) -> float:
    """Return how far a score lies from the submitted one.

    Numbers: in standard deviations of the column (in its own unit where it does not vary). Flags: 0 or 1. Detections: the largest difference of
    the summed scores of a class, so that a weak box that comes or goes weighs what it is worth.
    """
    if isinstance(submitted, bool):
        return float(submitted != now)
    if isinstance(submitted, float):
        return abs(submitted - float(now)) / spread
    sums: dict[str, float] = {}
    for sign, detections in ((1.0, submitted), (-1.0, now)):
        for each in detections:
            sums[each["class"]] = sums.get(each["class"], 0.0) + sign * float(each["score"])
    return max(map(abs, sums.values()), default=0.0)


def table(record: Verification) -> list[dict[str, str]]:
    """Return a record as rows beside those of the checks, one a run."""
    rows = []
    for run in record.runs:
        agreed, same = (sum(getattr(each, name) for each in run.samples) for name in ("agrees", "same_image"))
        worst = max(run.scores, key=lambda each: each.largest, default=None)
        scores = "" if worst is None else f"; largest difference of a score: {worst.largest:.2g} ({worst.column})"
        off = "".join(f"; {each.column} lies {abs(each.shift):.2g} off in the mean" for each in _off(run.scores, run.samples))
        reason = f"{agreed} of {len(run.samples)} agree, {same} bit for bit{scores}{off}"
        rows.append({"check": "made again", "about": f"{run.suite}/{run.method}", "verdict": "passed" if run.agrees else "failed", "reason": reason})
    return rows
