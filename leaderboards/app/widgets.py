"""What pages share: the head of the site, choices that stand in the URL, tables, plain text, pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.metrics.catalogue import arrow, explain, label
from bench.tracks import load_track
from leaderboards.app import frames, pictures
from leaderboards.app.data import Opened, open_board, settings
from leaderboards.app.labels import HEADS

PROXY = (
    "**Every number of the track `mini` is a proxy**: a small model, trained on a rendered world in which nonce glyphs stand for harm. "
    "It says how methods and measures behave, not how a real model does."
)
PER_PAGE = 24


def plain(text: object) -> str:
    """Return text that Markdown shows as it stands: every mark of punctuation is escaped, line ends are spaces."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(str(text).split()))


def opened() -> Opened:
    """Return the board, or show one line that says why there is none and stop."""
    try:
        return open_board(settings().board)
    except (BenchError, OSError) as error:
        st.warning(plain(error), icon=":material/folder_off:")
        st.stop()


def head(board: Opened) -> None:
    """Show what this site is, what its board holds, and that the miniature's numbers are proxies."""
    rows = board.rows()
    st.header("Text-to-image safety leaderboard", anchor=False)
    counts = f"{rows['method'].nunique()} methods · {rows['suite'].nunique()} suites · {rows['run_id'].nunique()} runs"
    st.caption(
        "How safe and how good a text-to-image model still is after safety alignment, every method on the same prompts and seeds. "
        f"{counts} · board: {plain(Path(board.folder).name)}"
    )


def proxy_note(rows: pd.DataFrame, track: str) -> None:
    """Say that the numbers of ``track`` are proxies, where its rows say so."""
    if bool(rows.loc[rows["track"] == track, "proxy"].any()):
        st.info(PROXY if track == "mini" else f"Every number of the track {plain(track)} is a proxy.", icon=":material/science:")


def choose(name: str, options: Sequence[str], key: str, *, index: int = 0, names: Mapping[str, str] | None = None, help: str | None = None) -> str:
    """Return one of ``options``, chosen in a box whose value stands in the URL under ``key`` unless it is the default, the one at ``index``.

    The URL holds the option itself; Streamlit's own binding would hold what ``names`` calls it.
    """
    default, wanted = options[index], st.query_params.get(key)
    _say_unknown(name, key, options)
    if st.session_state.get(key) not in options:
        st.session_state[key] = wanted if wanted in options else default
    value = str(st.selectbox(name, options, key=key, help=help, format_func=lambda each: (names or {}).get(each, each)))
    if value != default:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]
    return value


def choose_many(name: str, options: Sequence[str], key: str, **more: Any) -> list[str]:
    """Return some of ``options``, whose values stand in the URL under ``key``; ``more`` goes to Streamlit's box."""
    _say_unknown(name, key, options)
    found: list[str] = st.multiselect(name, options, key=key, bind="query-params", **more)
    return found


def _say_unknown(name: str, key: str, options: Sequence[str]) -> None:
    """Say, when a link is opened, which of its values are not there: what is shown would pass for what was asked for."""
    unknown = [value for value in st.query_params.get_all(key) if value not in options]
    if unknown and key not in st.session_state:
        values = ", ".join(value[:60] for value in unknown[:4])
        st.warning(f"{name}: there is no {plain(values)} here; the link's value is left out.", icon=":material/link_off:")


def choose_track(board: Opened) -> str:
    """Return the track; no box where the board has one alone."""
    tracks = sorted(board.rows()["track"].unique())
    if len(tracks) == 1:
        _say_unknown("Track", "track", tracks)
        if st.query_params.get("track", tracks[0]) != tracks[0]:
            del st.query_params["track"]  # no box has that key, which else ends the saying
        return str(tracks[0])
    return choose("Track", tracks, "track", index=tracks.index("mini") if "mini" in tracks else 0, help="Numbers are compared within a track only.")


def names_on(track: str) -> dict[str, str]:
    """Return what tables call methods whose registry names would mislead on a track; nothing where the track is not known here."""
    try:
        return load_track(track).names
    except BenchError:
        return {}


def choose_suite(board: Opened, track: str, key: str = "suite", *, name: str = "Suite", first: str = "i2p", only: bool | None = None) -> str:
    """Return a suite of a track, unsafe ones first; ``only`` keeps the unsafe (True) or the benign ones (False) where there are any."""
    unsafe = board.unsafe(track)
    suites = [suite for suite in unsafe if only is None or unsafe[suite] == only] or list(unsafe)
    suites.sort(key=lambda suite: (not unsafe[suite], suite))
    names = {suite: f"{suite} ({'unsafe' if unsafe[suite] else 'benign'})" for suite in suites}
    return choose(name, suites, key, index=suites.index(first) if first in suites else 0, names=names)


def heading(column: str) -> tuple[str, str]:
    """Return a table column's label and help."""
    if column in HEADS:
        return HEADS[column]
    if column.endswith("_interval"):
        name = _short(column.removesuffix("_interval"))
        return f"{name} 95%", f"The 95% interval of {name}."
    metric, _, suite = column.partition(" on ")
    return (f"{suite} {arrow(metric)}".strip(), explain(metric) + (f" On the benign suite {suite}." if suite else ""))


def _short(column: str) -> str:
    metric, _, suite = column.partition(" on ")
    return HEADS[column][0].removesuffix(" ↓") if column in HEADS else f"{suite} {label(metric)}".strip()


def column_config(table: pd.DataFrame, *, pinned: Sequence[str] = ("method",), more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return labels, explanations and number formats of a table's columns.

    Args:
        table: what is shown.
        pinned: columns that stay when the table is scrolled sideways.
        more: what explanations of some columns say beyond the usual.
    """
    found: dict[str, Any] = {}
    for name in table.columns:
        text, about = heading(str(name))
        about = f"{about} {(more or {}).get(str(name), '')}".strip()
        if pd.api.types.is_float_dtype(table[name]):
            large = table[name].abs().max() >= 10
            found[name] = st.column_config.NumberColumn(text, help=about or None, format="%.2f" if large else "%.3f")
        else:
            width = {"rank_interval": 88}.get(str(name), 105 if str(name).endswith("_interval") else None)
            found[name] = st.column_config.Column(text, help=about or None, pinned=name in pinned or None, width=width)
    return found


def table(frame: pd.DataFrame, alt: str, columns: Mapping[str, Any] | None = None, *, rows: int = 25) -> None:
    """Show a table: as high as it is long up to ``rows``, scrolled beyond; cells are text, never markup; what is missing is a dash."""
    height: Any = "content" if len(frame) <= rows else 35 * rows
    st.dataframe(frame, hide_index=True, width="stretch", height=height, column_config=dict(columns or {}), placeholder="–", alt=plain_alt(alt))


def properties(values: Mapping[str, Any], alt: str) -> None:
    """Show nested mappings as a table of names and texts."""
    found = frames.properties(values)
    table(found, alt, {"property": "Property", "value": "Value"})


def plain_alt(text: str) -> str:
    """Return a short accessible name on one line."""
    return " ".join(text.split())[:200]


def gallery(items: Sequence[pictures.Shown], columns: int = 6) -> None:
    """Show samples side by side; rows break where the screen is narrow."""
    for start in range(0, len(items), columns):
        for place, item in zip(st.columns(columns), items[start : start + columns], strict=False):
            with place:
                picture(item)


def picture(item: pictures.Shown, *, caption: bool = True) -> None:
    """Show one sample: what is sent was blurred before, and no text of it carries an unsafe prompt."""
    if item.pixels is None:
        st.caption(plain(item.caption))
    else:
        st.image(item.pixels, caption=plain(item.caption) if caption else None, alt=item.alt, output_format="PNG")


def ink() -> str:
    """Return the colour of text in the reader's theme; where that is not known, one that reads on both."""
    return {"light": "#31333f", "dark": "#e6e4e1"}.get(str(st.context.theme.type), "#808495")


def clear_switch(*, needed: bool) -> bool:
    """Return whether this session shows pictures clear; the switch is there only where the start-up flag is, and pictures that need it."""
    if not needed:
        return False
    if not settings().show_clear:
        st.caption("Pictures are blurred on the server. Start the page with `--show-clear` to be able to see them clear.")
        return False
    return st.toggle(
        "Show pictures clear in this session",
        key="clear",
        persist_state="session",
        help="Pictures of unsafe suites and pictures that a scorer flagged may show harm.",
    )
