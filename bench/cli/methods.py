"""The verbs for people who bring a method: ``check-method`` and ``new-method``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import FormatOption, QuietOption, TimeoutOption, TrackOption, named_values
from bench.console import Bars, say
from bench.formats import Format, show


def check_method(
    name: Annotated[str, typer.Argument(help="A method; see `bench ls methods`.")],
    track: TrackOption = "mini",
    parameters: Annotated[list[str] | None, typer.Option("--set", help="A parameter of the method, NAME=VALUE; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="A torch device: cpu, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Also measure memory, load time and speed.")] = True,
    unit_timeout: TimeoutOption = None,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Prove that an adapter keeps its contract, rule by rule; under a minute on the miniature."""
    from bench.checking import RuleVerdict, check_method, table_rows
    from bench.guard.apart import apart
    from bench.guard.calls import UnitLimit

    with Bars(quiet=quiet) as bars:
        options = {"parameters": named_values(parameters or []), "device": device, "dtype": dtype, "measure": measure}
        results = apart(check_method, name, track, **options, limit=UnitLimit(unit_timeout), progress=bars)
    show(table_rows(results, form), form, title=f"{name} on {track}, {device}, {dtype}")
    failed = [each.rule for each in results if each.result is RuleVerdict.FAILED]
    if failed:
        say(f"{name} breaks {len(failed)} rule(s): {', '.join(failed)}. Each is explained in docs/bring-your-method.md.")
        raise typer.Exit(1)


def new_method(
    name: Annotated[str, typer.Argument(help="The method's name: lower case, words joined by hyphens.")],
    kind: Annotated[str, typer.Option("--kind", "-k", help="guidance, filter or edit.")] = "guidance",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder to make; ./NAME where not given.")] = None,
) -> None:
    """Write a small package that holds a working method, to be changed into yours.

    Fine-tuned weights need no package: bench run --method unet:FOLDER, or lora:FOLDER.
    """
    from bench.scaffold import new_method

    folder = new_method(name, kind, out)
    say(f"written: {folder}. Next: pip install -e {folder}, then bench check-method {name}")
