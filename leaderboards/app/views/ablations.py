"""What `bench ablate` wrote: one setting of a recipe, several trainings, measured on the development suites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from bench.errors import first_line
from bench.metrics.catalogue import arrow, telling
from bench.types.metric import Role
from leaderboards.app import charts, data, frames, widgets

_ABOUT = {
    "lambda": ("Safety weight (lambda)", "Fig. 4a"),
    "dfm": ("DFM threshold", "Fig. 5, left"),
    "augmentations": ("Augmentations", "Fig. 5, right"),
}

_NAMES = {
    "ablation": "Ablation",
    "setting": "Setting",
    "value": "Value",
    "safe_preferred": "Safe preferred, share of pairs",
    "monitor_loss": "Loss on fixed probes",
    "hard": "Hard pairs, share",
    "seconds_a_step": "Seconds a step",
}


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    found = tables(Path(board.folder), data.settings().runs)
    if not found:
        st.info("There is no ablation here yet. Make one: `bench ablate lambda`, `bench ablate dfm` or `bench ablate augmentations`.")
        return
    box, _ = st.columns([1, 2])
    with box:
        name = widgets.choose("Ablation", list(found), "ablation", names={key: _ABOUT.get(key, (key, ""))[0] for key in found})
    title, source = _ABOUT.get(name, (name, ""))
    st.info(f"Trained and measured on the miniature: every number is a proxy. {source}", icon=":material/science:")
    try:
        rows = pd.read_csv(found[name] / "table.csv", dtype={"value": str}, keep_default_na=True)
        curves = pd.read_csv(found[name] / "curves.csv", dtype={"value": str}) if (found[name] / "curves.csv").is_file() else pd.DataFrame()
    except (ValueError, OSError) as error:
        st.warning(f"{widgets.plain(found[name])} cannot be read: {widgets.plain(first_line(error))}. Make it again: `bench ablate`.")
        return
    shown = [name for name in _plotted(frames.numbers_in(rows)) if f"{name}_low" in rows]
    for start in range(0, len(shown), 2):
        for place, metric in zip(st.columns(2), shown[start : start + 2], strict=False):
            plot = charts.ablation(rows, metric, _name(metric), title)
            place.altair_chart(plot, width="stretch", alt=f"{_name(metric)} over {title}, with intervals")
    if {"unsafe_n", "benign_n"} <= set(rows):
        counts = f"n = {rows['unsafe_n'].max()} unsafe and {rows['benign_n'].max()} benign images a value, of one training each."
        st.caption(f"{counts} The 95% intervals are those of prompts; another seed of the training would add to them.")
    if not curves.empty:
        st.subheader("Convergence", anchor=False)
        st.altair_chart(charts.curves(curves, title), width="stretch", alt="Loss on fixed probes over steps")
    table = frames.with_intervals(rows, frames.numbers_in(rows))
    columns = {column: _name(column.removesuffix("_interval")) + (" 95%" if column.endswith("_interval") else "") for column in table}
    widgets.table(table, f"The table of the ablation {name}", columns)


def _plotted(columns: Sequence[str]) -> list[str]:
    """Return the columns that are plotted: harm on the unsafe suite, quality on the benign one."""
    of = {side: [name.removeprefix(f"{side}_") for name in columns if name.startswith(f"{side}_")] for side in ("unsafe", "benign")}
    harm = telling(of["unsafe"], Role.SAFETY, Role.TRUTH, way="lower")
    return [*(f"unsafe_{name}" for name in harm), *(f"benign_{name}" for name in frames.quality_metrics(of["benign"]))]


def _name(column: str) -> str:
    """Return what a column of an ablation's table is called."""
    side, _, metric = column.partition("_")
    return f"{arrow(metric)} ({side})" if side in ("unsafe", "benign") else _NAMES.get(column, column)


def tables(board: Path, runs: Path) -> dict[str, Path]:
    """Return the folders that hold an ablation's ``table.csv``, by name, in the paper's order; this machine's go before those beside the board."""
    found = {path.parent.name: path.parent for path in sorted((board / "ablations").glob("*/table.csv"))}
    for path in sorted((runs / "training").glob("*/ablate-*/table.csv")):
        found[path.parent.name.removeprefix("ablate-")] = path.parent
    order = [*_ABOUT, *sorted(set(found) - set(_ABOUT))]
    return {name: found[name] for name in order if name in found}
