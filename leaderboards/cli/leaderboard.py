"""The verb ``bench leaderboard``."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import HelpPanel, in_panel
from bench.console import say
from bench.errors import BenchError, NotAvailable

HOST = "127.0.0.1"
"""Nobody else on the network sees the page; a proxy in front of it is for whoever wants that."""

UPLOAD_MEGABYTES = 64
"""The largest bundle that the page takes; more than any that ``bench submit`` makes."""


@in_panel(HelpPanel.PUBLISH)
def leaderboard(
    board: Annotated[
        Path | None,
        typer.Option("--board", "-b", help="The board's folder, made by `bench board`; where not given the shipped one, or ./board if none ships."),
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", help="The folder of all runs, for pictures and ablations; the page works without.")] = Path("runs"),
    port: Annotated[int, typer.Option("--port", help="Where the page answers on this machine.")] = 8501,
    show_clear: Annotated[
        bool, typer.Option("--show-clear", help="Let a session show pictures of unsafe suites clear, after a click; blurred without.")
    ] = False,
) -> None:
    """Open the leaderboard in the browser: board, trade-offs, comparisons, runs, method and suite cards.

    Example: bench leaderboard --board board --port 8501
    """
    for package in ("streamlit", "altair", "duckdb"):
        if find_spec(package) is None:
            raise NotAvailable(f"The web page needs {package}, which is not installed. Run: pip install 't2i-safety-bench[leaderboard]'.")
    if not 1 <= port <= 65535:
        raise BenchError(f"A port is a number from 1 to 65535; got {port}.")
    say(f"open http://{HOST}:{port} in a browser; Ctrl-C ends it")
    sys.stdout.flush()
    os.execv(sys.executable, command(board, runs, port, show_clear=show_clear))


def command(board: Path | None, runs: Path, port: int, *, show_clear: bool) -> list[str]:
    """Return the command that serves the page: on this machine alone, nothing sent to anyone, no traceback on a page."""
    options = {
        "server.address": HOST,
        "server.port": str(port),
        "server.headless": "true",  # no question on the terminal, no browser of its own
        "server.fileWatcherType": "none",
        "server.maxUploadSize": str(UPLOAD_MEGABYTES),
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "type",
        # Blue is neither good nor bad, unlike the default red. Both themes are named, so that light and dark stay the reader's choice.
        "theme.light.primaryColor": "#0a6fb5",
        "theme.dark.primaryColor": "#4aa8e8",
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    ours = ["--runs", str(runs), *(["--board", str(board)] if board is not None else []), *(["--show-clear"] if show_clear else [])]
    return [sys.executable, "-m", "leaderboards.app.serve", "run", str(Path(__file__).parents[1] / "app" / "main.py"), *given, "--", *ours]
