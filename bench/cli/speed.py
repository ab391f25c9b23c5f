"""The verb ``bench speed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import FormatOption
from bench.console import Bars, say
from bench.formats import Format, show


def speed(
    methods: Annotated[list[str], typer.Argument(help="Methods, with their default parameters.")],
    track: Annotated[str, typer.Option("--track", "-t", help="A track; see `bench ls tracks`.")] = "mini",
    device: Annotated[str, typer.Option(help="A torch device: cpu, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    rounds: Annotated[int, typer.Option(help="How often each is timed.")] = 10,
    batch_size: Annotated[int | None, typer.Option(help="Samples a call; the track's where not given.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also keep the rows in this CSV; a board shows BOARD/speed.csv.")] = None,
    form: FormatOption = Format.TABLE,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Measure a method's time an image over that of the track's unaligned base: by turns in one process, with an interval."""
    from bench.checking.timing import measure
    from bench.errors import BenchError
    from bench.reports.speeds import keep, read_speeds
    from bench.runs.spec import DTYPES
    from bench.tracks import load_track
    from bench.types import Context

    if dtype not in DTYPES:
        raise BenchError(f"Unknown dtype {dtype!r}; expected one of: {', '.join(DTYPES)}.")
    if out is not None and out.exists():
        read_speeds(out)  # another kind of file is refused before minutes of measuring, not after
    with Bars(quiet=quiet) as bars:
        advance = bars.start("speed", rounds * len(methods), "rounds")
        rows = measure(methods, Context(load_track(track), device, dtype), rounds=rounds, batch=batch_size, advance=advance)
    if out is not None:
        keep(rows, out)
        say(f"written: {out}")
    caption = (
        "seconds: an image's, the median round. ratio: over the base's time in the same round, the mean with its 95% interval. "
        f"{rows[0]['device']}, {dtype}, {rows[0]['batch']} a call, {rounds} rounds, base {rows[0]['base']}."
    )
    if form is Format.TABLE:
        rows = [{key: row[key] for key in ("method", "seconds", "ratio", "ratio_low", "ratio_high")} for row in rows]
    show(rows, form, title=f"speed on {track}", caption=caption)
