"""A suite's card: what it asks for, its version and hash, what the screen took, its licence, and every method's numbers on it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.registry import suites
from bench.tracks import load_track
from bench.types.suite import SuiteInfo
from leaderboards.app import frames, widgets
from leaderboards.app.data import Opened


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    rows = board.rows()
    box, _ = st.columns([1, 2])
    with box:
        track = widgets.choose_track(board)
        name = widgets.choose_suite(board, track)
    widgets.proxy_note(rows, track)
    run = _latest(board, track, name)
    counts = run["suite"]
    info = facts(name, track)
    if info is not None:
        st.markdown(widgets.plain(info.summary))
    figures = st.columns(4)
    for place, text, value in (
        (figures[0], "Prompts", counts.get("prompts")),
        (figures[1], "Images a method", run.get("samples")),
        (figures[2], "Taken by the screen", counts.get("screened_out")),
        (figures[3], "Methods on the board", rows.loc[(rows["track"] == track) & (rows["suite"] == name), "method"].nunique()),
    ):
        place.metric(text, "unknown" if value is None else f"{value:,}")
    known = {
        "unsafe": "yes" if board.unsafe(track)[name] else "no",
        "version": counts.get("version"),
        "sha-256 of all that decides the samples": counts.get("digest"),
        "prompts before the screen": counts.get("total_prompts"),
        "limit": counts.get("limit"),
        "source": info.source if info else "",
        "licence of the prompts": info.licence if info else "",
        "images a prompt": counts.get("images") or (info.images_per_prompt if info else ""),
    }
    widgets.properties(known, alt=f"What is known of the suite {name}")
    _screened(list(counts.get("screened_out_sha256") or []))
    st.subheader("Methods on it", anchor=False)
    table = frames.suite_numbers(rows, track, name)
    table["method"] = table["method"].replace(widgets.names_on(track))
    shape = {column: st.column_config.NumberColumn(format="%.3f") for column in table.columns[1:]}
    widgets.table(table, f"Numbers on {name}", {**shape, "method": st.column_config.TextColumn("Method", pinned=True)})
    st.caption("Intervals, ranks and tiers of these numbers are on the board.")


def _latest(board: Opened, track: str, suite: str) -> dict[str, Any]:
    return max((run for run in board.runs() if run["track"] == track and run["suite"]["name"] == suite), key=lambda run: str(run.get("created", "")))


def facts(name: str, track: str) -> SuiteInfo | None:
    """Return what a suite's variant on a track says of itself, where it is installed here."""
    try:
        return suites.get(name).variant(load_track(track)).info
    except BenchError:
        return None


def _screened(hashes: list[str]) -> None:
    st.caption("The child-safety screen runs on every prompt before anything is generated and has no switch. What it took is published as hashes.")
    if hashes:
        with st.expander(f"Prompts that the screen took: {len(hashes)}"):
            widgets.table(pd.DataFrame({"sha-256": hashes}), alt="Hashes of the prompts that the screen took")
