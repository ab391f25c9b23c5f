"""Takes a run off the disk: at the user's word, or because it was begun a moment ago and could not start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError
from bench.files.atomic import TEMPORARY, mendable
from bench.runs.folder import RunFolder
from bench.runs.spec import Reach


def remove(folder: RunFolder) -> None:
    """Remove a run with all that is in its folder. What a kill leaves of it is no run any more, and the next removal beside it sweeps it.

    Raises:
        BenchError: it is no run folder, another process works on it, or it cannot be removed.
    """
    folder = RunFolder(folder.path.resolve())  # `.` and links have no name to take away
    if not RunFolder.is_run(folder.path):
        raise BenchError(f"{folder.path} is not a run folder: nothing of it is removed. List runs with `bench status`.")
    with folder.lock():
        _take_away(folder.path)


@contextmanager
def left_nothing(folder: RunFolder, out: Path) -> Iterator[None]:
    """Within the block a run is begun, by whoever holds its lock; where that ends in an error before a unit is finished, nothing of it is left.

    Args:
        folder: the run; one that was there before stays, and goes as far as it went.
        out: the folder of all runs.
    """
    # The folder itself is there: the lock is in it.
    fresh = not folder.exists() and not folder.marked_units()
    before = None
    with suppress(BenchError, OSError):  # what cannot be read is not put back
        before = folder.manifest(), folder.units_changed()
    try:
        yield
    except BenchError:
        with suppress(OSError):
            if before is not None and folder.units_changed() == before[1] and Reach.of(folder.manifest()) != Reach.of(before[0]):
                folder.write_manifest(before[0])
        if fresh and not folder.marked_units():
            _take_away(folder.path)
            for above in folder.path.parents:
                if above == out.parent or not above.is_dir() or any(above.iterdir()):
                    break
                above.rmdir()
        raise


def _take_away(path: Path) -> None:
    with mendable(path):
        gone = path.with_name(f"{TEMPORARY}{path.name}")
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)  # at once: no half of a run is ever taken for one
        for left in path.parent.glob(f"{TEMPORARY}*"):
            if left.is_dir() and not left.is_symlink() and RunFolder(left).is_named_as_run():  # others may put theirs here
                shutil.rmtree(left)
