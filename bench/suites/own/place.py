"""What ``--suite`` means: a registered suite, or the path of a file of prompts; and what such a suite is called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from pathlib import Path

from bench.errors import BenchError
from bench.suites.from_files.read import ending

ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet")
"""Of files that are read; with ``.gz`` after it too, where the file is text."""
_OTHERS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".yaml", ".yml", ".gz", ".zip", ".md")
"""Endings that no suite's name has either: what is called so is meant as a file, and refused as one."""
KEPT = "own-prompts.parquet"
"""What a run's own copy of its prompts is called, within the run's folder."""
_LONGEST = 40
"""Letters of the stem in a suite's name; the name is a folder's too."""


def own_file(suite: str, registered: Collection[str]) -> Path | None:
    """Return the file that ``suite`` names, absolute, or None where it names a registered suite or nothing that looks like a path.

    A registered name is that suite, whatever lies in the working folder; ``./NAME`` is the file.

    Raises:
        BenchError: it is a URL, or there is no such file.
    """
    if suite in registered:
        return None
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", suite):
        raise BenchError(f"--suite takes a suite's name or a file on this machine, and {suite!r} is a URL. Download the file and give its path.")
    looks = "/" in suite or suite.startswith(("~", ".")) or suite.lower().endswith((*ENDINGS, *_OTHERS))
    try:
        path = Path(suite).expanduser().absolute()
        there = path.exists()
    except (RuntimeError, OSError, ValueError) as error:  # no such user, a name too long, a NUL
        raise BenchError(f"--suite {suite[:80]!r} is no path: {error}.") from None
    if not looks and not there:
        return None
    if not there:
        near = difflib.get_close_matches(path.name.split(".")[0], list(registered), n=1, cutoff=0.8)
        mend = f"Did you mean the suite {near[0]!r}?" if near else "Give the path of a file of prompts, or a suite of `bench ls suites`."
        run = f" An unfinished run of it goes on from the copy that its folder keeps: --suite RUN/{KEPT}." if not near and path.suffix else ""
        raise BenchError(f"There is no file at {path}. {mend}{run}")
    return path


def name_of(path: Path) -> str:
    """Return the name of the suite that a file is: the file's, as far as it can name a folder and be typed."""
    last = ending(path) + (".gz" if path.name.lower().endswith(".gz") else "")
    stem = path.name[: len(path.name) - len(last)] if last else path.name
    return (re.sub(r"[^\w.-]+", "-", stem)[:_LONGEST].strip("-.") or "prompts") + last
