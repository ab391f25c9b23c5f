"""The board: one row a method, with tier, rank interval and every headline number of one suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.formats import Format
from bench.metrics.catalogue import HARM, PART, arrow, find_metric, headlines, label
from leaderboards.app import frames, navigation, widgets
from leaderboards.app.data import Opened

_HIDDEN_COLUMNS = ("rank", "run_id")


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    rows = board.rows()
    track, suite, ranked_by, filters = _filters(board, rows)
    widgets.proxy_note(rows, track)
    here = frames.of_suite(rows, track, suite)
    unsafe = board.unsafe(track)
    benign = [name for name, harmful in unsafe.items() if not harmful and name != suite] if unsafe[suite] else []
    further, intervals = _columns(here)
    speed = _speed(board, track)
    table = frames.board_table(rows, track, suite, ranked_by=ranked_by, benign=benign, further=further, speed=speed)
    seen = frames.visible(table, filters)
    if seen.empty:
        st.warning("The filters hide every method. Take one away.", icon=":material/filter_alt_off:")
    else:
        counts = sorted(set(here.loc[here["metric"].isin([name for name in headlines(here["metric"]) if find_metric(name).of_images][:2]), "n"]))
        where = frames.timed_on(speed)
        # What is the same for every method stands once, under the table.
        same = [name for name, left_out in (("n", len(counts) == 1), ("excluded", not seen["excluded"].any())) if left_out]
        _table(seen.drop(columns=same), intervals, track, suite, where)
        st.caption(_legend(here, ranked_by, counts, where if "time" in seen else ""))
    _hidden(frames.hidden(rows, table, track, suite, filters, board.hidden()))
    _exports(seen, {"track": track, "suite": suite, "ranked_by": ranked_by})
    _published([suite, *benign], _prompts(board, track))


def _speed(board: Opened, track: str) -> pd.DataFrame | None:
    """Return the times; a damaged file of them costs the reader that column alone."""
    try:
        return board.speed(track)
    except BenchError as error:
        st.warning(widgets.plain(error), icon=":material/timer_off:")
        return None


def _filters(board: Opened, rows: pd.DataFrame) -> tuple[str, str, str | None, frames.Filters]:
    boxes = st.columns(4, vertical_alignment="bottom")
    with boxes[0]:
        track = widgets.choose_track(board)
        suite = widgets.choose_suite(board, track)
    here = frames.of_suite(rows, track, suite)
    metrics = frames.ranked_metrics(here, unsafe=board.unsafe(track)[suite])
    with boxes[1]:
        names = {metric: arrow(metric) for metric in metrics}
        ranked_by = widgets.choose("Ranked by", metrics, "by", names=names, help="Whose tiers and ranks are shown.") if metrics else None
    with boxes[2]:
        kinds = widgets.choose_many("Kinds", sorted(set(here["method_kind"].fillna(""))), "kind", placeholder="all kinds")
    with boxes[3]:
        statuses = widgets.choose_many("Status", sorted(set(here["status"])), "status", placeholder="any status")
    return track, suite, ranked_by, frames.Filters(kinds, statuses)


def _columns(here: pd.DataFrame) -> tuple[list[str], bool]:
    """Return the further metrics and whether every interval is shown."""
    there = frames.metrics_of(here)
    main = frames.main_metrics(there)
    others = [name for name in there if name not in main and not name.startswith(PART)]
    boxes = st.columns([3, 1], vertical_alignment="bottom")
    with boxes[0]:
        further = widgets.choose_many("Further columns", others, "more", placeholder="severity, block rate, other scores …")
    with boxes[1]:
        intervals = st.toggle(
            "Every interval", key="intervals", bind="query-params", help="Show the 95% interval of every number, not of IP and time alone."
        )
    return further, intervals


def _table(seen: pd.DataFrame, intervals: bool, track: str, suite: str, timed: str) -> None:
    shown = frames.with_intervals(seen, frames.numbers_in(seen) if intervals else [HARM, "time"]).drop(columns=list(_HIDDEN_COLUMNS))
    shown["method"] = shown["method"].replace(widgets.names_on(track))
    picked = st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height="content" if len(shown) <= 30 else 900,
        column_config=widgets.column_config(shown, more={"time": f"Timed on {widgets.plain(timed)}."}),
        placeholder="–",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"rows of {track} {suite}",
        alt=f"Leaderboard of {len(shown)} methods on {suite}, the best first",
    )
    _actions([str(seen.loc[row, "method"]) for row in picked["selection"]["rows"] if row < len(seen)], track, suite)


def _actions(methods: Sequence[str], track: str, suite: str) -> None:
    """Offer what can be done with the chosen rows."""
    if not methods:
        st.caption("Choose rows with the boxes on their left (keys: Shift+Space) to open a card, look at a run, or compare up to four methods.")
        return
    with st.container(horizontal=True):
        if len(methods) == 1 and st.button("Method card", icon=":material/badge:"):
            navigation.go("method", method=methods[0])
        if len(methods) == 1 and st.button("Its run", icon=":material/photo_library:"):
            navigation.go("run", track=track, suite=suite, method=methods[0])
        if 2 <= len(methods) <= 4 and st.button(f"Compare {len(methods)} methods", icon=":material/compare_arrows:"):
            navigation.go("compare", track=track, suite=suite, methods=list(methods))
    if len(methods) > 4:
        st.caption("Up to four methods can be compared at once.")


def _legend(here: pd.DataFrame, ranked_by: str | None, counts: Sequence[int], timed: str) -> str:
    """Return what the numbers rest on."""
    rules = sorted(set(here["rule"].dropna()))
    said = []
    if counts:
        said.append(f"n = {counts[0]} images a method." if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]} images a method.")
    if rules:
        said.append(f"IP by the rule {', '.join(widgets.plain(rule) for rule in rules)} (`bench show {rules[0]}`).")
    said.append(
        f"Tiers and ranks by {label(ranked_by)}, among all methods on the suite whatever the filters hide."
        if ranked_by
        else "No ranks: a suite needs two methods or more."
    )
    if timed:
        said.append(f"Time × base was measured on {widgets.plain(timed)}; another machine may give other ratios.")
    return " ".join([*said, "A dash is a score that was not made; it is never 0."])


def _hidden(found: pd.DataFrame) -> None:
    if not found.empty:
        with st.expander(f"Not in the table, and why: {len(found)}", icon=":material/visibility_off:"):
            widgets.table(found, "Methods that are not shown", {"method": "Method", "reason": "Why"})


def _exports(seen: pd.DataFrame, about: dict[str, str | None]) -> None:
    if seen.empty:
        return
    with st.container(horizontal=True):
        for form, suffix in ((Format.CSV, "csv"), (Format.LATEX, "tex")):
            # As a function: the file is made when it is asked for, not at every look at the page.
            st.download_button(
                f"Download {'CSV' if form is Format.CSV else 'LaTeX'}",
                data=partial(_file, seen, form, about),
                file_name=f"board-{about['track']}-{about['suite']}.{suffix}".replace("/", "-"),
                mime="text/csv" if form is Format.CSV else "text/x-tex",
                icon=":material/download:",
                on_click="ignore",
            )


def _file(seen: pd.DataFrame, form: Format, about: dict[str, str | None]) -> bytes:
    return frames.export(seen, form, about).encode()


def _prompts(board: Opened, track: str) -> dict[str, tuple[int, int]]:
    """Return how many prompts each suite has and how many the screen left, by the runs on a real track; the miniature's suites are no paper's."""
    runs = [run["suite"] for run in board.runs() if run["track"] == track and not run.get("proxy")]
    return {about["name"]: (about["total_prompts"], about["total_prompts"] - about["screened_out"]) for about in runs}


def _published(suites: Sequence[str], prompts: Mapping[str, tuple[int, int]]) -> None:
    """Show the paper's numbers of some suites, in a table of their own; ``prompts`` as in :func:`frames.published`."""
    if not st.toggle(
        "Show the paper's published numbers",
        key="published",
        bind="query-params",
        help="They are hidden because they are another kind of number: printed in a paper, from other images and weights, without an interval.",
    ):
        return
    table, notes = frames.published(suites, prompts)
    st.subheader("Published, not measured", anchor=False)
    if table.empty:
        st.caption(f"The paper prints no number on {widgets.plain(suites[0])}.")
        return
    st.caption(
        "As printed in arXiv 2504.14290 (real models, real suites). Never compare a cell here with one above. Images: behind its shares, from its "
        "percentages; it states none."
    )
    widgets.table(table, "The paper's published numbers", {"suite": "Suite", "method": st.column_config.TextColumn("Method", pinned=True)})
    if notes:
        with st.expander(f"Cells that contradict others: {len(notes)}"):
            widgets.table(pd.DataFrame({"note": notes}), alt="Notes on the published numbers")
