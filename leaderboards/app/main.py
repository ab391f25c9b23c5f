"""The script that Streamlit runs: `bench leaderboard` starts it."""

from __future__ import annotations

import streamlit as st

from leaderboards.app import navigation, widgets

st.set_page_config(page_title="T2I safety leaderboard", page_icon="🛡️", layout="wide")
page = st.navigation(navigation.pages(), position="top")
widgets.head(widgets.opened())
page.run()
