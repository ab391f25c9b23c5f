"""A run from beginning to end: what is missing is generated, what is missing is scored."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.console import Progress, default_progress
from bench.engine.engines import Engine
from bench.engine.worker import Job, Told
from bench.errors import BenchError, blaming, no_device
from bench.guard.calls import own
from bench.runs import OUT
from bench.runs.acting import ACTED, total
from bench.runs.find import Run, describe, folder_of, spec_of
from bench.runs.folder import RunFolder
from bench.runs.imported import sizes_of
from bench.runs.labels import LABEL, checked_label
from bench.runs.manifest import begin, same_numerics
from bench.runs.own_prompts import keep
from bench.runs.remove import left_nothing
from bench.runs.scores import (
    ChosenScorer,
    check_kinds,
    check_sizes,
    choose_scorers,
    default_scorers,
    make_current,
    planned_sizes,
    unscored,
    with_lapsed,
)
from bench.runs.spec import RunSpec, as_taken
from bench.runs.units import Share
from bench.tracks import listed

SCORING = ("during", "after")


def run(
    method: str,
    suite: str,
    track: str = "mini",
    *,
    parameters: Mapping[str, Any] | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    scheduler: str | None = None,
    numerics: Mapping[str, Any] | None = None,
    benign: bool = False,
    columns: Mapping[str, str] | None = None,
    scorers: Sequence[str] | None = None,
    scoring: str = "during",
    engine: str = "local",
    workers: int | None = None,
    unit_timeout: float | None = None,
    isolate: bool = False,
    label: str | None = None,
    out: Path | str = OUT,
    progress: Progress | None = None,
    images: int | None = None,
    shard: str | None = None,
) -> Run:
    """Generate what is missing, score what is missing, and return the run.

    A run grows: of more prompts or images than it has, those alone are made, and its last batch and unit again. With fewer, nothing is made and what
    is returned is a view of these.

    Args:
        method: a registered method, such as ``sd-v1.5``, or one with its weights, such as ``unet:OWNER/NAME``.
        suite: a registered suite, such as ``i2p``, or the path of a file of prompts, such as ``prompts.csv``.
        track: a track's name, or the path of a YAML file.
        parameters: the method's parameters where they differ from its defaults.
        limit: the first that many prompts only.
        batch_size: samples a call; the track's where None.
        device: a torch device string.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        scheduler: a sampler by name, such as ``ddim``; the track's where None.
        numerics: settings of :class:`bench.types.Numerics`, such as ``{"attention": "eager"}``.
        benign: of a file of prompts: they ask for no harm. Where that is not said they are screened and shown as unsafe ones.
        columns: of a file of prompts: which column is what, where its name does not say, such as ``{"prompt": "TEXT"}``.
        scorers: registered scorers; the track's where None.
        scoring: ``during`` generation, unit by unit, or ``after`` it, so that scorers and the method are never in memory together.
        engine: ``local``, or ``ray``: see :mod:`bench.engine.ray`.
        workers: processes, or actors of ``ray``; where None one a core, or on a GPU one a GPU.
        unit_timeout: seconds that the method may take over a work unit, and each scorer; None is generous, and grows with the unit.
        isolate: have a single worker be a process of its own too, as the command does, so that no plugin can end this one or keep it for ever.
        label: what tables call the run; the one that it has where None, and none where empty. It decides no image.
        out: the folder of all runs.
        progress: told of the progress; where None a notebook shows bars, and nothing else does.
        images: images a prompt, the suite's own number where None; image 0 is the same whatever this is.
        shard: ``2/8`` makes the second of eight shares of the units alone; :func:`bench.runs.merge.merge` joins them.

    Raises:
        BenchError: something that the user can mend; what was finished is kept.
    """
    workforce = Engine(engine, workers, unit_timeout, isolate)
    if scoring not in SCORING:
        raise BenchError(f"Unknown scoring {scoring!r}; expected one of: {', '.join(SCORING)}.")
    share = None if shard is None else Share.parse(shard)
    taken = as_taken(method, parameters or {})
    spec = RunSpec(method, suite, track, taken, limit, batch_size, device, dtype, scheduler, dict(numerics or {}), images=images)
    spec = replace(spec, benign=benign, columns=dict(columns or {}))
    said = None if label is None else checked_label(label)
    progress = progress or default_progress()
    with listed(spec.track, spec.loaded_track):
        # The suite first, which costs nothing. A scorer that is unknown or lacks its weights is refused before hours of generation, not after.
        units = [unit for unit in spec.units if share is None or unit.index in share]
        if share is not None and not units:
            raise BenchError(f"The run has {len(spec.units)} unit(s), so that the share {share} is empty. Give fewer shares.")
        planned = choose_scorers(scorers if scorers is not None else default_scorers(spec), spec.loaded_track)
        check_sizes(planned, planned_sizes(spec.loaded_suite.samples))
        folder, run_id = folder_of(spec, Path(out))
    if not folder.exists():
        if reason := cannot_act(spec):  # the base's images would stand under the method's name
            raise BenchError(reason)
        if engine == "local":
            check_device(spec.device)
    with folder.lock(), left_nothing(folder, Path(out)):
        whole = begin(folder, spec, run_id)
        spec = keep(folder, spec)
        if said is not None and said != folder.manifest().get(LABEL, ""):
            folder.update_manifest(**{LABEL: said})
        missing = folder.missing_units(units)
        planned = with_lapsed(folder, planned, spec.loaded_track)
        if missing:
            same_numerics(folder)
            _generate(Job(whole, folder, make=True, scorers=planned if scoring == "during" else ()), missing, workforce, progress)
        score_due(whole, folder, planned, workforce, progress, tried=missing if scoring == "during" else ())
    return describe(folder, spec, share)


def check_device(device: str) -> None:
    """Refuse a device that nothing can be computed on here.

    Raises:
        BenchError: it is none, or not there.
    """
    import torch

    try:
        if torch.device(device).type == "meta":
            raise RuntimeError("it holds no numbers")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise no_device(device, error) from error


def cannot_act(spec: RunSpec) -> str:
    """Return the method's own line of why it could change none of the run's samples; empty where it can change one.

    Raises:
        BenchError: unknown method or parameter, or a value that the method does not take.
    """
    method, samples, reason = spec.make_method(), spec.loaded_suite.samples, ""
    with blaming("method", spec.method, "cannot_act"):
        for sample in samples:
            reason = str(method.cannot_act(spec.context, *own([sample])) or "")
            if not reason:
                break
    return reason


def score_due(
    spec: RunSpec, folder: RunFolder, planned: Sequence[ChosenScorer], engine: Engine, progress: Progress, tried: Collection[int] = ()
) -> None:
    """Bring the scores of every finished unit up to date; the caller holds the run's lock.

    Of the units ``tried`` an image that a scorer has just failed on is not given to it again.
    """
    left = unscored(folder, planned, tried)
    if left:
        check_sizes(planned, sizes_of(folder.manifest()) if spec.imported else planned_sizes(spec.loaded_suite.samples))
        engine.work(Job(spec, folder, make=False, scorers=tuple(planned)), left, _bars(spec, progress, (), left))
    check_kinds(folder, planned)
    make_current(folder, planned)


def _bars(spec: RunSpec, progress: Progress, made: Sequence[int], scored: Sequence[int]) -> Told:
    """Return what workers tell of their progress: one bar for what is made and one for what is scored."""
    titles = {"made": (f"{spec.method} on {spec.suite}", made), "scored": ("score", scored)}
    bars = {kind: progress.start(title, sum(len(spec.unit_of[index].samples) for index in todo)) for kind, (title, todo) in titles.items() if todo}
    return lambda kind, count: bars[kind](count)


def _generate(job: Job, missing: Sequence[int], engine: Engine, progress: Progress) -> None:
    began = time.perf_counter()
    workers = engine.work(job, missing, _bars(job.spec, progress, made=missing, scored=missing if job.scorers else ()))
    session = {"engine": engine.name, "workers": workers, "units": len(missing), "seconds": round(time.perf_counter() - began, 3)}
    acted = total(job.folder.readable_markers().values())
    said = {ACTED: asdict(acted)} if acted else {}
    job.folder.update_manifest(sessions=[*job.folder.manifest().get("sessions", []), session], **said)


def score(
    run: Path | str | Run,
    scorers: Sequence[str] | None = None,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
    unit_timeout: float | None = None,
    isolate: bool = False,
    device: str | None = None,
) -> Run:
    """Add or recompute the scores of a run without generating; the track's scorers where none are named. The rest is as for :func:`run`.

    ``run`` is a run or its folder; ``device`` is where scorers compute, the run's own where None. Scores that stand are kept, whatever they
    were computed on.
    """
    folder = RunFolder.open(run.path if isinstance(run, Run) else Path(run))
    spec = spec_of(folder)
    if device is not None:
        check_device(device)
        spec = replace(spec, device=device)
    track = spec.loaded_track
    planned = choose_scorers(scorers if scorers is not None else default_scorers(spec), track)
    with folder.lock():
        score_due(spec, folder, planned, Engine(workers=workers, unit_timeout=unit_timeout, isolate=isolate), progress or default_progress())
    return describe(folder)
