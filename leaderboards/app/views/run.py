"""One run: what it was, how its scores are spread, and its pictures."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from bench.metrics.catalogue import PART, find_metric
from bench.runs import showing
from bench.runs.folder import RunFolder
from bench.types.sample import KEY
from leaderboards.app import charts, data, frames, pictures, widgets
from leaderboards.app.data import Opened

_BINS = 24


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    rows = board.rows()
    boxes = st.columns(3, vertical_alignment="bottom")
    with boxes[0]:
        track = widgets.choose_track(board)
        suite = widgets.choose_suite(board, track)
    here = frames.of_suite(rows, track, suite)
    there = sorted(here["method"].unique())
    with boxes[1]:
        method = widgets.choose("Method", there, "method", index=there.index("t2i-spo") if "t2i-spo" in there else 0)
    run = board.run(track, suite, method)
    widgets.proxy_note(rows, track)
    if run is None:
        st.warning("The board names no such run; it is damaged. Make it again: `bench board`.")
        return
    numbers, spread, gallery, manifest = st.tabs(["Numbers", "Distributions", "Pictures", "Manifest"])
    mine = rows[(rows["track"] == track) & (rows["suite"] == suite) & (rows["method"] == method)]
    with numbers:
        _numbers(mine)
    flags = frames.flag_metrics(mine)
    with spread:
        _distributions(board.samples(track, suite, [method], frames.metrics_of(mine)))
    with gallery:
        _pictures(board, track, suite, method, run, flags)
    with manifest:
        widgets.properties(run, alt="What the run's manifest says")


def _numbers(mine: pd.DataFrame) -> None:
    table = frames.method_numbers(mine, str(mine["method"].iloc[0])).drop(columns=["track", "suite"])
    columns = {**widgets.column_config(table, pinned=["metric"]), "value": st.column_config.NumberColumn("Value", format="%.3f")}
    widgets.table(table, "The run's numbers", columns)
    parts = mine[(mine["category"] != "all")]
    if not parts.empty:
        st.subheader("IP by category and kind of prompt", anchor=False)
        st.altair_chart(charts.by_category(parts), width="stretch", alt="IP by category with intervals")


def _distributions(samples: pd.DataFrame) -> None:
    shown = [name for name in spread(samples) if samples[name].notna().any()]
    if not shown:
        st.info("This run has no score that is a number an image.")
        return
    for start in range(0, len(shown), 2):
        for place, metric in zip(st.columns(2), shown[start : start + 2], strict=False):
            place.altair_chart(charts.distribution(histogram(samples[metric]), metric), width="stretch", alt=f"Distribution of {metric}")
    st.caption("Missing scores are left out.")


def spread(names: Iterable[str]) -> list[str]:
    """Return the metrics of which every image has a number, no yes or no."""
    found = [find_metric(str(name)) for name in names]
    return [each.name for each in found if each.role is not None and each.of_images and not each.share and not each.name.startswith(PART)]


def histogram(values: pd.Series) -> pd.DataFrame:
    """Return ``low``, ``high`` and ``images`` of equal bins over what is not missing."""
    counts, edges = np.histogram(values.dropna().to_numpy(dtype=np.float64), bins=_BINS)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "images": counts})


def _pictures(board: Opened, track: str, suite: str, method: str, run: dict[str, Any], flags: list[str]) -> None:
    folder = data.local_run(str(run["run_id"]))
    if folder is None:
        st.info(f"The board holds no pictures, and the run is not under {widgets.plain(data.settings().runs)}. To make it:")
        st.code(f"bench run --method {shlex.quote(method)} --suite {shlex.quote(suite)} --track {shlex.quote(track)}", language=None)
        return
    _gallery(board, track, suite, method, folder, flags)


def _gallery(board: Opened, track: str, suite: str, method: str, folder: RunFolder, flags: list[str]) -> None:
    manifest = folder.manifest()
    harmless = showing.is_harmless(manifest, track)
    unsafe = board.unsafe(track)[suite] or showing.is_unsafe(suite, manifest["suite"].get("unsafe"))
    samples = board.samples(track, suite, [method], flags)
    there = [name for name in flags if name in samples]
    marked = samples.assign(flagged=pictures.flagged(samples, there))[[*KEY, "flagged"]]
    # A sample that the board does not know was judged by nobody: it counts as flagged.
    table = data.contents(folder).merge(marked, on=KEY, how="left").assign(flagged=lambda frame: frame["flagged"].ne(False))
    clear = widgets.clear_switch(needed=not harmless and (unsafe or bool(table["flagged"].any())))
    boxes = st.columns(3, vertical_alignment="bottom")
    categories = sorted({name for cell in table["category"] for name in str(cell).split(",")} - {""})
    with boxes[0]:
        category = widgets.choose("Category", ["all", *categories], "category")
    with boxes[1]:
        only = st.toggle("Flagged ones alone", key="flagged", bind="query-params", help="Images that the rule or a detector calls inappropriate.")
    inside = table["category"].str.split(",").map(lambda cell: category in ("all", *cell)) & (table["flagged"] | (not only))
    kept = table[inside]
    st.caption(f"{len(kept)} of {len(table)} samples, in the suite's order.")
    if kept.empty:
        return
    page = st.pagination(-(-len(kept) // widgets.PER_PAGE), key="page", bind="query-params")
    items = []
    for row in kept.iloc[(page - 1) * widgets.PER_PAGE : page * widgets.PER_PAGE].to_dict("records"):
        hide = showing.must_blur(harmless=harmless, unsafe=unsafe, flagged=bool(row["flagged"]), clear=clear)
        items.append(pictures.shown(folder.images, row, blurred=hide, prompt=not unsafe))
    widgets.gallery(items)
