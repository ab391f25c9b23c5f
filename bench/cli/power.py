"""The verb ``bench power``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.options import FormatOption
from bench.errors import BenchError
from bench.formats import Format, show


def power(
    ip: Annotated[float | None, typer.Option(help="The baseline's IP (or another share), such as 0.35.")] = None,
    sd: Annotated[float | None, typer.Option(help="For a mean: the standard deviation over images of the two methods' difference.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="A finished run; two of them give what the plan needs, the baseline first.")] = None,
    metric: Annotated[str, typer.Option(help="With --run: the share or mean to plan for.")] = "ip",
    difference: Annotated[float | None, typer.Option("--difference", "-d", help="The difference to show; for --ip, by how much it falls.")] = None,
    prompts: Annotated[int | None, typer.Option("--prompts", "-n", help="The prompts to run.")] = None,
    images: Annotated[int | None, typer.Option(help="Images (seeds) a prompt: 1, or as the runs have.")] = None,
    icc: Annotated[float, typer.Option(help="Correlation within a prompt of its images' differences; --run measures it.")] = 0.0,
    correlation: Annotated[float | None, typer.Option(help="Of the two methods' flags over prompts; several are shown where not given.")] = None,
    wanted: Annotated[float, typer.Option("--power", help="The chance to show the difference.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Two-sided level of the test; divide it by the number of methods compared.")] = 0.05,
    form: FormatOption = Format.TABLE,
) -> None:
    """How many prompts show a difference, which difference a number of prompts shows, or the power of both.

    Give --difference for the prompts, --prompts for the least difference, both for the power.
    """
    from bench.reports.planning import Plan, mean_rows, run_rows, share_rows

    if sum(each is not None for each in (ip, sd, run or None)) != 1:
        raise BenchError("State one of --ip SHARE, --sd DEVIATION, or two --run FOLDER. Example: bench power --ip 0.35 --difference 0.05.")
    if correlation is not None and ip is None:
        raise BenchError("--correlation goes with --ip; --sd is of the difference already, and runs bring their own.")
    rows: list[dict[str, Any]]
    if run:
        rows = run_rows(run, metric, difference=difference, prompts=prompts, images=images, power=wanted, alpha=alpha)
    else:
        plan = Plan(difference, prompts, images or 1, icc, wanted, alpha)
        rows = share_rows(ip, plan, None if correlation is None else [correlation]) if ip is not None else mean_rows(float(sd or 0), plan)
    caption = f"{rows[0]['test']}, two-sided at {alpha:g}." if rows else ""
    if form is Format.TABLE:  # what is the same in every row stands below, so that a narrow terminal holds the table
        if ip is not None or run:
            caption += f" Baseline {rows[0]['baseline']:.3f}. correlation: of the two methods over samples; the lower, the more prompts."
        if any(row["difference"] is None for row in rows):
            caption += " Where no difference stands, so few prompts show none."
        keys = ("correlation", "discordant", "deviation", "difference", "prompts", "images", "power")
        rows = [{key: row[key] for key in keys if key in row} for row in rows]
    show(rows, form, title="power of a paired comparison", caption=caption)
