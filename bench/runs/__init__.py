"""Runs: what each is, and how it lies on disk; the only place that knows."""

from __future__ import annotations

from pathlib import Path

OUT = Path("runs")
"""The folder of all runs, where none is given."""
