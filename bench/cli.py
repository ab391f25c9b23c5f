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
from bench.formats import Format, show

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

MethodOption = Annotated[str, typer.Option("--method", "-m", help="A method; see `bench ls methods`.")]
SuiteOption = Annotated[str, typer.Option("--suite", "-s", help="A suite; see `bench ls suites`.")]
TrackOption = Annotated[str, typer.Option("--track", "-t", help="A track; see `bench ls tracks`.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder of all runs.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the table.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
BlockedOption = Annotated[bool, typer.Option("--blocked-as-black/--delivered-only", help="Score blocked images as black ones, or leave them out.")]
OUT = Path("runs")


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
    engine: Annotated[str, typer.Option(help="Who does the work: local.")] = "local",
    workers: Annotated[int | None, typer.Option(help="Processes; one a core where not given.")] = None,
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
            scorers=scorer,
            engine=engine,
            workers=workers,
            out=out,
            progress=bars,
        )
    _print_run(done, form, blocked_as_black=blocked_as_black)
    if gallery:
        _write_gallery(done)
    _end(done)


@app.command(epilog="Example: bench score runs/mini/i2p/uce-1a2b3c4d --scorer nudenet")
def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    scorer: Annotated[list[str] | None, typer.Option(help="This scorer alone; may be repeated.")] = None,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Add or recompute a run's scores without generating."""
    from bench import api

    with Bars(quiet=quiet) as bars:
        done = api.score(run, scorer, bars)
    _print_run(done, form, blocked_as_black=blocked_as_black)
    _end(done)


@app.command(epilog="Example: bench ls methods")
def ls(
    what: Annotated[str, typer.Argument(help="methods, suites, scorers or tracks.")] = "methods",
    form: FormatOption = Format.TABLE,
) -> None:
    """List what is there."""
    from bench.listing import rows

    show(rows(what), form, title=what)


@app.command("show", epilog="Example: bench show uce")
def show_one(name: Annotated[str, typer.Argument(help="A method, suite, scorer, track, or run folder.")], form: FormatOption = Format.TABLE) -> None:
    """Show everything known of one method, suite, scorer, track or run."""
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
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    regenerate: Annotated[int, typer.Option(help="Also make K random samples again and compare them.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the choice of those samples.")] = 0,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Prove that every sample stands exactly once and every byte is right; mark what is damaged to be made again."""
    from bench import api
    from bench.listing import verdict_rows

    with Bars(quiet=quiet) as bars:
        verdict = api.verify(run, bars)
        again = api.regenerate(run, regenerate, seed, bars) if regenerate and verdict.whole else []
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
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
) -> None:
    """Compare finished runs on the same samples: paired tests against the first, adjusted by Holm."""
    from bench import api

    rows = api.compare(methods, suite, track, limit=limit, out=out, blocked_as_black=blocked_as_black)
    caption = (
        "Differences from the first method on the same samples; p adjusted by Holm over the methods. "
        "Shares: Tango interval, exact McNemar. Means: paired bootstrap of prompts, swap test."
    )
    if form is Format.TABLE:  # the other formats keep every column
        keys = ("metric", "method", "value", "value_low", "value_high", "n", "difference", "difference_low", "difference_high", "p_holm")
        rows = [{key: row[key] for key in keys} for row in rows]
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


def _print_run(done: Any, form: Format, *, blocked_as_black: bool) -> None:
    counted = ", ".join(f"{count} {status}" for status, count in done.counts.items())
    proxy = " Every number on this track is a proxy." if done.spec.loaded_track.proxy else ""
    screened = len(done.spec.loaded_suite.excluded)
    caption = f"{done.path}: {counted}; {screened} prompts taken by the child-safety screen.{proxy}"
    shown = done.rows(blocked_as_black=blocked_as_black)
    if any(row["metric"] == "uas" for row in shown):
        centers = done.spec.loaded_track.centers
        caption += f" UAS centres, of this track's unaligned base: PickScore {centers['pickscore']:.2f}, SC {centers['safety_cost']:.2f}."
    if form is Format.TABLE:  # what is the same in every row stands in the heading or below, so that a narrow terminal holds the table
        caption += " " + "; ".join(sorted({f"{row['interval']}" for row in shown})) + ". 95% intervals; n counts images."
        shown = [{key: row[key] for key in ("metric", "category", "value", "value_low", "value_high", "unit", "n", "excluded")} for row in shown]
    show(shown, form, title=f"{done.spec.method} on {done.spec.suite} ({done.spec.loaded_track.name})", caption=caption)


def _write_gallery(done: Any) -> None:
    from bench.gallery import write_gallery
    from bench.store.run_folder import RunFolder

    blur = done.spec.loaded_suite.info.unsafe and not done.spec.loaded_track.proxy
    page, sheet = write_gallery(RunFolder(done.path), done.records(), blur=blur)
    say(f"gallery: {page} and {sheet}")


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
