"""The verbs ``bench submit`` and ``bench validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.cli.options import FormatOption
from bench.console import Bars, say
from bench.formats import Format, show


@in_panel(HelpPanel.PUBLISH)
def submit(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, finished.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The bundle to write; ./METHOD-HASH.zip where not given.")] = None,
    name: Annotated[str, typer.Option(help="Who submits: shown beside the numbers. May be left out.")] = "",
    contact: Annotated[str, typer.Option(help="How to reach them. May be left out.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make a bundle of finished runs for the leaderboard: results, manifest, method card, hashes; no image and no prompt.

    Example: bench submit runs/mini/i2p/uce-1a2b3c4d --out uce.zip
    """
    from bench.files.atomic import write_atomic
    from leaderboards.submissions.pack import bundle, default_name

    with Bars(quiet=quiet) as bars:
        content = bundle(runs, name=name, contact=contact, advance=bars.start("read", len(runs), "runs"))
    out = out or Path(default_name(runs))
    write_atomic(out, content)
    say(f"written: {out} ({len(content) / 1024:.0f} KiB). Next: bench validate {out}")


@in_panel(HelpPanel.PUBLISH)
def validate(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `bench submit` wrote.")],
    board: Annotated[Path | None, typer.Option(help="Also print how far its numbers lie from the base and the best of this board.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check a bundle, check by check; exit code 1 where one fails. Nothing is downloaded and no image is made.

    Example: bench validate uce.zip
    """
    from leaderboards.submissions import CheckVerdict
    from leaderboards.submissions import validate as look

    results = look(bundle)
    rows = [{"check": each.name, "about": each.about, "verdict": each.verdict.value, "reason": each.reason} for each in results]
    failed = [each for each in results if each.verdict is CheckVerdict.FAILED]
    if board is not None and not failed:
        from leaderboards.submissions.differences import COLUMNS, differences

        differ = differences(bundle, board)
        if form is Format.TABLE:
            show(rows, form, title=str(bundle))
            for run in dict.fromkeys(row["about"] for row in differ):
                part = [{key: row[key] for key in COLUMNS} for row in differ if row["about"] == run]
                caption = "On the same samples, with 95% intervals; see docs/statistics.md."
                show(part, form, title=f"{run}: differences from the base and the best", caption=caption)
        else:
            show([*rows, *differ], form)
    else:
        show(rows, form, title=str(bundle))
    if failed:
        say(f"{bundle}: {len(failed)} check(s) failed. Each is explained in docs/submit.md.")
        raise typer.Exit(1)


def verify(path: Path, *, regenerate: str, seed: int | None, images: Path | None, unit_timeout: float | None, form: Format, quiet: bool) -> None:
    """Verify a bundle: what ``bench verify BUNDLE`` calls (entry-point group ``bench.verifiers``).

    The record is written beside the bundle where anything was made again; in the repository it is what turns ``community`` into ``verified``.

    Args:
        path: of the bundle.
        regenerate: how many samples of each run, ``8`` or ``5%``; ``0`` checks the bundle alone.
        seed: of the choice; drawn here where None, so that no submitter knows it.
        images: the folder ``images`` of the submitted run, where pixels are to be compared.
        unit_timeout: seconds that a method may take over what was made together, and a scorer over an image; None is generous.
        form: how to print.
        quiet: no progress bars.
    """
    import secrets

    from bench.files.atomic import write_json
    from bench.guard.apart import apart
    from bench.guard.calls import UnitLimit
    from bench.runs.regenerate import how_many
    from leaderboards.submissions import CheckVerdict
    from leaderboards.submissions import validate as look
    from leaderboards.submissions.records import VERIFIED, beside

    asked, limit = how_many(regenerate, 1), UnitLimit(unit_timeout)  # refused before everything is read, not after
    results = look(path)
    rows = [{"check": each.name, "about": each.about, "verdict": each.verdict.value, "reason": each.reason} for each in results]
    good = all(each.verdict is not CheckVerdict.FAILED for each in results)
    if good and asked:
        from leaderboards.submissions.verification import table, verify_file

        with Bars(quiet=quiet) as bars:
            chosen = secrets.randbelow(2**63) if seed is None else seed
            record = apart(verify_file, path, regenerate, chosen, images, limit=limit, progress=bars)
        rows, good = rows + table(record), record.agrees
        write_json(beside(path, VERIFIED), record.model_dump())
        say(f"written: {beside(path, VERIFIED)}. It counts once a maintainer has added it beside the bundle; see docs/submit.md.")
    show(rows, form, title=str(path))
    if not good:
        raise typer.Exit(1)
