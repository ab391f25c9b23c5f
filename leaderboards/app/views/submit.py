"""Checks a bundle in the page, with the checks of `bench validate`; nothing is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from leaderboards.app import widgets


def show() -> None:
    """Show the page."""
    st.markdown(
        "A submission is a bundle: results, manifests, a method card and the hashes of every sample; no image. Make one from finished runs "
        "with `bench submit RUN...`, check it here or with `bench validate BUNDLE`, and send it as a pull request (`docs/submit.md`)."
    )
    try:
        from leaderboards.submissions import validate
    except ImportError:
        st.info("This installation has no checks of bundles: leaderboards/submissions is missing. Install the project again: `make env`.")
        return
    given = st.file_uploader(
        "A bundle", type="zip", key="bundle", help="It is read in a process of its own with limits of memory and time, and deleted after."
    )
    if given is None:
        return
    with st.spinner("Checking the bundle …"), tempfile.TemporaryDirectory() as folder:
        # The name that the browser sends is not used: no path of a stranger's making.
        path = Path(folder) / "bundle.zip"
        path.write_bytes(given.getvalue())
        try:
            results = validate(path)
        except BenchError as error:
            st.error(widgets.plain(error), icon=":material/error:")
            return
    _verdict(results)
    columns = {"check": "Check", "about": "About", "verdict": "Verdict", "reason": st.column_config.TextColumn("Reason", width="large")}
    widgets.table(check_table(results), "What each check says of the bundle", columns)


def check_table(results: Sequence[Any]) -> pd.DataFrame:
    """Return one row a check: name, what it looked at, verdict, reason; failures first."""
    rows = [{"check": each.name, "about": each.about, "verdict": str(each.verdict), "reason": each.reason} for each in results]
    order = {"failed": 0, "not checked": 1, "passed": 2}
    return pd.DataFrame(sorted(rows, key=lambda row: order[row["verdict"]]))


def _verdict(results: Sequence[Any]) -> None:
    counts = {verdict: sum(str(each.verdict) == verdict for each in results) for verdict in ("failed", "not checked", "passed")}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    if counts["failed"]:
        st.error(f"The bundle is refused: {said}.", icon=":material/error:")
    else:
        st.success(f"Nothing is wrong with the bundle: {said}.", icon=":material/check_circle:")
