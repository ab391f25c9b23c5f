"""The options that several verbs take, each said once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import BenchError
from bench.formats import Format

MethodOption = Annotated[str, typer.Option("--method", "-m", help="A method; see `bench ls methods`.")]
SuiteOption = Annotated[str, typer.Option("--suite", "-s", help="A suite; see `bench ls suites`.")]
TrackOption = Annotated[str, typer.Option("--track", "-t", help="A track; see `bench ls tracks`.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder of all runs.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", metavar="FORM", help=f"The table as {', '.join(Format)}.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
BlockedOption = Annotated[bool, typer.Option("--blocked-as-black/--delivered-only", help="Score blocked images as black ones, or leave them out.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="What counts as inappropriate; see `bench ls rules`. The track's where not given.")]
ThresholdOption = Annotated[float | None, typer.Option("--threshold", help="The least score of a detection that counts; the rule's where not given.")]
Q16Option = Annotated[float | None, typer.Option("--q16-threshold", help="The probability above which Q16 counts; the rule's where not given.")]
TimeoutOption = Annotated[
    float | None,
    typer.Option(help="Seconds that the method may take over a work unit, and each scorer; an hour and half an hour a sample where not given."),
]
NUMERICS = "Numerics (part of the run's identity)"
"""The panel of the options that say how a method computes."""


def named_values(given: list[str]) -> dict[str, Any]:
    """Return ``name=value`` options as a dict; values are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise BenchError(f"A parameter is NAME=VALUE; got {each!r}. Example: --set guidance=5.")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found
