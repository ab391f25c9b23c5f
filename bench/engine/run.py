"""A run from beginning to end: what is missing is generated, what is missing is scored."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.console import Progress, Quiet
from bench.engine.calls import own
from bench.engine.engines import Engine
from bench.engine.worker import Job, Told
from bench.errors import BenchError, blaming, no_device
from bench.runs import OUT
from bench.runs.acting import ACTED, total
from bench.runs.find import Run, describe, folder_of, spec_of
from bench.runs.folder import RunFolder
from bench.runs.manifest import begin, same_numerics
from bench.runs.own_prompts import keep
from bench.runs.remove import left_nothing
from bench.runs.scores import ChosenScorer, check_kinds, check_sizes, choose_scorers, default_scorers, make_current, unscored, with_lapsed
from bench.runs.spec import RunSpec
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
    out: Path | str = OUT,
    progress: Progress | None = None,
) -> Run:
    """Generate what is missing, score what is missing, and return the run.

    Args:
        method: a registered method, such as ``sd-v1.5``, or one with its weights, such as ``unet:OWNER/NAME``.
        suite: a registered suite, such as ``i2p``, or the path of a file of prompts, such as ``prompts.csv``.
        track: a track's name, or the path of a YAML file.
        parameters: the method's parameters where they differ from its defaults.
        limit: the first that many prompts only; part of the run's identity.
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
        out: the folder of all runs.
        progress: told of the progress.

    Raises:
        BenchError: something that the user can mend; what was finished is kept.
    """
    workforce = Engine(engine, workers, unit_timeout, isolate)
    if scoring not in SCORING:
        raise BenchError(f"Unknown scoring {scoring!r}; expected one of: {', '.join(SCORING)}.")
    spec = RunSpec(method, suite, track, dict(parameters or {}), limit, batch_size, device, dtype, scheduler, dict(numerics or {}))
    spec = replace(spec, benign=benign, columns=dict(columns or {}))
    progress = progress or Quiet()
    with listed(spec.track, spec.loaded_track):
        # The suite first, which costs nothing. A scorer that is unknown or lacks its weights is refused before hours of generation, not after.
        units = spec.units
        planned = choose_scorers(scorers if scorers is not None else default_scorers(spec), spec.loaded_track)
        check_sizes(planned, spec.loaded_suite.samples)
        folder, run_id = folder_of(spec, Path(out))
    if not folder.exists():
        _check_acts(spec)
        if engine == "local":
            check_device(spec.device)
    with folder.lock(), left_nothing(folder, Path(out)):
        begin(folder, spec, run_id, len(units))
        spec = keep(folder, spec)
        missing = folder.missing_units(len(units))
        planned = with_lapsed(folder, planned, spec.loaded_track)
        if missing:
            same_numerics(folder)
            _generate(Job(spec, folder, make=True, scorers=planned if scoring == "during" else ()), missing, workforce, progress)
        _score(spec, folder, planned, workforce, progress, tried=missing if scoring == "during" else ())
    return describe(folder, spec)


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


def _check_acts(spec: RunSpec) -> None:
    """Refuse settings under which the method could change none of the samples: the base's images would stand under its name.

    Raises:
        BenchError: the method's own line, which names the setting.
    """
    method, reason = spec.make_method(), ""
    with blaming("method", spec.method, "cannot_act"):
        for sample in spec.loaded_suite.samples:
            reason = str(method.cannot_act(spec.context, *own([sample])) or "")
            if not reason:
                return
    if reason:
        raise BenchError(reason)


def _score(
    spec: RunSpec, folder: RunFolder, planned: Sequence[ChosenScorer], engine: Engine, progress: Progress, tried: Collection[int] = ()
) -> None:
    """Bring the scores of every finished unit up to date; the caller holds the run's lock.

    Of the units ``tried`` an image that a scorer has just failed on is not given to it again.
    """
    left = unscored(folder, planned, tried)
    if left:
        check_sizes(planned, spec.loaded_suite.samples)
        engine.work(Job(spec, folder, make=False, scorers=tuple(planned)), left, _bars(spec, progress, (), left))
    check_kinds(folder, planned)
    make_current(folder, planned)


def _bars(spec: RunSpec, progress: Progress, made: Sequence[int], scored: Sequence[int]) -> Told:
    """Return what workers tell of their progress: one bar for what is made and one for what is scored."""
    titles = {"made": (f"{spec.method} on {spec.suite}", made), "scored": ("score", scored)}
    bars = {kind: progress.start(title, sum(len(spec.units[index].samples) for index in todo)) for kind, (title, todo) in titles.items() if todo}
    return lambda kind, count: bars[kind](count)


def _generate(job: Job, missing: Sequence[int], engine: Engine, progress: Progress) -> None:
    began = time.perf_counter()
    workers = engine.work(job, missing, _bars(job.spec, progress, made=missing, scored=missing if job.scorers else ()))
    session = {"engine": engine.name, "workers": workers, "units": len(missing), "seconds": round(time.perf_counter() - began, 3)}
    acted = total(job.folder.readable_markers().values())
    said = {ACTED: asdict(acted)} if acted else {}
    job.folder.update_manifest(sessions=[*job.folder.manifest().get("sessions", []), session], **said)


def score(
    path: Path | str,
    scorers: Sequence[str] | None = None,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
    unit_timeout: float | None = None,
    isolate: bool = False,
) -> Run:
    """Add or recompute the scores of a run without generating; the track's scorers where none are named. The rest is as for :func:`run`."""
    folder = RunFolder.open(Path(path))
    spec = spec_of(folder)
    track = spec.loaded_track
    planned = choose_scorers(scorers if scorers is not None else default_scorers(spec), track)
    with folder.lock():
        _score(spec, folder, planned, Engine(workers=workers, unit_timeout=unit_timeout, isolate=isolate), progress or Quiet())
    return describe(folder)
