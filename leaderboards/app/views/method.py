"""A method's card: what it is, where it comes from, what its weights saw, and all its numbers."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st

from bench.errors import BenchError
from bench.registry import methods
from leaderboards.app import frames, widgets
from leaderboards.app.data import Opened


def show() -> None:
    """Show the page."""
    board = widgets.opened()
    rows = board.rows()
    names = sorted(rows["method"].unique())
    box, _ = st.columns([1, 2])
    with box:
        name = widgets.choose("Method", names, "method", index=names.index("t2i-spo") if "t2i-spo" in names else 0)
    found = facts(name, board)
    if found.get("summary"):
        st.markdown(widgets.plain(found["summary"]))
    widgets.properties({key: value for key, value in found.items() if key != "summary"}, alt=f"What is known of the method {name}")
    st.subheader("Its numbers", anchor=False)
    for track in sorted(rows.loc[rows["method"] == name, "track"].unique()):
        widgets.proxy_note(rows, track)
    numbers = frames.method_numbers(rows, name)
    columns = {**widgets.column_config(numbers, pinned=["metric"]), "value": st.column_config.NumberColumn("Value", format="%.3f")}
    widgets.table(numbers, f"Every number of the method {name}", columns)
    for track in sorted(rows.loc[rows["method"] == name, "track"].unique()):
        card = weights_card(track)
        if card is not None:
            with st.expander(f"Card of the weights shipped for {widgets.plain(track)}", icon=":material/description:"):
                st.markdown(card)


def facts(name: str, board: Opened) -> dict[str, Any]:
    """Return what a method says of itself, from the registry where it is installed, with parameters and weights of its latest run."""
    runs = sorted((run for run in board.runs() if run["method"]["name"] == name), key=lambda run: str(run.get("created", "")))
    last = dict(runs[-1]["method"]) if runs else {}
    used = {key: last[key] for key in ("parameters", "weights") if last.get(key)}
    if name in methods:
        try:
            info = asdict(methods.get(name).info)
        except BenchError as error:
            return {**last, "not loaded": str(error)}
        info["kind"] = str(info["kind"])
        info["version"] = last.get("version", info["version"])
        return {**info, **used}
    return {**last, "installed here": "no"}


def weights_card(track: str) -> str | None:
    """Return the text of the card beside the weights that ship for a track: our own file, found by a plain name."""
    if not track.isidentifier():
        return None
    spec = find_spec("methods")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / "weights" / track / "README.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None
