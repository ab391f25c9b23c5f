"""``bench train`` and ``bench ablate``: thin functions that call the recipes."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.cli.options import FormatOption, QuietOption, named_values
from bench.console import Bars, say
from bench.formats import Format, show
from training.recipes import RECIPES, config_path, configurations, load_config

OUT = Path("runs/training")

SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting where it differs from the file, NAME=VALUE or GROUP.NAME=VALUE; may be repeated.")
]


@in_panel(HelpPanel.TRAIN)
def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe; leave it out to list them.")] = None,
    track: Annotated[str, typer.Option("--track", "-t", help="Picks the recipe's shipped configuration: mini, sd15 or sdxl.")] = "mini",
    config: Annotated[Path | None, typer.Option("--config", "-c", help="A configuration file of your own instead.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where everything goes; runs/training/TRACK/RECIPE where not given.")] = None,
    changes: SetOption = None,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Train by one of the recipes; what was interrupted goes on, what is finished is not done again.

    Example: bench train t2i-spo --track mini --set steps=200

    On several GPUs: torchrun --nproc_per_node 6 -m bench train t2i-spo --track sd15
    """
    if recipe is None:
        show([{"recipe": name, "tracks": configurations(name), "summary": line} for name, (_, _, line) in RECIPES.items()], form, title="recipes")
        return
    path = config_path(recipe, track) if config is None else config
    settings = load_config(recipe, path, named_values(changes or []))
    folder = out or OUT / track / recipe
    with Bars(quiet=quiet) as bars:
        rows = import_module(RECIPES[recipe][0]).train(settings, folder, bars)
    if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
        show(rows, form, title=f"{recipe} ({track})")
        say(f"written: {folder}")


@in_panel(HelpPanel.TRAIN)
def ablate(
    what: Annotated[str, typer.Argument(help="lambda (Fig. 4a), dfm (Fig. 5 left) or augmentations (Fig. 5 right).")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where everything goes; runs/training/mini/ablate-WHAT where not given.")] = None,
    changes: SetOption = None,
    limit: Annotated[int | None, typer.Option(help="Measure on the first N prompts of each development suite.")] = None,
    form: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Train T2I-SPO on the miniature once for each value of a setting, measure each, and write a tidy table and a figure.

    Example: bench ablate lambda --set steps=150
    """
    from training.ablations import run

    with Bars(quiet=quiet) as bars:
        rows, folder = run(what, out, named_values(changes or []), bars, limit)
    if form is Format.TABLE:  # the other formats, and table.csv, keep every column
        keys = (
            "value",
            "monitor_loss",
            "hard",
            "unsafe_ip",
            "unsafe_ip_low",
            "unsafe_ip_high",
            "benign_clipscore_mini",
            "benign_clipscore_mini_low",
            "benign_clipscore_mini_high",
        )
        rows = [{key: row[key] for key in keys} for row in rows]
    show(rows, form, title=f"ablation: {what} (mini; every number is a proxy)")
    say(f"written: {folder}/table.csv and {folder}/figure.png")
