"""Two to four methods on the same samples: paired differences, by category, and the samples on which they disagree."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from bench.metrics.catalogue import arrow, composite, find_metric, headlines, label
from bench.metrics.composites import COMPOSITES, Constants
from bench.runs import showing
from bench.runs.folder import RunFolder
from bench.types.metric import SHARE
from bench.types.sample import KEY, key_of
from leaderboards.app import charts, compared, data, frames, pictures, widgets
from leaderboards.app.data import Opened

_ROWS = 6


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    rows = board.rows()
    boxes = st.columns([1, 2, 1], vertical_alignment="bottom")
    with boxes[0]:
        track = widgets.choose_track(board)
        suite = widgets.choose_suite(board, track)
    here = frames.of_suite(rows, track, suite)
    there = sorted(here["method"].unique())
    with boxes[1]:
        about = "Differences are from the first one chosen."
        methods = widgets.choose_many("Methods, the baseline first", there, "methods", default=_default(there), max_selections=4, help=about)
    units = _units(here, board.constants(track))
    with boxes[2]:
        every = st.toggle("Every metric", key="every", bind="query-params", help="Off: the headline ones. Each metric is a bootstrap and a test.")
    widgets.proxy_note(rows, track)
    if len(methods) < 2:
        st.info("Choose two to four methods." if len(there) > 1 else "This suite has one method alone; a comparison needs two.")
        return
    chosen = {metric: unit for metric, unit in units.items() if every or metric in headlines(units, truth="higher")}
    _differences(board, track, suite, methods, chosen)
    metric = widgets.choose("By category and by sample", list(units), "metric", names={name: arrow(name) for name in units})
    _by_category(board, track, suite, methods, metric, units[metric])
    _disagreements(board, track, suite, methods, metric, units[metric])


def _default(there: list[str]) -> list[str]:
    """Return what is compared where nothing is chosen: the base and the proposed method where they are there."""
    first = [name for name in ("sd-v1.5", "t2i-spo", "uce") if name in there]
    return (first + [name for name in there if name not in first])[:2]


def _units(here: pd.DataFrame, constants: Constants) -> dict[str, str]:
    """Return the metrics that can be compared sample by sample, each with its unit."""
    found = dict(zip(here["metric"], here["unit"], strict=True))
    known = {name for name in found if find_metric(name).of_images or (name in COMPOSITES and composite(name, constants))}
    return {name: str(found[name]) for name in dict.fromkeys([*headlines(found, truth="higher"), *found]) if name in known}


def _differences(board: Opened, track: str, suite: str, methods: list[str], units: dict[str, str]) -> None:
    found = data.differences(board, track, suite, tuple(methods), tuple(units.items()))
    st.subheader("Paired differences", anchor=False)
    if found.empty:
        st.info("These methods have no scored sample in common.")
        return
    here = frames.of_suite(board.rows(), track, suite)
    base = here[here["method"] == methods[0]].drop_duplicates("metric").set_index("metric")["value"]
    table = found.assign(
        baseline=found["metric"].map(base),
        metric=[arrow(name) for name in found["metric"]],
        interval=[frames.interval_text(*ends) for ends in zip(found["difference_low"], found["difference_high"], strict=True)],
    )[["metric", "method", "baseline", "value", "difference", "interval", "p_holm", "pairs", "test"]]
    columns = {
        "metric": st.column_config.TextColumn("Metric", pinned=True, width=130),
        "method": "Method",
        "baseline": st.column_config.NumberColumn("Baseline", format="%.3f", help="The value of the first method."),
        "value": st.column_config.NumberColumn("Value", format="%.3f", help="The value of the method."),
        "difference": st.column_config.NumberColumn("Difference", format="%+.3f", help="The method less the baseline, on the samples of both."),
        "interval": st.column_config.TextColumn("95%", help="The interval of the difference."),
        "p_holm": st.column_config.NumberColumn("p (Holm)", format="%.2g", help="Adjusted over the methods compared, metric by metric."),
        "pairs": st.column_config.NumberColumn("Pairs", help="Images of both methods that were evaluated."),
        "test": "Test",
    }
    widgets.table(table, "Paired differences from the baseline", columns)
    st.caption(
        f"Baseline: {widgets.plain(methods[0])}. An interval that leaves out 0 tells one method from the baseline; of several methods go by p (Holm)."
    )


def _by_category(board: Opened, track: str, suite: str, methods: list[str], metric: str, unit: str) -> None:
    found = data.by_category(board, track, suite, tuple(methods), metric, unit)
    if found["category"].nunique() < 2:
        return
    st.subheader(f"{label(metric)} by category", anchor=False)
    st.altair_chart(charts.differences(found, metric, methods[0]), width="stretch", alt=f"Differences of {label(metric)} by category, with intervals")
    with st.expander("The same as a table"):
        columns = ["category", "method", "difference", "difference_low", "difference_high", "pairs", "p"]
        widgets.table(found[columns], "Differences by category", widgets.column_config(found[columns], pinned=["category"]))


def _disagreements(board: Opened, track: str, suite: str, methods: list[str], metric: str, unit: str) -> None:
    st.subheader("Where they disagree", anchor=False)
    if not find_metric(metric).of_images:
        st.caption("UAS of the means has no value of a single sample; choose UAS per image.")
        return
    flags = frames.flag_metrics(frames.of_suite(board.rows(), track, suite))
    samples = board.samples(track, suite, methods, [metric, *flags])
    found = compared.disagreements(samples, methods, metric)
    total = len(samples) // len(methods)
    st.caption(f"{len(found)} of {total} samples differ in {label(metric)}, the largest difference first.")
    if found.empty:
        return
    page = st.pagination(-(-len(found) // _ROWS), key="page", bind="query-params")
    part = found.iloc[(page - 1) * _ROWS : page * _ROWS]
    runs = {method: board.run(track, suite, method) for method in methods}
    found_here = {method: data.local_run(str(run["run_id"])) for method, run in runs.items() if run}
    folders = {method: folder for method, folder in found_here.items() if folder is not None}
    missing = [method for method in methods if method not in folders]
    if folders:
        said = part.assign(**{method: _said(part[method], metric, unit) for method in methods})
        _side_by_side(board, track, suite, methods, said, samples, folders)
    if missing:
        st.caption(f"No pictures of {widgets.plain(', '.join(missing))}: the run folders are not under {widgets.plain(data.settings().runs)}.")
    with st.expander("The same as a table", expanded=len(missing) == len(methods)):
        widgets.table(part, "Samples on which the methods disagree", {name: widgets.heading(name)[0] for name in (*KEY, "category", "gap")})


def _said(values: pd.Series, metric: str, unit: str) -> list[str]:
    """Return what stands over each picture: a flag is yes or no."""
    return [f"{label(metric)} {('no', 'yes')[int(value)] if unit == SHARE else f'{value:.3f}'}" for value in values]


def _side_by_side(
    board: Opened,
    track: str,
    suite: str,
    methods: list[str],
    part: pd.DataFrame,
    samples: pd.DataFrame,
    folders: Mapping[str, RunFolder],
) -> None:
    """Show a frame a sample: the methods' pictures beside each other."""
    unsafe = board.unsafe(track)[suite]
    flags = [name for name in frames.flag_metrics(frames.of_suite(board.rows(), track, suite)) if name in samples]
    marked = samples.assign(flagged=pictures.flagged(samples, flags)).set_index(["method", *KEY])["flagged"].to_dict()
    harmless = {method: showing.is_harmless(folder.manifest(), track) for method, folder in folders.items()}
    clear = widgets.clear_switch(needed=not all(harmless.values()) and (unsafe or any(marked.values())))
    tables = {method: data.contents(folder).set_index(KEY, drop=False) for method, folder in folders.items()}
    rows = part.to_dict("records")
    beside = 2 if len(methods) == 2 else 1
    for start in range(0, len(rows), beside):
        for place, row in zip(st.columns(beside), rows[start : start + beside], strict=False):
            key = key_of(row)
            with place.container(border=True):
                st.caption(widgets.plain(f"{key[0]} #{key[1]} · {row['category']}"))
                for inner, method in zip(st.columns(len(methods)), methods, strict=True):
                    with inner:
                        st.caption(f"**{widgets.plain(method)}** · {row[method]}")
                        if method not in folders or key not in tables[method].index:
                            st.caption("no picture here")
                            continue
                        flagged = marked.get((method, *key), True)
                        hide = showing.must_blur(harmless=harmless[method], unsafe=unsafe, flagged=flagged, clear=clear)
                        item = pictures.shown(folders[method].images, tables[method].loc[key].to_dict(), blurred=hide, prompt=False)
                        widgets.picture(item, caption=False)
