"""The verbs that make runs and look after them: ``run``, ``score``, ``status``, ``verify``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.options import (
    AttentionOption,
    BatchOption,
    BenignOption,
    BlockedOption,
    ChannelsLastOption,
    ColumnOption,
    CompileOption,
    DeviceOption,
    DtypeOption,
    EngineOption,
    FormatOption,
    GalleryOption,
    ImagesOption,
    LabelOption,
    LimitOption,
    MethodOption,
    OffloadOption,
    OutOption,
    Q16Option,
    QuietOption,
    RuleOption,
    SchedulerOption,
    ScorerOption,
    ScoringOption,
    SuiteOption,
    ThresholdOption,
    TimeoutOption,
    TrackOption,
    WorkersOption,
    named_columns,
    named_values,
)
from bench.console import Bars, results_apart, say
from bench.errors import BenchError
from bench.files.atomic import Doing
from bench.formats import Format, show, show_table
from bench.rules import TRACKS_OWN, RuleChoice
from bench.runs import OUT


def run(
    method: MethodOption,
    suite: SuiteOption,
    track: TrackOption = "mini",
    benign: BenignOption = False,
    column: ColumnOption = None,
    limit: LimitOption = None,
    images: ImagesOption = None,
    shard: Annotated[str | None, typer.Option(help="Make the second of eight shares of the work: 2/8. `bench merge` joins them.")] = None,
    parameters: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VAL", help="A parameter of the method; may be repeated.")] = None,
    scorer: ScorerOption = None,
    batch_size: BatchOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    scheduler: SchedulerOption = None,
    attention: AttentionOption = "sdpa",
    channels_last: ChannelsLastOption = False,
    compile_unet: CompileOption = False,
    offload: OffloadOption = False,
    scoring: ScoringOption = "during",
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    unit_timeout: TimeoutOption = None,
    label: LabelOption = None,
    out: OutOption = OUT,
    gallery: GalleryOption = False,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Generate what is missing, score what is missing, print the table."""
    from bench.engine.run import run as run_method

    with Bars(quiet=quiet) as bars, results_apart():
        done = run_method(
            method,
            suite,
            track,
            parameters=named_values(parameters or []),
            benign=benign,
            columns=named_columns(column),
            limit=limit,
            images=images,
            shard=shard,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            scheduler=scheduler,
            numerics={"attention": attention, "channels_last": channels_last, "compile": compile_unet, "offload": offload},
            scorers=scorer,
            scoring=scoring,
            engine=engine,
            workers=workers,
            unit_timeout=unit_timeout,
            isolate=True,
            label=label,
            out=out,
            progress=bars,
        )
    print_run(done, form, blocked_as_black=blocked_as_black, rule=TRACKS_OWN)
    if gallery:
        write_run_gallery(done)
    end(done)


def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    scorer: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This scorer alone; may be repeated.")] = None,
    device: Annotated[str | None, typer.Option(help="Where scorers compute: cpu, cuda, cuda:1; the run's own device where not given.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; on a CPU one a core where not given.")] = None,
    unit_timeout: TimeoutOption = None,
    rule: RuleOption = None,
    threshold: ThresholdOption = None,
    q16_threshold: Q16Option = None,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Add or recompute a run's scores without generating."""
    from bench.engine.run import score as score_run
    from bench.runs.find import spec_of
    from bench.runs.folder import RunFolder

    choice = RuleChoice(rule, threshold, q16_threshold)
    spec = spec_of(RunFolder.open(run))
    spec.loaded_track.rule(spec.suite, choice)  # an unknown rule is refused before hours of scoring, not after
    with Bars(quiet=quiet) as bars, results_apart():
        done = score_run(run, scorer, bars, workers=workers, unit_timeout=unit_timeout, isolate=True, device=device)
    print_run(done, form, blocked_as_black=blocked_as_black, rule=choice)
    end(done)


def status(out: OutOption = OUT, form: FormatOption = Format.TABLE) -> None:
    """List the runs with their state."""
    from bench.reports.listing import status_rows
    from bench.runs.find import survey

    rows = status_rows(*survey(out))
    if not rows and out != OUT and not out.is_dir():
        raise BenchError(f"There is no folder {out}. Give the folder that runs were made in (--out).")
    if form is Format.TABLE:  # the path says track, suite and method
        why = ("reason",) if any(row["reason"] for row in rows) else ()
        who = ("label",) if any(row["label"] != row["method"] for row in rows) else ()
        rows = [{key: row[key] for key in ("run", *who, "state", "samples", "missing", "failed", "blocked", "generated", *why)} for row in rows]
    show(rows, form, title=f"runs in {out}")


def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of one run: shares (--shard), or of other limits and images.")],
    out: OutOption = OUT,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Join folders of one run, made on several machines, into the one under --out: each is proven first, and stays as it is."""
    from bench.runs.find import command
    from bench.runs.merge import merge as merge_runs

    with Bars(quiet=quiet) as bars:
        done = merge_runs(runs, out, bars)
    say(f"merged: {done.path}")
    if not done.complete:
        say(f"incomplete: {done.counts['missing']} missing, {done.counts['failed']} failed. Make the rest: `{command(done.spec)}`.")
    print_run(done, form, blocked_as_black=blocked_as_black, rule=TRACKS_OWN)
    if not done.complete:
        raise typer.Exit(1)


def rm(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs with their images and scores, after asking."""
    from bench.runs.folder import RunFolder
    from bench.runs.remove import remove

    folders = [RunFolder(path) for path in dict.fromkeys(each.resolve() for each in runs)]
    for folder in folders:  # all or none
        if not RunFolder.is_run(folder.path):
            raise BenchError(f"{folder.path} is not a run folder: nothing is removed. List runs with `bench status`.")
        say(f"{folder.path}: {len(folder.marked_units())} finished unit(s)")
    if not yes and not _agreed(f"Remove {len(folders)} run(s) for good?"):
        say("nothing is removed.")
        raise typer.Exit(1)
    with ExitStack() as held:  # all or none
        for folder in folders:
            held.enter_context(folder.lock(Doing.REMOVE))
    for folder in folders:
        remove(folder)
        say(f"removed: {folder.path}")


def is_asked() -> bool:
    """Return whether somebody can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty()


def _agreed(question: str) -> bool:
    """Return whether the user says yes; Ctrl-C and the end of the input are a no.

    Raises:
        BenchError: there is nobody to ask.
    """
    if not is_asked():
        raise BenchError("Nothing is removed: there is no terminal to ask on. Say it beforehand: `bench rm --yes RUN...`.")
    try:
        return typer.confirm(question, err=True)
    except (typer.Abort, KeyboardInterrupt, EOFError):
        say("")  # the question's line is not ended
        return False


def verify(
    run: Annotated[Path, typer.Argument(help="A run folder, or a bundle that `bench submit` wrote.")],
    regenerate: Annotated[str, typer.Option(help="Also make random samples again and compare them: a number, or a share such as 5%.")] = "0",
    seed: Annotated[int | None, typer.Option(help="Of the choice of those samples; 0 for a run and drawn for a bundle where not given.")] = None,
    images: Annotated[Path | None, typer.Option(help="Of a bundle: its run's folder `images`, to compare pixels where hashes differ.")] = None,
    unit_timeout: TimeoutOption = None,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Prove that every sample stands exactly once, every byte is right and the manifest is true; mark what is damaged to be made again.

    Of a bundle (docs/submit.md): check it, make samples again with the method as it is here, score them, and write what was found beside it.
    """
    from bench.guard.apart import apart
    from bench.guard.calls import UnitLimit
    from bench.reports.listing import verdict_rows
    from bench.runs.regenerate import how_many, refuse_imported
    from bench.runs.regenerate import regenerate as regenerate_samples
    from bench.runs.verify import verify as verify_run

    if run.is_file():
        _verify_file(run, regenerate=regenerate, seed=seed, images=images, unit_timeout=unit_timeout, form=form, quiet=quiet)
        return
    if images is not None:
        raise BenchError("--images belongs to a bundle; a run folder has its own images.")
    with Bars(quiet=quiet) as bars:
        limit = UnitLimit(unit_timeout)
        if how_many(regenerate, 1):  # refused before everything is read, not after
            refuse_imported(run)
        verdict = verify_run(run, bars)
        count = how_many(regenerate, verdict.samples)
        again = apart(regenerate_samples, run, count, seed or 0, limit=limit, progress=bars) if count and verdict.whole else []
    show(verdict_rows(verdict, again), form, title=str(run))
    if remedy := verdict.remedy():
        say(remedy)
    if not verdict.whole or not all(each.agrees for each in again):
        raise typer.Exit(1)


def print_run(done: Any, form: Format, *, blocked_as_black: bool, rule: RuleChoice) -> None:
    """Print a run's table."""
    from bench.reports.run_tables import report_table

    show_table(report_table([done], rule=rule, blocked_as_black=blocked_as_black), form)


def write_run_gallery(done: Any) -> None:
    """Write a run's contact sheet and say where it is."""
    from bench.reports.gallery.write import write_gallery

    say(write_gallery([done.path], done.path).sentence())


def _verify_file(path: Path, **options: Any) -> None:
    """Hand a file to the package that knows its kind (entry-point group ``bench.verifiers``)."""
    for point in entry_points(group="bench.verifiers"):
        point.load()(path, **options)
        return
    raise BenchError(f"{path} is a file, and nothing here verifies files. Give a run folder, or install the project again: `make env`.")


def end(done: Any) -> None:
    """Leave with exit code 1 where something is left to do, and say what."""
    if done.finished:
        return
    reasons = [done.failures(), *done.lacking_scores()]
    said = "".join(f" {each}." for each in reasons if each)
    say(f"incomplete: {done.path}.{said} Run the same command again to make what is missing.")
    raise typer.Exit(1)
