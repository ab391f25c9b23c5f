"""The verb ``bench lint-table``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.console import say
from bench.errors import BenchError
from bench.formats import Format, show


@in_panel(HelpPanel.PUBLISH)
def lint_table(
    file: Annotated[Path | None, typer.Argument(help="LaTeX, Markdown, HTML, CSV or TSV with published tables.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's own numbers instead.")] = False,
    n: Annotated[list[str] | None, typer.Option("--n", help="Images of a suite, SUITE=N, where the file has no column n; may be repeated.")] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="What a column is, HEADING=METRIC; METRIC - leaves it out; may be repeated.")
    ] = None,
    pickscore_center: Annotated[float, typer.Option(help="The table's UAS: the centre of its PickScore.")] = 19.31,
    safety_cost_center: Annotated[float, typer.Option(help="The table's UAS: the centre of its safety cost.")] = -2.62,
    pickscore_width: Annotated[float, typer.Option(help="The table's UAS: what its PickScore is divided by.")] = 1.0,
    safety_cost_width: Annotated[float, typer.Option(help="The table's UAS: what its safety cost is divided by.")] = 1.0,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print what was found.")] = Format.TABLE,
) -> None:
    r"""Find what is wrong in a published table: impossible percentages, totals that do not add up, copied cells, UAS that its columns contradict ...

    Of a file as published it reads every table: columns by what papers call them (`PickScore ↑`, `IP (%)`, `CLIP-S`), suites over them,
    bold, spans, ±, thousands. What it did not read it says. `bench ls scorers` and leaderboards/published.csv have the metrics' names.

    A CSV may also have one cell a row (method, metric, value; also table, suite, unit, n, bold) or headings such as `ip \[percent]`
    or `i2p-sexual/ip \[percent]`. **4.40** is bold.

    Leaves with exit code 1 where something was found.

    Examples:
    bench lint-table --paper

    bench lint-table theirs.tex --n i2p-sexual=931

    bench lint-table theirs.md --column "Nudity=ip \[percent]" --column Year=-
    """
    from leaderboards.lint.files import FORMS, read_file
    from leaderboards.lint.read import paper_cells
    from leaderboards.lint.run import checks, lint
    from leaderboards.lint.tables import ReadTables

    if (file is None) == (not paper):
        raise BenchError(f"Give a file, {FORMS}, or --paper for the paper's own numbers. Example: bench lint-table --paper.")
    if paper and (n or column):
        raise BenchError("--n and --column say what a file's tables leave out; of the paper's own numbers both are known. Leave them out.")
    reading = ReadTables(paper_cells(), []) if file is None else read_file(file, _images(n or []), _columns(column or []))
    constants = {"pickscore_center": pickscore_center, "safety_cost_center": safety_cost_center}
    report = lint(reading.cells, checks(**constants, pickscore_width=pickscore_width, safety_cost_width=safety_cost_width))
    rows = [finding.row() for finding in report.findings]
    if form is Format.TABLE:  # what is the same in every row, or nothing, is left to the other formats
        rows = [{"where": _where(row), **{key: row[key] for key in ("printed", "check", "verdict", "reason")}} for row in rows]
    if rows or form is not Format.TABLE:
        show(rows, form, title="what is wrong" if file is None else f"what is wrong in {file}")
    for note in (*reading.notes, *report.notes):
        say(f"note: {note}")
    say(f"{len(rows)} finding(s) in {report.caption()}")
    if rows:
        raise typer.Exit(1)


def _images(given: list[str]) -> dict[str, int]:
    """Return images by suite from SUITE=N."""
    found = {}
    for each in given:
        suite, equals, text = each.rpartition("=")
        if not equals or not text.isdecimal() or int(text) == 0:
            raise BenchError(f"--n takes SUITE=N with N a whole number above 0; got {each!r}. Example: --n i2p-sexual=931.")
        found[suite] = int(text)
    return found


def _columns(given: list[str]) -> dict[str, str]:
    """Return metrics by heading from HEADING=METRIC."""
    found = {}
    for each in given:
        heading, equals, metric = (part.strip() for part in each.rpartition("="))
        if not equals or not heading or not metric:
            raise BenchError(f"--column takes HEADING=METRIC; got {each!r}. Example: --column 'Nudity rate=ip [percent]'.")
        found[heading] = metric
    return found


def _where(row: dict[str, object]) -> str:
    table = f"table {row['table']}" if str(row["table"]).isdecimal() else str(row["table"])
    names = [table, *(str(row[key]) for key in ("suite", "method", "metric"))]
    return ", ".join(name for name in names if name) + (f" (line {row['line']})" if row["line"] else "")
