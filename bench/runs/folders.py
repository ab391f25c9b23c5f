"""All the runs under a folder."""

from __future__ import annotations

import glob
from pathlib import Path

from bench.files.atomic import TEMPORARY
from bench.files.folder import on_this_machine
from bench.runs.folder import RunFolder
from bench.runs.models import short_id


def run_folders(out: Path, *, track: str | None = None, suite: str | None = None, run_id: str | None = None) -> list[RunFolder]:
    """Return the folder of every run that was begun under ``out``, by path, also where its manifest was deleted; nothing is read.

    Args:
        out: the folder of all runs.
        track: of this track alone.
        suite: of this suite alone.
        run_id: whose name says this id; another id may begin alike, so the manifest has the word.
    """
    names = ["*" if name is None else glob.escape(name) for name in (track, suite)]
    run = "*" if run_id is None else f"*-{glob.escape(short_id(run_id))}"
    found = [RunFolder(path) for path in sorted(on_this_machine(out).glob("/".join([*names, run])))]
    return [folder for folder in found if not folder.path.name.startswith(TEMPORARY) and RunFolder.is_run(folder.path)]
