"""The process that reads a stranger's bundle: ``python -m leaderboards.submissions.child BUNDLE`` prints the results as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.errors import BenchError
from leaderboards.submissions.limits import MEMORY_BYTES, SECONDS


def _limit() -> None:
    """Bound this process: address space, processor time, and no file can be written."""
    try:
        import resource
    except ImportError:  # not on Windows: there the time alone is bounded
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    """Check the bundle named on the command line and print the results as JSON."""
    _limit()
    from leaderboards.submissions.checks import check

    found = check(Path(sys.argv[1]))
    print(json.dumps([{"name": each.name, "about": each.about, "verdict": each.verdict.value, "reason": each.reason} for each in found]))


if __name__ == "__main__":
    try:
        main()
    except (MemoryError, BenchError):
        sys.exit(3)
