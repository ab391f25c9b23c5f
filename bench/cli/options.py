"""The options that several verbs take, each said once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import BenchError
from bench.formats import Format

MethodOption = Annotated[str, typer.Option("--method", "-m", help="A method; see `bench ls methods`.")]
SuiteOption = Annotated[str, typer.Option("--suite", "-s", help="A suite (`bench ls suites`), or a file of prompts: prompts.csv.")]
BenignOption = Annotated[bool, typer.Option("--benign", help="Of a file of prompts: they ask for no harm. Else they are taken for unsafe.")]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="Of a file of prompts: which column is what, such as prompt=TEXT; may be repeated."),
]
LimitOption = Annotated[int | None, typer.Option(help="Only the first N prompts, a fair sample. Later a larger N makes what is missing.")]
ImagesOption = Annotated[int | None, typer.Option(help="Images a prompt, each from a seed of its own; image 0 stays what it was.")]
ScorerOption = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Run this scorer instead of the track's; may be repeated.")]
BatchOption = Annotated[int | None, typer.Option(help="Samples a call; 1 is the reference mode. Part of the run's identity.")]
DeviceOption = Annotated[str, typer.Option(help="A torch device: cpu, cuda, cuda:1.")]
DtypeOption = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
SchedulerOption = Annotated[str | None, typer.Option(help="A sampler by name, such as ddim, pndm, lms, dpm++; the track's where not given.")]
ScoringOption = Annotated[str, typer.Option(help="Score during generation, or after it to save memory.")]
EngineOption = Annotated[str, typer.Option(help="Who does the work: local, this machine; or ray, a Ray cluster.")]
WorkersOption = Annotated[int | None, typer.Option(help="Processes; one a core where not given, and of ray one a GPU on a GPU.")]
GalleryOption = Annotated[bool, typer.Option("--gallery", help="Also write a contact sheet, gallery.html and gallery.png.")]
TrackOption = Annotated[str, typer.Option("--track", "-t", help="A track; see `bench ls tracks`.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder of all runs.")]
LabelOption = Annotated[str | None, typer.Option("--label", help="What tables call the run; decides no image. Empty takes a label away.")]
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
AttentionOption = Annotated[str, typer.Option(help="sdpa or eager.", rich_help_panel=NUMERICS)]
ChannelsLastOption = Annotated[bool, typer.Option("--channels-last", help="Faster convolutions on tensor cores.", rich_help_panel=NUMERICS)]
CompileOption = Annotated[bool, typer.Option("--compile", help="torch.compile the U-Net.", rich_help_panel=NUMERICS)]
OffloadOption = Annotated[bool, typer.Option("--offload", help="Parts on the GPU only while they run.", rich_help_panel=NUMERICS)]


LISTED = "joined by commas; all where not given."
"""Of an option whose names :func:`listed` reads."""


def listed(text: str) -> list[str]:
    """Return names that are given joined by commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def named_labels(given: list[str], names: list[str]) -> dict[str, str]:
    """Return ``RUN=TEXT`` options as a dict; a folder's name may hold ``=``, and so may a text."""
    found: dict[str, str] = {}
    for each in given:
        of = max((name for name in names if each.startswith(f"{name}=")), key=len, default=None)
        if of is None:
            raise BenchError(f"A label is RUN=TEXT, of one of {', '.join(names)}; got {each!r}. Example: --label {names[0]}='as published'.")
        found[of] = each.removeprefix(f"{of}=")
    return found


def named_values(given: list[str]) -> dict[str, Any]:
    """Return ``name=value`` options as a dict; values are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise BenchError(f"A parameter is NAME=VALUE; got {each!r}. Example: --set guidance=5.")
        try:
            found[name] = json.loads(text)
        except (ValueError, RecursionError):  # also a number of thousands of digits, or thousands of brackets
            found[name] = text
    return found


def named_columns(given: list[str] | None) -> dict[str, str]:
    """Return ``--column ROLE=NAME`` options as a dict; what is no role is refused where the file is read."""
    return {role: name for role, _, name in (each.partition("=") for each in given or ())}
