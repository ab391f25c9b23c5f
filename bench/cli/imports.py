"""The verb that brings images made elsewhere: ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    BenignOption,
    BlockedOption,
    ColumnOption,
    FormatOption,
    GalleryOption,
    OutOption,
    QuietOption,
    ScorerOption,
    SuiteOption,
    TimeoutOption,
    TrackOption,
    named_columns,
)
from bench.cli.runs import end, print_run, write_run_gallery
from bench.console import Bars, results_apart, say
from bench.formats import Format
from bench.rules import TRACKS_OWN
from bench.runs import OUT


def import_verb(
    source: Annotated[Path, typer.Argument(metavar="FOLDER|LIST", help="A folder of images; or a CSV, TSV or JSONL: prompt_id, image_index, path.")],
    suite: SuiteOption,
    name: Annotated[str, typer.Option("--as", help="What made the images; the run's method is imported:NAME.")],
    track: TrackOption = "mini",
    by: Annotated[str | None, typer.Option(help="What files are named by: id, or order (places in the suite). Told by what fits.")] = None,
    limit: Annotated[int | None, typer.Option(help="The images are of the first N prompts only.")] = None,
    benign: BenignOption = False,
    column: ColumnOption = None,
    scorer: ScorerOption = None,
    device: Annotated[str, typer.Option(help="Where scorers run: cpu, cuda, cuda:1.")] = "cpu",
    workers: Annotated[int | None, typer.Option(help="Processes that score; one a core where not given.")] = None,
    unit_timeout: TimeoutOption = None,
    out: OutOption = OUT,
    gallery: GalleryOption = False,
    blocked_as_black: BlockedOption = True,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Score images that another tool made of a suite's prompts, as a run like any other: ID.png, ID_0.png, ID/0.png, or a list of them."""
    from bench.engine.imported import import_images
    from bench.runs.folder import RunFolder
    from bench.runs.imported import brought_in_words

    with Bars(quiet=quiet) as bars, results_apart():
        done = import_images(
            source,
            suite,
            name,
            track,
            by=by,
            limit=limit,
            benign=benign,
            columns=named_columns(column),
            scorers=scorer,
            device=device,
            workers=workers,
            unit_timeout=unit_timeout,
            isolate=True,
            out=out,
            progress=bars,
        )
    say(brought_in_words(RunFolder.open(done.path).manifest(), done.counts, done.samples))
    print_run(done, form, blocked_as_black=blocked_as_black, rule=TRACKS_OWN)
    if gallery:
        write_run_gallery(done)
    end(done)
