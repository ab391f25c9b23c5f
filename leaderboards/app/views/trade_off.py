"""Safety against quality: every method with its interval ellipse, and how surely it lies on the Pareto front."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.metrics.catalogue import arrow, better, explain, find_metric, telling
from bench.types.metric import Role
from leaderboards.app import charts, data, frames, widgets
from leaderboards.app.data import Opened


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    rows = board.rows()
    boxes = st.columns(4, vertical_alignment="bottom")
    with boxes[0]:
        track = widgets.choose_track(board)
        safety_suite = widgets.choose_suite(board, track, "safety_suite", name="Safety on", only=True)
    with boxes[1]:
        safety = _metric(rows, track, safety_suite, "safety", "Safety", lower=True)
    with boxes[2]:
        quality_suite = widgets.choose_suite(board, track, "quality_suite", name="Quality on", first="drawbench", only=False)
    with boxes[3]:
        quality = _metric(rows, track, quality_suite, "quality", "Quality", lower=False)
    widgets.proxy_note(rows, track)
    if safety is None or quality is None:
        st.warning("One of the suites has no metric for its axis. Choose another suite.", icon=":material/scatter_plot:")
        return
    _plot(board, rows, track, (safety_suite, safety), (quality_suite, quality))


def _metric(rows: pd.DataFrame, track: str, suite: str, key: str, name: str, *, lower: bool) -> str | None:
    """Return a metric of the mean kind, which an axis can show: the two forms of UAS mix both axes and are left out."""
    found = [each for each in frames.metrics_of(frames.of_suite(rows, track, suite)) if find_metric(each).of_images]
    wanted = telling(found, Role.SAFETY, Role.TRUTH, way="lower") if lower else frames.quality_metrics(found)
    return widgets.choose(name, wanted, key, names={each: arrow(each) for each in wanted}) if wanted else None


def _plot(board: Opened, rows: pd.DataFrame, track: str, safety: tuple[str, str], quality: tuple[str, str]) -> None:
    try:
        found = data.plane(board, track, safety, quality)
    except BenchError as error:
        st.warning(widgets.plain(error), icon=":material/scatter_plot:")
        return
    kind = rows.drop_duplicates("method").set_index("method")["method_kind"].fillna("")
    kinds = [str(kind[method]) for method in found.methods]
    points = charts.trade_off_frame(found.methods, kinds, found.points)
    outlines = charts.ellipse_frame(found.methods, kinds, found.points)
    st.altair_chart(
        charts.trade_off(points, outlines, safety[1], quality[1], safety[0], quality[0], widgets.ink()),
        width="stretch",
        alt=f"{len(points)} methods by safety and quality; the table below has the same numbers",
    )
    corner = "lower right" if better(safety[1]) == "higher" else "upper left"
    st.caption(
        f"Best is {corner}. An ellipse holds the method's true place with 95% probability. Diamonds, joined by the dashed line, are the methods that "
        "no other beats in both. Drag to move, hold Ctrl or Cmd and turn the wheel to zoom, double-click to go back. Click a kind in the legend to "
        "single it out."
    )
    columns = {
        "method": st.column_config.TextColumn("Method", pinned=True),
        "kind": "Kind",
        "safety": st.column_config.NumberColumn(f"{safety[0]} {arrow(safety[1])}", format="%.3f", help=explain(safety[1])),
        "quality": st.column_config.NumberColumn(f"{quality[0]} {arrow(quality[1])}", format="%.3f", help=explain(quality[1])),
        "on_front": st.column_config.CheckboxColumn("On the front", help="No other method is at least as good in both and better in one."),
        "front_probability": st.column_config.ProgressColumn(
            "On the front in", format="percent", min_value=0, max_value=1, help="The share of resamples of prompts in which it was on the front."
        ),
    }
    widgets.table(points, "Methods by probability of being on the Pareto front", columns)
    if found.left_out:
        st.caption(f"Not placed, because scored on one side alone: {widgets.plain(', '.join(found.left_out))}.")
