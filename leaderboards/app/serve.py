"""Streamlit's own command line, after what the first page would do once is done: its reader does not wait for that."""

from __future__ import annotations

import inspect
from contextlib import suppress
from importlib import import_module

OURS = ("charts", "compared", "frames", "pictures", "settings")
"""What the pages use, but what caches: that needs the server."""
STREAMLITS = ("streamlit.emojis", "streamlit.material_icon_names")
"""What Streamlit itself imports when the first page is shown; where another version has no such module, the page is as good without."""


def main() -> None:
    """Do beforehand what the first page would do, then what ``streamlit`` does with the arguments of this process."""
    for name in ("duckdb", *(f"leaderboards.app.{each}" for each in OURS)):
        import_module(name)
    for name in STREAMLITS:
        with suppress(ImportError):
            import_module(name)
    from bench.registry import suites

    dict(suites.items())  # loads them: every page asks whether its suites are unsafe
    from streamlit.web.cli import main as streamlit

    inspect.stack()  # Streamlit looks at its callers once, for which Python then looks up the file of every module; it remembers them
    streamlit(prog_name="streamlit")


if __name__ == "__main__":
    main()
