"""Reads a stranger's bundle in a process of its own: what takes too much memory or time, or crashes a library, is a failed check.

A Parquet file of a few bytes may say that it unpacks to anything, and no look at its head bounds what its pages do; so the operating system does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from leaderboards.submissions.files import read_file
from leaderboards.submissions.limits import BUNDLE_BYTES, MEMORY_BYTES, SECONDS
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict, Refused, one_line

_SAID = 4 << 20
"""Bytes of results that are read."""


def validate(path: Path | str) -> list[CheckResult]:
    """Return what every named check says of a bundle, within limits of memory and time. Nothing is downloaded, nothing is written.

    Args:
        path: of the bundle.

    Raises:
        BenchError: there is no file to read.
    """
    path = Path(path)
    try:
        read_file(path, BUNDLE_BYTES)
    except Refused as error:
        return [_failed(str(error))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "leaderboards.submissions.child", str(path.resolve())]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=2 * SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return [_failed(f"it takes more than {2 * SECONDS} seconds to read")]
    if done.returncode != 0 or len(done.stdout) > _SAID:
        limits = f"{SECONDS} seconds and {MEMORY_BYTES >> 30} GiB"
        return [_failed(f"it cannot be read within {limits}, or a library broke on it (exit {done.returncode})")]
    return [CheckResult(each["name"], each["about"], CheckVerdict(each["verdict"]), each["reason"]) for each in json.loads(done.stdout)]


def _failed(reason: str) -> CheckResult:
    return CheckResult("archive", "bundle", CheckVerdict.FAILED, one_line(reason))
