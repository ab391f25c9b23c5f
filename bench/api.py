"""What the verbs do, for Python: ``bench.run``, ``bench.load_run`` and their kin."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.engine.engines import Engine
from bench.engine.plan import plan
from bench.engine.spec import RunSpec, digest
from bench.engine.worker import Job, Told
from bench.errors import BenchError
from bench.provenance import NUMERIC, git_state, machine, versions
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.scoring import Planned, make_current, plan_scorers, unscored
from bench.store.run_folder import RunFolder
from bench.tracks import listed
from bench.tracks.schedulers import configured

if TYPE_CHECKING:
    import pandas as pd

    from bench.store.regenerate import Regenerated
    from bench.store.verify import Verdict

OUT = Path("runs")
SCORING = ("during", "after")


class Progress(Protocol):
    """How a verb tells of its progress."""

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Announce ``total`` things to do; return what to call with the number just done."""


class Quiet:
    """No progress at all: the default from Python."""

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Do nothing."""
        return lambda done: None


@dataclass(frozen=True)
class Run:
    """A run on disk, with what is known of it.

    Attributes:
        path: the run folder.
        spec: what it is.
        complete: True when every sample was generated or blocked and every scorer has run.
        samples: how many samples the run has.
        counts: samples by status: ``generated``, ``blocked``, ``failed`` and ``missing``.
        split: how often the device's memory did not hold a batch, so that it was made in parts.
    """

    path: Path
    spec: RunSpec
    complete: bool
    samples: int
    counts: Mapping[str, int]
    split: int = 0

    def records(self) -> pd.DataFrame:
        """Return one row a sample with every scorer's columns."""
        return load_run(self.path)

    def first_failure(self) -> str:
        """Return why the first failed sample failed, or nothing."""
        rows = RunFolder(self.path).samples().to_pylist()
        return next((str(row["reason"]) for row in rows if row["status"] == "failed"), "")

    def rule(self, choice: RuleChoice = TRACKS_OWN) -> Rule:
        """Return the counting rule of this run's tables: the track's for its suite where ``choice`` asks for nothing.

        Raises:
            BenchError: it is unknown, or the run's stored scores cannot answer it.
        """
        from bench.records import check_rule

        rule = self.spec.loaded_track.rule(self.spec.suite, choice)
        check_rule(RunFolder.open(self.path), rule, asked=choice.made())
        return rule

    def rows(self, *, blocked_as_black: bool = True, rule: RuleChoice = TRACKS_OWN) -> list[dict[str, Any]]:
        """Return the table that ``bench run`` prints, one row a metric, under another counting rule where one is chosen."""
        from bench.report import run_rows

        manifest = RunFolder.open(self.path).manifest()
        return run_rows(self.records(), self.spec.loaded_track, self.rule(rule), manifest, blocked_as_black=blocked_as_black)


def folder_of(spec: RunSpec, out: Path = OUT) -> tuple[RunFolder, str]:
    """Return where a run lies and its id: the hash of all that decides the images."""
    run_id = digest(spec.identity())
    name = re.sub(r"[^\w.-]+", "-", spec.method)[:80]  # a method named with its weights may hold a path
    return RunFolder(out / spec.loaded_track.name / spec.suite / f"{name}-{run_id[:8]}"), run_id


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
    scorers: Sequence[str] | None = None,
    scoring: str = "during",
    engine: str = "local",
    workers: int | None = None,
    out: Path | str = OUT,
    progress: Progress | None = None,
) -> Run:
    """Generate what is missing, score what is missing, and return the run.

    Args:
        method: a registered method, such as ``sd-v1.5``, or one with its weights, such as ``unet:OWNER/NAME``.
        suite: a registered suite, such as ``i2p``.
        track: a track's name, or the path of a YAML file.
        parameters: the method's parameters where they differ from its defaults.
        limit: the first that many prompts only; part of the run's identity.
        batch_size: samples a call; the track's where None.
        device: a torch device string.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        scheduler: a sampler by name, such as ``ddim``; the track's where None.
        numerics: settings of :class:`bench.types.Numerics`, such as ``{"attention": "eager"}``.
        scorers: registered scorers; the track's where None.
        scoring: ``during`` generation, unit by unit, or ``after`` it, so that scorers and the method are never in memory together.
        engine: ``local``, or ``ray``: see :mod:`bench.engine.ray`.
        workers: processes, or actors of ``ray``; where None one a core, or on a GPU one a GPU.
        out: the folder of all runs.
        progress: told of the progress.

    Raises:
        BenchError: something that the user can mend; what was finished is kept.
    """
    workforce = Engine(engine, workers)
    if scoring not in SCORING:
        raise BenchError(f"Unknown scoring {scoring!r}; expected one of: {', '.join(SCORING)}.")
    spec = RunSpec(method, suite, track, dict(parameters or {}), limit, batch_size, device, dtype, scheduler, dict(numerics or {}))
    progress = progress or Quiet()
    with listed(spec.track, spec.loaded_track):
        # The suite first, which costs nothing. A scorer that is unknown or lacks its weights is refused before hours of generation, not after.
        units = plan(spec.loaded_suite.samples, spec.batch)
        planned = plan_scorers(scorers if scorers is not None else spec.loaded_track.scorers_on(spec.suite), spec.loaded_track)
        folder, run_id = folder_of(spec, Path(out))
    with folder.lock():
        missing = folder.missing_units(len(units))
        if missing:
            _begin(folder, spec, run_id, len(units))
            _generate(Job(spec, folder, make=True, scorers=planned if scoring == "during" else ()), missing, workforce, progress)
        _score(spec, folder, planned, workforce, progress)
    return describe(folder, spec)


def _score(spec: RunSpec, folder: RunFolder, planned: Sequence[Planned], engine: Engine, progress: Progress) -> None:
    """Bring the scores of every finished unit up to date; the caller holds the run's lock."""
    left = unscored(folder, planned)
    if left:
        engine.work(Job(spec, folder, make=False, scorers=tuple(planned)), left, _bars(spec, progress, (), left))
    make_current(folder, planned)


def _bars(spec: RunSpec, progress: Progress, made: Sequence[int], scored: Sequence[int]) -> Told:
    """Return what workers tell of their progress: one bar for what is made and one for what is scored."""
    units = plan(spec.loaded_suite.samples, spec.batch)
    titles = {"made": (f"{spec.method} on {spec.suite}", made), "scored": ("score", scored)}
    bars = {kind: progress.start(title, sum(len(units[index].samples) for index in todo)) for kind, (title, todo) in titles.items() if todo}
    return lambda kind, count: bars[kind](count)


def _begin(folder: RunFolder, spec: RunSpec, run_id: str, units: int) -> None:
    """Write the manifest of a new run; refuse to mix numerics in an old one."""
    now = versions()
    if folder.exists():
        before = folder.manifest()["versions"]
        changed = [name for name in NUMERIC if before.get(name) != now[name]]
        if changed:
            name = changed[0]
            raise BenchError(
                f"The run {folder.path} was begun with {name} {before.get(name)}; here is {now[name]}, whose images may differ. "
                f"Install {name}=={before.get(name)} to go on, or give another --out to begin anew."
            )
        return
    suite = spec.loaded_suite
    identity = spec.identity()
    folder.write_manifest(
        {
            "run_id": run_id,
            "spec": {
                "method": spec.method,
                "suite": spec.suite,
                "track": spec.track,
                "parameters": dict(spec.parameters),
                "limit": spec.limit,
                "batch_size": spec.batch_size,
                "device": spec.device,
                "dtype": spec.dtype,
                "scheduler": spec.scheduler,
                "numerics": dict(spec.numerics),
            },
            **identity,
            "method": {**identity["method"], **_says(spec)},
            "suite": {
                **identity["suite"],
                "unsafe": suite.info.unsafe,
                "prompts": suite.prompts,
                "total_prompts": suite.total,
                "screened_out": len(suite.excluded),
                "screened_out_sha256": list(suite.excluded),
            },
            "scheduler": configured(spec.loaded_track.base_path(), spec.loaded_track.scheduler),
            "numerics": asdict(spec.context.numerics),
            "proxy": spec.loaded_track.proxy,
            "safety_checker": "the method's own" if "checker" in identity["method"]["parameters"] else "off",
            "samples": len(suite.samples),
            "units": units,
            "versions": now,
            "git": git_state(),
            "machine": machine(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "scorers": {},
        }
    )


def _says(spec: RunSpec) -> dict[str, Any]:
    """Return what a method says of itself, for the run's manifest: not part of what decides the images."""
    method = spec.make_method()
    info = method.info
    return {
        "passed": method.passed,
        "kind": info.kind.value,
        "summary": info.summary,
        "paper": info.paper,
        "code": info.code,
        "licence": info.licence,
        "trained_on": list(info.trained_on),
    }


def _generate(job: Job, missing: Sequence[int], engine: Engine, progress: Progress) -> None:
    began = time.perf_counter()
    workers = engine.work(job, missing, _bars(job.spec, progress, made=missing, scored=missing if job.scorers else ()))
    session = {"engine": engine.name, "workers": workers, "units": len(missing), "seconds": round(time.perf_counter() - began, 3)}
    manifest = job.folder.manifest()
    manifest.pop("schema_version")
    job.folder.write_manifest({**manifest, "sessions": [*manifest.get("sessions", []), session]})


def describe(folder: RunFolder, spec: RunSpec | None = None) -> Run:
    """Return what is known of a run without reading its images."""
    manifest = folder.manifest()
    spec = spec or RunSpec(**manifest["spec"])
    counts = {"generated": 0, "blocked": 0, "failed": 0}
    done = split = 0
    for marker in folder.markers().values():
        split += int(marker.get("split", 0))
        done += int(marker["samples"])
        for status in counts:
            counts[status] += int(marker[status])
    missing = int(manifest["samples"]) - done
    current = manifest.get("scorers", {})
    scored = all(not folder.unscored_units(each) for each in folder.score_sets() if current.get(each.scorer) == each.fingerprint)
    complete = missing == 0 and counts["failed"] == 0 and scored and bool(current)
    return Run(folder.path, spec, complete, int(manifest["samples"]), {**counts, "missing": missing}, split)


def score(path: Path | str, scorers: Sequence[str] | None = None, progress: Progress | None = None, *, workers: int | None = None) -> Run:
    """Add or recompute the scores of a run without generating; the track's scorers where none are named."""
    folder = RunFolder.open(Path(path))
    run = describe(folder)
    track = run.spec.loaded_track
    planned = plan_scorers(scorers if scorers is not None else track.scorers_on(run.spec.suite), track)
    with folder.lock():
        _score(run.spec, folder, planned, Engine(workers=workers), progress or Quiet())
    return describe(folder)


def load_run(path: Path | str) -> pd.DataFrame:
    """Return a run's records: one row a sample, with every scorer's columns.

    Raises:
        BenchError: ``path`` is no run folder, or a table is damaged or of another version.
    """
    from bench.records import load_records

    return load_records(RunFolder.open(Path(path)))


def find_runs(out: Path = OUT) -> list[Run]:
    """Return every run under ``out``, by path; what is not readable as a run is left out."""
    found = []
    for manifest in sorted(out.glob("*/*/*/manifest.json")):
        try:
            found.append(describe(RunFolder(manifest.parent)))
        except BenchError:
            continue
    return found


def verify(path: Path | str, progress: Progress | None = None) -> Verdict:
    """Read every byte of a run, and mark damaged units to be made again by the next ``run``; refuse a run whose suite has changed since."""
    from bench.store.verify import prove

    folder = RunFolder.open(Path(path))
    with folder.lock():
        return prove(folder, describe(folder).spec, progress or Quiet())


def regenerate(path: Path | str, count: int, seed: int = 0, progress: Progress | None = None) -> list[Regenerated]:
    """Make ``count`` random samples of a run again, in their batches, and compare them with the stored ones; errors as :func:`verify`."""
    from bench.store.regenerate import regenerate as again

    folder = RunFolder.open(Path(path))
    return again(folder, describe(folder).spec, count, seed, (progress or Quiet()).start("make again", count))


def compare(
    names: Sequence[str],
    suite: str,
    track: str = "mini",
    *,
    limit: int | None = None,
    out: Path | str = OUT,
    blocked_as_black: bool = True,
    rule: RuleChoice = TRACKS_OWN,
) -> list[dict[str, Any]]:
    """Return the paired comparison of finished runs with the first of them, one row a metric and method.

    Args:
        names: methods (their runs with default settings are looked up under ``out``) or run folders; the baseline first.
        suite: the suite that all were run on.
        track: the track.
        limit: the runs made with this limit.
        out: the folder of all runs.
        blocked_as_black: as in :func:`bench.report.columns`.
        rule: the counting rule; the track's for the suite where it asks for nothing.

    Raises:
        BenchError: fewer than two, a run is missing, incomplete, or of another suite or track, or its scores cannot answer the rule.
    """
    from bench.report import compare_rows

    if len(names) < 2:
        raise BenchError("Comparing takes at least two methods or run folders, the baseline first. Example: bench compare sd-v1.5 uce --suite i2p.")
    runs = [_find(name, suite, track, limit, Path(out)) for name in names]
    labels = [run.spec.method for run in runs]
    suites = [RunFolder(run.path).manifest()["suite"] for run in runs]
    if len({each["digest"] for each in suites}) > 1 or any(run.spec.loaded_track.name != runs[0].spec.loaded_track.name for run in runs):
        raise BenchError("These runs are of different suites, versions or tracks; numbers are compared within one of each.")
    if len(set(labels)) < len(labels):
        labels = [run.path.name for run in runs]
    chosen = [run.rule(rule) for run in runs]
    records = [(label, run.records()) for label, run in zip(labels, runs, strict=True)]
    return compare_rows(records, runs[0].spec.loaded_track, chosen[0], unsafe=suites[0]["unsafe"], blocked_as_black=blocked_as_black)


def _find(name: str, suite: str, track: str, limit: int | None, out: Path) -> Run:
    """Return the finished run called ``name``: a folder, or a method's run with default settings."""
    command = f"bench run --method {name} --suite {suite} --track {track}" + (f" --limit {limit}" if limit else "")
    path = Path(name) if (Path(name) / "manifest.json").is_file() else folder_of(RunSpec(name, suite, track, limit=limit), out)[0].path
    if not (path / "manifest.json").is_file():
        raise BenchError(f"There is no run of {name!r} on {suite!r} under {out}. Make it: `{command}`; of other settings, give the folder.")
    run = describe(RunFolder.open(path))
    if not run.complete:
        raise BenchError(f"The run {path} is incomplete: {run.counts['failed']} failed, {run.counts['missing']} missing. Finish it: `{command}`.")
    return run
