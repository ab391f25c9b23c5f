"""The command line: every verb is a thin function that calls the library."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from bench.console import Bars, say, warn_in_one_line
from bench.data.cli import app as data_app
from bench.errors import BenchError
from bench.fid.cli import fid
from bench.formats import Format, show
from bench.parity.cli import parity
from bench.power import power
from bench.rules import TRACKS_OWN, RuleChoice
from bench.speed import speed

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Measure how safe and how good a text-to-image model still is after safety alignment.\n\n"
    "Example: [bold]bench run --method sd-v1.5 --suite i2p --limit 64[/bold]",
)
app.add_typer(data_app, name="data")
app.command("fid", epilog="Example: bench fid runs/mini/coco30k/uce-1a2b3c4d --against photographs")(fid)
app.command("parity", epilog="Example: bench parity nudenet --images photographs")(parity)
app.command("power", epilog="Example: bench power --ip 0.35 --difference 0.05")(power)
app.command("speed", epilog="Example: bench speed sld-medium --batch-size 16 --rounds 5")(speed)

MethodOption = Annotated[str, typer.Option("--method", "-m", help="A method; see `bench ls methods`.")]
SuiteOption = Annotated[str, typer.Option("--suite", "-s", help="A suite; see `bench ls suites`.")]
TrackOption = Annotated[str, typer.Option("--track", "-t", help="A track; see `bench ls tracks`.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder of all runs.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the table.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
BlockedOption = Annotated[bool, typer.Option("--blocked-as-black/--delivered-only", help="Score blocked images as black ones, or leave them out.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="What counts as inappropriate; see `bench ls rules`. The track's where not given.")]
ThresholdOption = Annotated[float | None, typer.Option("--threshold", help="The least score of a detection that counts; the rule's where not given.")]
Q16Option = Annotated[float | None, typer.Option("--q16-threshold", help="The probability above which Q16 counts; the rule's where not given.")]
OUT = Path("runs")
NUMERICS = "Numerics (part of the run's identity)"


def named_values(given: list[str]) -> dict[str, Any]:
    """Return ``name=value`` options as a dict; values are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise BenchError(f"A parameter is NAME=VALUE; got {each!r}. Example: --set guidance=5.")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


@app.command(epilog="Example: bench run --method uce --suite i2p --limit 64 --gallery")
def run(
    method: MethodOption,
    suite: SuiteOption,
    track: TrackOption = "mini",
    limit: Annotated[int | None, typer.Option(help="Only the first N prompts (a fair sample: the frozen order is shuffled).")] = None,
    parameters: Annotated[list[str] | None, typer.Option("--set", help="A parameter of the method, NAME=VALUE; may be repeated.")] = None,
    scorer: Annotated[list[str] | None, typer.Option(help="Run this scorer instead of the track's; may be repeated.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a call; 1 is the reference mode. Part of the run's identity.")] = None,
    device: Annotated[str, typer.Option(help="A torch device: cpu, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    scheduler: Annotated[str | None, typer.Option(help="A sampler by name, such as ddim, pndm, lms, dpm++; the track's where not given.")] = None,
    attention: Annotated[str, typer.Option(help="sdpa or eager.", rich_help_panel=NUMERICS)] = "sdpa",
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Faster convolutions on tensor cores.", rich_help_panel=NUMERICS)] = False,
    compile_unet: Annotated[bool, typer.Option("--compile", help="torch.compile the U-Net.", rich_help_panel=NUMERICS)] = False,
    offload: Annotated[bool, typer.Option("--offload", help="Parts on the GPU only while they run.", rich_help_panel=NUMERICS)] = False,
    scoring: Annotated[str, typer.Option(help="Score during generation, or after it to save memory.")] = "during",
    engine: Annotated[str, typer.Option(help="Who does the work: local, this machine; or ray, a Ray cluster.")] = "local",
    workers: Annotated[int | None, typer.Option(help="Processes; one a core where not given, and of ray one a GPU on a GPU.")] = None,
    out: OutOption = OUT,
    gallery: Annotated[bool, typer.Option("--gallery", help="Also write a contact sheet, gallery.html and gallery.png.")] = False,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Generate what is missing, score what is missing, print the table."""
    from bench import api

    with Bars(quiet=quiet) as bars:
        done = api.run(
            method,
            suite,
            track,
            parameters=named_values(parameters or []),
            limit=limit,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            scheduler=scheduler,
            numerics={"attention": attention, "channels_last": channels_last, "compile": compile_unet, "offload": offload},
            scorers=scorer,
            scoring=scoring,
            engine=engine,
            workers=workers,
            out=out,
            progress=bars,
        )
    _print_run(done, form, blocked_as_black=blocked_as_black, rule=TRACKS_OWN)
    if gallery:
        _write_gallery(done)
    _end(done)


@app.command(epilog="Example: bench score runs/mini/i2p/uce-1a2b3c4d --scorer nudenet")
def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    scorer: Annotated[list[str] | None, typer.Option(help="This scorer alone; may be repeated.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; on a CPU one a core where not given.")] = None,
    rule: RuleOption = None,
    threshold: ThresholdOption = None,
    q16_threshold: Q16Option = None,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Add or recompute a run's scores without generating."""
    from bench import api, run_tables

    choice = RuleChoice(rule, threshold, q16_threshold)
    (opened,) = run_tables.open_runs([run])
    opened.spec.loaded_track.rule(opened.spec.suite, choice)  # an unknown rule is refused before hours of scoring, not after
    with Bars(quiet=quiet) as bars:
        done = api.score(run, scorer, bars, workers=workers)
    _print_run(done, form, blocked_as_black=blocked_as_black, rule=choice)
    _end(done)


@app.command(epilog="Example: bench report runs/mini/i2p/uce-1a2b3c4d --rule glyphs --threshold 0.3")
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, of one track.")],
    rule: RuleOption = None,
    threshold: ThresholdOption = None,
    q16_threshold: Q16Option = None,
    sweep: Annotated[str, typer.Option(help="IP alone, at each of these detection thresholds: 0.25,0.4,0.6.")] = "",
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
) -> None:
    """Print the table of finished runs, under another counting rule or threshold if you like: no image is read, no model is loaded."""
    from bench import run_tables

    opened, choice = run_tables.open_runs(runs), RuleChoice(rule, threshold, q16_threshold)
    if sweep:
        table = run_tables.sweep(opened, _numbers(sweep), rule=choice)
    else:
        table = run_tables.report(opened, rule=choice, blocked_as_black=blocked_as_black)
    _show_runs(table, form)


@app.command(epilog="Example: bench ls methods")
def ls(
    what: Annotated[str, typer.Argument(help="methods, suites, scorers, tracks or rules.")] = "methods",
    form: FormatOption = Format.TABLE,
) -> None:
    """List what is there."""
    from bench.listing import rows

    show(rows(what), form, title=what)


@app.command("show", epilog="Example: bench show uce")
def show_one(
    name: Annotated[str, typer.Argument(help="A method, suite, scorer, track, rule, or run folder.")], form: FormatOption = Format.TABLE
) -> None:
    """Show everything known of one method, suite, scorer, track, rule or run."""
    from bench.listing import describe

    show(describe(name), form, title=name)


@app.command(epilog="Example: bench status")
def status(out: OutOption = OUT, form: FormatOption = Format.TABLE) -> None:
    """List the runs with their state."""
    from bench import api
    from bench.listing import status_rows

    rows = status_rows(api.find_runs(out))
    if form is Format.TABLE:  # the path says track, suite and method
        rows = [{key: row[key] for key in ("run", "state", "samples", "generated", "blocked", "failed", "missing")} for row in rows]
    show(rows, form, title=f"runs in {out}")


@app.command(epilog="Example: bench verify runs/mini/i2p/uce-1a2b3c4d --regenerate 8")
def verify(
    run: Annotated[Path, typer.Argument(help="A run folder, or a bundle that `bench submit` wrote.")],
    regenerate: Annotated[str, typer.Option(help="Also make random samples again and compare them: a number, or a share such as 5%.")] = "0",
    seed: Annotated[int | None, typer.Option(help="Of the choice of those samples; 0 for a run and drawn for a bundle where not given.")] = None,
    images: Annotated[Path | None, typer.Option(help="Of a bundle: its run's folder `images`, to compare pixels where hashes differ.")] = None,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Prove that every sample stands exactly once and every byte is right; mark what is damaged to be made again.

    Of a bundle (docs/submit.md): check it, make samples again with the method as it is here, score them, and write what was found beside it.
    """
    from bench import api
    from bench.listing import verdict_rows
    from bench.store.regenerate import how_many

    if run.is_file():
        _verify_file(run, regenerate=regenerate, seed=seed, images=images, form=form, quiet=quiet)
        return
    if images is not None:
        raise BenchError("--images belongs to a bundle; a run folder has its own images.")
    with Bars(quiet=quiet) as bars:
        how_many(regenerate, 0)  # refused before everything is read, not after
        verdict = api.verify(run, bars)
        count = how_many(regenerate, verdict.samples)
        again = api.regenerate(run, count, seed or 0, bars) if count and verdict.whole else []
    show(verdict_rows(verdict, again), form, title=str(run))
    if verdict.damaged:
        say(f"{len(verdict.damaged)} damaged unit(s) will be made again by the same `bench run`.")
    if not verdict.whole or not all(each.agrees for each in again):
        raise typer.Exit(1)


@app.command(epilog="Example: bench compare sd-v1.5 uce sld-medium --suite i2p")
def compare(
    methods: Annotated[list[str], typer.Argument(help="Methods or run folders; the first is the baseline.")],
    suite: SuiteOption,
    track: TrackOption = "mini",
    limit: Annotated[int | None, typer.Option(help="The runs made with this --limit.")] = None,
    out: OutOption = OUT,
    rule: RuleOption = None,
    threshold: ThresholdOption = None,
    q16_threshold: Q16Option = None,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
) -> None:
    """Compare finished runs on the same samples: paired tests against the first, adjusted by Holm."""
    from bench import api

    choice = RuleChoice(rule, threshold, q16_threshold)
    rows = api.compare(methods, suite, track, limit=limit, out=out, blocked_as_black=blocked_as_black, rule=choice)
    caption = (
        "Differences from the first method on the same samples; p adjusted by Holm over the methods. "
        "Shares: Tango interval, exact McNemar. Means: paired bootstrap of prompts, swap test."
        + "".join(f" IP by rule {name} (see `bench ls rules`)." for name in sorted({row["rule"] for row in rows} - {None}))
    )
    if form is Format.TABLE:  # the other formats keep every column
        sizes = {row["n"] for row in rows}
        same = len(sizes) == 1  # then it is said once, and the names have its room
        caption = f"n = {sizes.pop()} images a number. {caption}" if same else caption
        keys = ("metric", "method", "value", "value_low", "value_high", "n", "difference", "difference_low", "difference_high", "p_holm")
        rows = [{key: row[key] for key in keys if not (same and key == "n")} for row in rows]
    show(rows, form, title=f"{suite} on {track}", caption=caption)


@app.command("check-method", epilog="Example: bench check-method uce")
def check_method(
    name: Annotated[str, typer.Argument(help="A method; see `bench ls methods`.")],
    track: TrackOption = "mini",
    parameters: Annotated[list[str] | None, typer.Option("--set", help="A parameter of the method, NAME=VALUE; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="A torch device: cpu, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Also measure memory, load time and speed.")] = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Prove that an adapter keeps its contract, rule by rule; under a minute on the miniature."""
    from bench.checking import Verdict, check_method, table_rows

    with Bars(quiet=quiet) as bars:
        results = check_method(name, track, parameters=named_values(parameters or []), device=device, dtype=dtype, measure=measure, progress=bars)
    show(table_rows(results, form), form, title=f"{name} on {track}, {device}, {dtype}")
    failed = [each.rule for each in results if each.result is Verdict.FAILED]
    if failed:
        say(f"{name} breaks {len(failed)} rule(s): {', '.join(failed)}. Each is explained in docs/bring-your-method.md.")
        raise typer.Exit(1)


@app.command("new-method", epilog="Example: bench new-method my-method --kind guidance")
def new_method(
    name: Annotated[str, typer.Argument(help="The method's name: lower case, words joined by hyphens.")],
    kind: Annotated[str, typer.Option("--kind", "-k", help="guidance, filter or edit.")] = "guidance",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder to make; ./NAME where not given.")] = None,
) -> None:
    """Write a small package that holds a working method, to be changed into yours.

    Fine-tuned weights need no package: bench run --method unet:FOLDER, or lora:FOLDER.
    """
    from bench.scaffold import new_method

    folder = new_method(name, kind, out)
    say(f"written: {folder}. Next: pip install -e {folder}, then bench check-method {name}")


def _print_run(done: Any, form: Format, *, blocked_as_black: bool, rule: RuleChoice) -> None:
    from bench import run_tables

    _show_runs(run_tables.report([done], rule=rule, blocked_as_black=blocked_as_black), form)


def _show_runs(table: Any, form: Format) -> None:
    show(table.shown() if form is Format.TABLE else table.rows, form, title=table.title, caption=table.caption)


def _numbers(text: str) -> list[float]:
    """Return numbers that are given as ``0.25,0.4``."""
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise BenchError(f"Thresholds are numbers joined by commas, such as 0.25,0.4,0.6; got {text!r}.") from None


def _write_gallery(done: Any) -> None:
    from bench.gallery import write_gallery
    from bench.store.run_folder import RunFolder

    blur = done.spec.loaded_suite.info.unsafe and not done.spec.loaded_track.proxy
    page, sheet = write_gallery(RunFolder(done.path), done.records(), blur=blur)
    say(f"gallery: {page} and {sheet}")


def _verify_file(path: Path, **options: Any) -> None:
    """Hand a file to the package that knows its kind (entry-point group ``bench.verifiers``)."""
    for point in entry_points(group="bench.verifiers"):
        point.load()(path, **options)
        return
    raise BenchError(f"{path} is a file, and nothing here verifies files. Give a run folder, or install the project again: `make env`.")


def _end(done: Any) -> None:
    """Leave with exit code 1 where the run is not complete, and say why."""
    if done.complete:
        return
    failed = done.counts["failed"]
    reason = f" {failed} sample(s) failed: {done.first_failure()}." if failed else ""
    say(f"incomplete: {done.path}.{reason} Run the same command again to make what is missing.")
    raise typer.Exit(1)


def _mount_commands() -> None:
    """Add the verbs of other packages (entry-point group ``bench.commands``); a broken one is a warning that names it."""
    for point in entry_points(group="bench.commands"):
        try:
            app.command(point.name)(point.load())
        except Exception as error:
            say(f"warning: the command {point.name!r} ({point.value}) does not load: {error!r}")


def main() -> NoReturn:
    """Run the command line: 0 for success, 1 for an incomplete run, 2 for what the user can mend, 130 for Ctrl-C."""
    warn_in_one_line()
    _mount_commands()
    try:
        code = app(standalone_mode=False) or 0
    except BenchError as error:
        say(f"error: {error}")
        code = 2
    except typer.Exit as left:
        code = left.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        code = 0
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            say(f"error: {error.format_message()} See `bench --help`.")
            code = 2
        else:
            raise
    if code == 130:  # typer turns Ctrl-C into this exit code itself
        say("interrupted: what was finished is kept; run the same command again to go on.")
    sys.exit(code)
