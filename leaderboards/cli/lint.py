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
    file: Annotated[Path | None, typer.Argument(help="A CSV file with a published table.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's own numbers instead.")] = False,
    n: Annotated[list[str] | None, typer.Option("--n", help="Images of a suite, SUITE=N, where the file has no column n; may be repeated.")] = None,
    pickscore_center: Annotated[float, typer.Option(help="The table's UAS: the centre of its PickScore.")] = 19.31,
    safety_cost_center: Annotated[float, typer.Option(help="The table's UAS: the centre of its safety cost.")] = -2.62,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print what was found.")] = Format.TABLE,
) -> None:
    r"""Find what is wrong in a published table: impossible percentages, totals that do not add up, copied cells, UAS that its columns contradict ...

    The file has one cell a row (method, metric, value; also table, suite, unit, n, bold) or one method a row (method, then columns such as
    `ip \[percent]` or `i2p-sexual/ip \[percent]`; also table, suite, n). **4.40** is bold. Metrics by the names of leaderboards/published.csv.

    Leaves with exit code 1 where something was found.

    Example: bench lint-table --paper
    """
    from leaderboards.lint.read import paper_cells, read_table
    from leaderboards.lint.run import checks, lint

    if (file is None) == (not paper):
        raise BenchError("Give a CSV file, or --paper for the paper's own numbers. Example: bench lint-table --paper.")
    cells = paper_cells() if file is None else read_table(file, _images(n or []))
    report = lint(cells, checks(pickscore_center, safety_cost_center))
    rows = [finding.row() for finding in report.findings]
    if form is Format.TABLE:  # what is the same in every row, or nothing, is left to the other formats
        rows = [{"where": _where(row), **{key: row[key] for key in ("printed", "check", "verdict", "reason")}} for row in rows]
    if rows or form is not Format.TABLE:
        show(rows, form, title="what is wrong" if file is None else f"what is wrong in {file}")
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


def _where(row: dict[str, object]) -> str:
    table = f"table {row['table']}" if str(row["table"]).isdecimal() else str(row["table"])
    names = [table, *(str(row[key]) for key in ("suite", "method", "metric"))]
    return ", ".join(name for name in names if name) + (f" (line {row['line']})" if row["line"] else "")
