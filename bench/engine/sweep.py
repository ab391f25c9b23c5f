"""A sweep from beginning to end: its points are plain runs, in the same folders, shared with ``bench run`` and with other sweeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.console import say
from bench.engine.run import cannot_act, run
from bench.errors import BenchError
from bench.runs import OUT
from bench.runs.find import describe, folder_of
from bench.runs.labels import checked_label
from bench.runs.spec import base_method
from bench.runs.sweeps import Planned, Sweep, SweepPoint, plan


def sweep(
    method: str,
    suites: str | Sequence[str],
    values: Mapping[str, Sequence[Any]],
    track: str = "mini",
    *,
    parameters: Mapping[str, Any] | None = None,
    label: str | None = None,
    out: Path | str = OUT,
    announce: Callable[[str], None] = say,
    **settings: Any,
) -> Sweep:
    """Run a method at every combination of ``values`` on every suite, and return the runs with their table.

    A point that is finished is not made again, whoever made it; a sweep that was ended goes on when it is started again. A point that fails keeps
    its reason, and the others are made. Where the method could change nothing at a point (a guidance of scale 0), the point is the base's run: its
    images would be those, and the note says so.

    Args:
        method: as of :func:`bench.engine.run.run`.
        suites: one, or several.
        values: of each parameter, its values: ``{"scale": [500, 1000, 2000]}``.
        track: as of :func:`bench.engine.run.run`, and so is the rest.
        parameters: those that are the same in every run.
        label: what tables call the method; each run's values follow it.
        out: the folder of all runs.
        announce: told how many runs and samples there are, before the first is made.
        settings: of every run: ``limit``, ``device``, ``scorers`` and so on.

    Raises:
        BenchError: something is wrong with what was asked for; nothing was made.
    """
    out = Path(out)
    planned = plan(method, [suites] if isinstance(suites, str) else suites, values, {**settings, "track": track}, parameters)
    if label is not None:
        checked_label(f"{label} {max((each.called for each in planned), key=len)}")
    ready = [_instead(each) for each in planned]
    announce(_announcement(ready, out))
    points = [_point(each, label, track, out, settings) for each in ready]
    reasons = {each.reason for each in points}
    if len(reasons) == 1 and all(each.run is None for each in points):  # a device that is not there, a scorer that nobody knows
        raise BenchError(reasons.pop())
    return Sweep(method, tuple(values), tuple(points))


def _instead(point: Planned) -> Planned:
    """Return ``point``, checked; where its method cannot act and the track has a base, the base's run with the reason as its note."""
    reason = cannot_act(point.spec)
    base = base_method(point.spec.loaded_track) if reason else None
    if base is None:
        return point
    note = f"the images are those of {base}, since {point.spec.method} would change none"
    return replace(point, spec=replace(point.spec, method=base, parameters={}), note=note)


def _announcement(points: Sequence[Planned], out: Path) -> str:
    """Return how much there is to do: runs that are the same one, such as the base's, are counted once."""
    samples, finished = {}, 0
    for each in points:
        folder, run_id = folder_of(each.spec, out)
        if run_id not in samples:
            samples[run_id] = len(each.spec.loaded_suite.samples)
            finished += _finished(each, folder.path)
    done = f"; {finished} of the runs finished already" if finished else ""
    return f"sweep: {len(points)} points, {len(samples)} runs, {sum(samples.values())} samples{done}."


def _finished(point: Planned, path: Path) -> bool:
    folder, _ = folder_of(point.spec, path.parents[2])
    try:
        return folder.exists() and describe(folder, point.spec).complete
    except BenchError:  # damaged: the run will mend it, or say so
        return False


def _point(point: Planned, label: str | None, track: str, out: Path, settings: Mapping[str, Any]) -> SweepPoint:
    said = None if label is None or point.note else f"{label} {point.called}".strip()
    settings = {**settings, "benign": point.spec.benign, "columns": point.spec.columns}
    try:
        done = run(point.spec.method, point.spec.file or point.spec.suite, track, parameters=point.spec.parameters, label=said, out=out, **settings)
    except BenchError as error:
        return SweepPoint(point, None, str(error))
    reasons = [] if done.complete else [each for each in (done.failures(), *done.lacking_scores()) if each] or ["it is not complete"]
    return SweepPoint(point, done, " ".join(f"{each}." for each in reasons))
