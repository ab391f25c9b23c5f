"""The pages of the site, in the order of the menu, and how one page leads to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from bench.errors import BenchError
from leaderboards.app.widgets import plain

_PAGES: Mapping[str, tuple[str, str]] = {
    "board": ("Board", ":material/leaderboard:"),
    "trade_off": ("Trade-off", ":material/scatter_plot:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "run": ("Run", ":material/photo_library:"),
    "method": ("Method", ":material/badge:"),
    "suite": ("Suite", ":material/list_alt:"),
    "ablations": ("Ablations", ":material/science:"),
    "submit": ("Submit", ":material/upload_file:"),
}
"""Module of ``views`` (which is the page's path in the URL too) to title and icon."""


def pages() -> list[StreamlitPage]:
    """Return every page, the board first."""
    return [_page(name) for name in _PAGES]


def go(name: str, **parameters: str | list[str]) -> None:
    """Open the page called ``name`` with parameters in its URL."""
    st.switch_page(_page(name), query_params=parameters)


def _page(name: str) -> StreamlitPage:
    title, icon = _PAGES[name]
    return st.Page(shower(name), title=title, icon=icon, url_path=name, default=name == "board")


def shower(name: str) -> Callable[[], None]:
    """Return what shows a page: its module is imported when it is opened, and what the reader can mend is one line, never a traceback."""

    def show() -> None:
        try:
            import_module(f"leaderboards.app.views.{name}").show()
        except BenchError as error:
            st.warning(plain(error), icon=":material/error:")

    return show
