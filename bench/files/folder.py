"""Folders of this machine: the one in which everything that a user brings or that is fetched is kept, and what is none."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bench.errors import BenchError

VARIABLE = "BENCH_DATA"
"""The environment variable that moves the folder."""


def data_folder() -> Path:
    """Return the folder of all added data: ``$BENCH_DATA``, or ``~/.cache/t2i-safety-bench/data``."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/t2i-safety-bench/data").expanduser()


ELSEWHERE = frozenset("s3 s3a gs gcs az abfs abfss adl hf http https ftp ftps sftp ssh hdfs webhdfs webdav dav smb oci file memory".split())
"""What an address begins with that is no path."""


def on_this_machine(path: Path) -> Path:
    """Return ``path``, which is to be one of this machine.

    Raises:
        BenchError: it is an address, such as ``s3://bucket/runs``.
    """
    scheme = re.match(r"([a-z0-9]+):/", str(path))  # a Path keeps one slash of two
    if scheme and scheme[1] in ELSEWHERE and not path.exists():
        raise BenchError(
            f"{scheme[1]}://{str(path)[scheme.end() :]} is an address; runs are locked, and written by renaming files, so they lie in a folder. "
            "Mount it or copy it (for example with `rclone copy`), then give the folder."
        )
    return path
