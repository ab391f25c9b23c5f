"""The folder in which everything that a user brings or that is fetched is kept: prompts, and weights from the web."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "BENCH_DATA"
"""The environment variable that moves the folder."""


def data_folder() -> Path:
    """Return the folder of all added data: ``$BENCH_DATA``, or ``~/.cache/t2i-safety-bench/data``."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/t2i-safety-bench/data").expanduser()
