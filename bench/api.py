"""What the verbs do, for Python: ``bench.run``, ``bench.load_run`` and their kin, each from where it lives."""

from __future__ import annotations

from bench.engine.imported import import_images
from bench.engine.run import run, score
from bench.engine.sweep import sweep
from bench.reports.comparison import compare
from bench.reports.meta.table import meta_table as meta
from bench.reports.summary.table import summary
from bench.runs import OUT
from bench.runs.find import Run, describe, find_runs, folder_of, load_run
from bench.runs.merge import merge
from bench.runs.regenerate import regenerate
from bench.runs.verify import verify

__all__ = [
    "OUT",
    "Run",
    "compare",
    "describe",
    "find_runs",
    "folder_of",
    "import_images",
    "load_run",
    "merge",
    "meta",
    "regenerate",
    "run",
    "score",
    "summary",
    "sweep",
    "verify",
]
