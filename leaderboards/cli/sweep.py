"""The verb ``bench sweep``: the runs and their table are the harness's, the figure is drawn here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.cli.options import (
    AttentionOption,
    BatchOption,
    BenignOption,
    ChannelsLastOption,
    ColumnOption,
    CompileOption,
    DeviceOption,
    DtypeOption,
    EngineOption,
    FormatOption,
    ImagesOption,
    LimitOption,
    OffloadOption,
    OutOption,
    QuietOption,
    SchedulerOption,
    ScorerOption,
    ScoringOption,
    TimeoutOption,
    TrackOption,
    WorkersOption,
    named_columns,
)
from bench.console import Bars, results_apart, say
from bench.errors import BenchError
from bench.formats import Format, show_table
from bench.runs import OUT

if TYPE_CHECKING:
    from bench.runs.sweeps import Sweep


@in_panel(HelpPanel.RUN)
def sweep(
    method: Annotated[str, typer.Argument(help="A method; see `bench ls methods`.")],
    suite: Annotated[list[str], typer.Option("--suite", "-s", metavar="NAME", help="A suite, or a file of prompts; may be repeated.")],
    sets: Annotated[list[str], typer.Option("--set", metavar="KEY=V1,V2", help="A parameter and its values; may be repeated for their product.")],
    track: TrackOption = "mini",
    limit: LimitOption = None,
    images: ImagesOption = None,
    benign: BenignOption = False,
    column: ColumnOption = None,
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
    label: Annotated[str | None, typer.Option("--label", help="What tables call the method; each run's values follow it.")] = None,
    out: OutOption = OUT,
    figures: Annotated[Path, typer.Option("--figures", help="The folder of the trade-off figure.")] = Path("figures"),
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Run a method at several values of its parameters; print the table and draw safety against quality, as PNG, PDF, SVG and a caption.

    The runs are those of `bench run`: what is finished is not made again, and a sweep that was ended goes on with the same command.
    A value with a comma in it stands in double quotes: --set 'concept="a cup, a mug",a plate'.

    Example: bench sweep sld-medium --suite i2p --suite drawbench --set scale=500,1000,2000 --limit 64
    """
    from bench.engine.sweep import sweep as sweep_method

    several, same = swept_values(method, track, sets)
    with Bars(quiet=quiet) as bars, results_apart():
        done = sweep_method(
            method,
            suite,
            several,
            track,
            parameters=same,
            label=label,
            out=out,
            limit=limit,
            images=images,
            benign=benign,
            columns=named_columns(column),
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
            progress=bars,
        )
    show_table(done.table(), form)
    _draw(done, figures)
    for line in done.failures():
        say(f"incomplete: {line}")
    if not done.complete:
        say("Run the same command again to make what is missing.")
        raise typer.Exit(1)


def swept_values(method: str, track: str, sets: list[str]) -> tuple[dict[str, list[Any]], Mapping[str, Any]]:
    """Return the values of ``--set`` by parameter: those that vary, and those with one value, unless none varies.

    Raises:
        BenchError: unknown method or parameter, a parameter that is given twice, or values that are none of its.
    """
    from bench.runs.spec import method_on
    from bench.runs.sweeps import read_values
    from bench.tracks import load_track

    adapter, _ = method_on(method, load_track(track), {})
    found: dict[str, list[Any]] = {}
    for each in sets:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise BenchError(f"A sweep's parameter is NAME=V1,V2,...; got {each!r}. Example: --set scale=500,1000,2000.")
        if name in found:
            raise BenchError(f"The parameter {name!r} is given twice; give its values in one --set, joined by commas.")
        found[name] = read_values(text, name, adapter.info.defaults)
    several = {name: values for name, values in found.items() if len(values) > 1} or found
    return several, {name: values[0] for name, values in found.items() if name not in several}


def _draw(done: Sweep, folder: Path) -> None:
    """Draw the figure; what keeps it from being drawn is said, and the runs stand without it."""
    from leaderboards.figures.style import drawing, save
    from leaderboards.figures.sweep import caption, draw, file_name, panels

    try:
        drawn = panels(done)
        with drawing():
            files = save(draw(done, drawn), folder, file_name(done), caption(done, drawn))
        say(f"written: {', '.join(str(path) for path in files)}")
    except BenchError as error:
        say(f"no figure: {error}")
