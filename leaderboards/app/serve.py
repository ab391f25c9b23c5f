"""Streamlit's own command line, after what the pages need is imported: the first reader does not wait for it."""

from __future__ import annotations

from importlib import import_module


def main() -> None:
    """Import what the pages use (but what caches, which needs the server), then do as ``streamlit`` does with the arguments of this process."""
    for name in ("duckdb", *(f"leaderboards.app.{each}" for each in ("charts", "compared", "frames", "pictures", "settings"))):
        import_module(name)
    from bench.registry import suites

    dict(suites.items())  # loads them: every page asks whether its suites are unsafe
    from streamlit.web.cli import main as streamlit

    streamlit(prog_name="streamlit")


if __name__ == "__main__":
    main()
