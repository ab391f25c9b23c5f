"""What an interrupted process left half written is swept, and nothing that another one is writing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.files.atomic import ABANDONED, TEMPORARY, sweep


def test_in_a_folder_that_nobody_locks_only_old_leftovers_are_swept(tmp_path: Path) -> None:
    old, young, whole = tmp_path / "inner" / f"{TEMPORARY}a", tmp_path / f"{TEMPORARY}b", tmp_path / "whole.json"
    for path in (old, young, whole):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    os.utime(old, (time.time() - 2 * ABANDONED,) * 2)
    sweep(tmp_path, older=ABANDONED)
    assert not old.exists() and young.exists() and whole.exists()
    sweep(tmp_path)
    assert not young.exists() and whole.exists()
