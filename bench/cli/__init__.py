"""The command line: a file a group of verbs, each a thin function that calls the library."""

from __future__ import annotations

from bench.cli.command import app
from bench.cli.entry import main

__all__ = ["app", "main"]
