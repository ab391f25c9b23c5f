"""Streamlit's own command line, after what the pages need is imported: the first reader does not wait for it."""

from __future__ import annotations

import inspect
from importlib import import_module

OURS = ("charts", "compared", "frames", "pictures", "settings")
"""What the pages use, but what caches: that needs the server."""
STREAMLITS = ("streamlit.emojis", "streamlit.material_icon_names")
"""What Streamlit itself imports when the first page is shown."""


def main() -> None:
    """Do beforehand what the first page would do, then what ``streamlit`` does with the arguments of this process."""
    for name in ("duckdb", *STREAMLITS, *(f"leaderboards.app.{each}" for each in OURS)):
        import_module(name)
    from bench.registry import suites

    dict(suites.items())  # loads them: every page asks whether its suites are unsafe
    from streamlit.web.cli import main as streamlit

    inspect.stack()  # Streamlit looks at its callers once, for which Python then looks up the file of every module; it remembers them
    streamlit(prog_name="streamlit")


if __name__ == "__main__":
    main()
