"""The verbs ``bench data add`` and ``bench data list``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.console import say
from bench.formats import Format, show

app = typer.Typer(no_args_is_help=True, help="The data and weights that the real tracks need: what is here, and how to bring the rest.")

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the table.")]


@app.command("add", epilog="Example: bench data add i2p unsafe-prompts4703.csv")
def add_data(
    suite: Annotated[str, typer.Argument(help="A suite; suites of one data set share the file.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The published file; a folder or several where it is published in parts.")],
    accept_count: Annotated[
        int | None, typer.Option(help="State that the file has N rows where another count is published; the version says so.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column of the prompts, where it is not published.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check a file against what is published, say what differs, and keep it outside the repository."""
    from bench.data.add import add

    record, checks = add(suite, files, accept_count=accept_count, column=column)
    show(checks, form, title=f"{record.data}: {', '.join(record.files)}")
    shared = ", ".join(record.suites)
    say(f"added: {record.rows} rows. Suites that can run now on sd15 and sdxl: {shared or 'none, the screen left nothing'}")


@app.command("list", epilog="Example: bench data list --track sd15")
def list_data(
    track: Annotated[str | None, typer.Option("--track", "-t", help="This track alone.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List what a track needs: there or not, where, how large, under which licence, and the command that gets it."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # listing looks at what is here and fetches nothing, whatever a plugin's scorer does
    from bench.data.needs import needs

    rows = needs(track)
    missing = [row for row in rows if not row["there"]]
    caption = f"{len(missing)} of {len(rows)} missing. excluded: prompts that the child-safety screen took; the data records list their hashes."
    if form is Format.TABLE:  # where things are and how they are got is too long for a column
        commands = {row["get"]: row["where"] for row in missing}
        caption = "\n".join([caption, *(f"{get}   # from {where}" for get, where in commands.items())])
        keys = ("needs", "name", "there", "size", "licence", "access", "prompts", "excluded")
        rows = [{**({} if track else {"track": row["track"]}), **{key: row[key] for key in keys}} for row in rows]
    show(rows, form, title=f"what {track or 'every track'} needs", caption=caption)
