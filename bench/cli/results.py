"""The verbs that read what runs have stored: ``report``, ``compare``, ``ls``, ``show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.options import (
    BenignOption,
    BlockedOption,
    ColumnOption,
    FormatOption,
    OutOption,
    Q16Option,
    RuleOption,
    ThresholdOption,
    named_columns,
    named_labels,
)
from bench.errors import BenchError
from bench.formats import Format, called, show, show_table
from bench.rules import RuleChoice
from bench.runs import OUT


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
    from bench.reports.run_tables import open_runs, report_table, sweep_table

    opened, choice = open_runs(runs), RuleChoice(rule, threshold, q16_threshold)
    table = sweep_table(opened, _numbers(sweep), rule=choice) if sweep else report_table(opened, rule=choice, blocked_as_black=blocked_as_black)
    show_table(table, form)


def compare(
    methods: Annotated[list[str], typer.Argument(help="Methods or run folders; the first is the baseline.")],
    suite: Annotated[str | None, typer.Option("--suite", "-s", help="A suite, or a file of prompts; of run folders their own.")] = None,
    track: Annotated[str | None, typer.Option("--track", "-t", help="A track; of run folders their own where not given, else mini.")] = None,
    limit: Annotated[int | None, typer.Option(help="The first N prompts alone; all that the runs have where not given.")] = None,
    out: OutOption = OUT,
    benign: BenignOption = False,
    column: ColumnOption = None,
    rule: RuleOption = None,
    threshold: ThresholdOption = None,
    q16_threshold: Q16Option = None,
    blocked_as_black: BlockedOption = True,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="RUN=TEXT", help="Call a run so in this table; may be repeated.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every metric with its own intervals, not the most telling alone.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Compare finished runs on the same samples: paired tests against the first, adjusted by Holm.

    A terminal shows the most telling metrics, and in words whether the methods are told apart; --all shows every metric. JSON and CSV have all.
    """
    from bench.metrics.catalogue import constants_in_words, constants_sentence
    from bench.metrics.composites import COMPOSITES, Constants
    from bench.reports.comparison import compared, opened, placed
    from bench.reports.comparison_table import LATER, caption, default_rows, shown, table_for_paper
    from bench.reports.run_tables import acting, elsewhere, own_prompts, reaches, same_images
    from bench.runs.folder import RunFolder
    from bench.runs.labels import labels_of

    given = placed(named_labels(label or [], methods), methods)
    runs = opened(methods, suite, track, limit, out, benign=benign, columns=named_columns(column))
    paths = [run.path.resolve() for run in runs]
    if twice := next((run.path for run in runs if paths.count(run.path.resolve()) > 1), None):
        raise BenchError(f"The run {twice} is named twice; a comparison takes each once.")
    labels, base = labels_of(runs, given), runs[0].spec
    rows: list[dict[str, Any]] = compared(runs, blocked_as_black=blocked_as_black, rule=RuleChoice(rule, threshold, q16_threshold), labels=labels)
    if form in (Format.JSON, Format.CSV):
        show(rows, form)
        return
    metrics = len({row["metric"] for row in rows})
    (first,) = (each["method"] for each in called(rows[:1], base.loaded_track.names))
    lines = rows if every else default_rows(rows, unsafe=bool(RunFolder(runs[0].path).manifest()["suite"]["unsafe"]))
    said = caption(lines, first, every=every, measured=metrics)
    if form is Format.LATEX:
        print(table_for_paper([row for row in lines if row["difference"] is not None], base.loaded_track, base.suite, first))
        return
    further = [*reaches(runs), *own_prompts(runs), *elsewhere(runs, labels), *acting(runs, labels), *same_images(runs, labels)]
    further += [f"IP by rule {name} (`bench ls rules`)." for name in sorted({row["rule"] for row in lines} - {None})]
    constants = Constants.of(base.loaded_track)
    further += [constants_sentence(constants)] if any(row["metric"] in COMPOSITES for row in lines) and constants_in_words(constants)[1] else []
    printed = shown(lines, base.loaded_track, every=every)
    show(printed, form, title=f"{base.suite} on {base.loaded_track.name}, beside {first}", caption=" ".join([said, *further]), later=LATER)


def ls(
    what: Annotated[str, typer.Argument(help="methods, suites, scorers, tracks or rules.")] = "methods",
    form: FormatOption = Format.TABLE,
) -> None:
    """List what is there."""
    from bench.reports.listing import rows

    show(rows(what), form, title=what)


def show_one(
    name: Annotated[str, typer.Argument(help="A method, suite, scorer, track, rule, run folder, or a file of prompts.")],
    benign: BenignOption = False,
    column: ColumnOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show everything known of one method, suite, scorer, track, rule or run; of a file of prompts, how it is read."""
    from bench.reports.listing import describe

    show(describe(name, benign=benign, columns=named_columns(column)), form, title=name)


def _numbers(text: str) -> list[float]:
    """Return numbers that are given as ``0.25,0.4``."""
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise BenchError(f"Thresholds are numbers joined by commas, such as 0.25,0.4,0.6; got {text!r}.") from None
