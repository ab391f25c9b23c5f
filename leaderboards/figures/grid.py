"""Figure 1: the same prompts and seeds through several methods, side by side, blurred where it must be."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.runs import showing
from bench.runs.find import Run, find_runs
from bench.runs.folder import RunFolder
from bench.runs.images import Pixels
from bench.runs.records import keyed
from bench.types.track import Track
from leaderboards.tables.layout import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("sd-v1.5", "rece", "alignguard", "t2i-spo")
SUITE = "i2p"


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of the grid.

    Attributes:
        run: whose.
        row: the sample's record.
        blur: whether it must not be shown clear.
    """

    run: Run
    row: pd.Series
    blur: bool


@dataclass(frozen=True, eq=False)
class Grid:
    """The figure's data.

    Attributes:
        track: of all runs.
        suite: of all runs.
        unsafe: whether the suite's prompts ask for harm.
        methods: one a line.
        heads: over each column: the prompt, or its id where a prompt must not be printed.
        tiles: by method, one a column.
        shared: samples that all runs have.
    """

    track: Track
    suite: str
    unsafe: bool
    methods: tuple[str, ...]
    heads: tuple[str, ...]
    tiles: dict[str, tuple[Tile, ...]]
    shared: int


def find_run(method: str, suite: str, track: Track, runs: Path) -> Run:
    """Return the method's complete run with default parameters that was made last, whole suites before limited ones.

    Raises:
        BenchError: there is none.
    """
    found = []
    for run in find_runs(runs, track=track.name, suite=suite):
        if run.complete and run.spec.method == method and not run.spec.parameters:
            found.append((run.spec.limit is None, str(RunFolder(run.path).manifest()["created"]), run))
    if not found:
        raise BenchError(
            f"No finished run of {method} on {suite} under {runs / track.name}. "
            f"Make one: `bench run --method {method} --suite {suite} --track {track.name} --limit 60`."
        )
    return max(found, key=lambda each: each[:2])[2]


def grid(methods: Sequence[str], suite: str, track: Track, runs: Path, samples: int = 7) -> Grid:
    """Return the first samples of each category that every method has, in the suite's order: nobody picks.

    Args:
        methods: one a line.
        suite: of the runs.
        track: of the runs.
        runs: the folder of all runs.
        samples: columns.

    Raises:
        BenchError: a run is missing, or the runs have no sample in common.
    """
    if not methods or samples < 1:
        raise BenchError("Figure 1 needs at least one method and one sample.")
    opened = {method: find_run(method, suite, track, runs) for method in dict.fromkeys(methods)}
    records = {method: keyed(run.records()) for method, run in opened.items()}
    first = next(iter(records.values()))
    # The same sample is the same prompt and seed: initial noise is the sample's own, whatever the method.
    same = first.index
    for other in records.values():
        both = same.intersection(other.index, sort=False)
        same = both[(first.loc[both, "seed"] == other.loc[both, "seed"]) & (first.loc[both, "prompt"] == other.loc[both, "prompt"])]
    if same.empty:
        raise BenchError(f"The runs of {', '.join(opened)} on {suite} have no sample in common. Make them with the same --limit.")
    ordered = first.loc[same].sort_values(["unit", "batch"], kind="stable")
    ordered["turn"] = ordered.groupby("category").cumcount()
    chosen = ordered.sort_values(["turn", "category"], kind="stable").head(samples)
    unsafe = next(iter(opened.values())).spec.loaded_suite.info.unsafe
    hidden = must_hide(records, opened, track, unsafe=unsafe)
    tiles = {
        method: tuple(Tile(run, records[method].loc[key], bool(hidden[method].loc[key])) for key in chosen.index) for method, run in opened.items()
    }
    secret = unsafe and not track.proxy
    heads = tuple(str(row["prompt_id"]) if secret else str(row["prompt"]) for _, row in chosen.iterrows())
    return Grid(track, suite, unsafe, tuple(opened), heads, tiles, len(same))


def must_hide(records: dict[str, pd.DataFrame], runs: dict[str, Run], track: Track, *, unsafe: bool) -> dict[str, pd.Series]:
    """Return, by method, which pictures are blurred: those that :func:`bench.runs.showing.hidden` says."""
    return {
        method: showing.hidden(frame, RunFolder(runs[method].path).manifest(), track, [runs[method].rule()], unsafe=unsafe)
        for method, frame in records.items()
    }


def caption(made: Grid) -> str:
    """Return what stands under the figure; it holds no prompt."""
    blurred = sum(tile.blur for line in made.tiles.values() for tile in line)
    count = sum(len(line) for line in made.tiles.values())
    what = "the miniature's: harmless, a proxy; glyphs stand for harm" if made.track.proxy else f"those of track {made.track.name}"
    runs = ", ".join(f"{method} {line[0].run.path.name.rpartition('-')[2]}" for method, line in made.tiles.items())
    hidden = (
        f" {blurred} of {count} pictures are blurred" + (": the suite is unsafe." if made.unsafe else ": a scorer flags them.") if blurred else ""
    )
    return (
        f"Figure 1: the same prompts and seeds through {len(made.methods)} methods. The pictures are {what}. Suite {made.suite}: the first of each "
        f"category in the suite's order, of {made.shared} samples that all methods have; nobody picked. A grey tile is a picture that the method "
        f"blocked.{hidden} Examples, not evidence: the numbers are in the tables. Runs: {runs}."
    )


def pixels(tile: Tile) -> Pixels:
    """Return a tile's picture, blurred if it must be; plain grey where it was blocked and plain red where it failed."""
    if tile.row["image"] is None or pd.isna(tile.row["image"]):
        return np.full((1, 1, 3), (60, 60, 60) if tile.row["status"] == "blocked" else (170, 60, 60), dtype=np.uint8)
    found = RunFolder(tile.run.path).images.get(str(tile.row["image"]))
    return showing.blur(found) if tile.blur else found


def draw(made: Grid) -> Figure:
    """Return the figure."""
    from matplotlib.figure import Figure

    wide = len(made.heads)
    figure = Figure(figsize=(max(3.0, 0.95 * wide + 0.9), 0.95 * len(made.methods) + 0.9), layout="constrained")
    all_axes = figure.subplots(len(made.methods), wide, squeeze=False)
    for line, method in zip(all_axes, made.methods, strict=True):
        for axes, each in zip(line, made.tiles[method], strict=True):
            axes.imshow(pixels(each))
            if each.row["status"] != "generated":
                axes.text(0.5, 0.5, str(each.row["status"]), color="white", ha="center", va="center", transform=axes.transAxes, fontsize=7)
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
        line[0].set_ylabel(made.track.names.get(method) or NAMES.get(method, method), fontsize=8)
    for axes, head in zip(all_axes[0], made.heads, strict=True):
        axes.set_title(textwrap.fill(head, 17, max_lines=4, placeholder=" …"), fontsize=6)
    title = f"{made.suite} on track {made.track.name}" + (" (proxy)" if made.track.proxy else "") + ": same prompts, same seeds"
    figure.suptitle(title, fontsize=9)
    return figure
