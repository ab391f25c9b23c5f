"""What is recorded of a unit that a worker did not come back from: failed samples, or images without a score, with the reason."""

from __future__ import annotations

from bench.engine.calls import Call
from bench.engine.scoring import score_row
from bench.engine.worker import Job, failed_rows
from bench.runs.scores import score_set
from bench.types.sample import key_of


def record_loss(job: Job, unit: int, call: Call | None, reason: str) -> None:
    """Record why ``unit`` was lost in ``call``; nothing where no plugin was at work. The caller holds the run's lock, and the worker is gone.

    Args:
        job: what the worker did.
        unit: which.
        call: the last that was announced.
        reason: for the samples that fail by it, or the images that it leaves without a score.
    """
    if call is None or call.rule == "load":
        return
    if call.noun == "method":
        job.folder.commit_unit(unit, failed_rows(job.spec.unit_of[unit], reason), 0.0)
        return
    (planned,) = (each for each in job.scorers if each.name == call.name)
    scores = score_set(job.folder, planned)
    rows = [row for row in job.folder.unit_rows(unit) if row["status"] != "failed"]
    job.folder.commit_scores(scores, unit, [score_row(scores, key_of(row), reason) for row in rows])
