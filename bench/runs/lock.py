"""The lock of a run folder: one process at a time works on a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError
from bench.files.atomic import Doing, mendable, sweep

_LOCK = "lock"


@contextmanager
def locked(path: Path, doing: Doing = Doing.WRITE) -> Iterator[None]:
    """Hold the run folder ``path`` for this process alone, and sweep what an interrupted one left half written.

    Args:
        path: made where it is not there.
        doing: what for, for the error.

    Raises:
        BenchError: another process holds it.
    """
    with mendable(path, doing):
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    with _held(path, handle):
        with mendable(path, doing):
            sweep(path)
        yield


@contextmanager
def locked_for_reading(path: Path) -> Iterator[bool]:
    """Hold a run folder as :func:`locked` does, also where nothing may be written; give whether something may.

    Raises:
        BenchError: another process holds it.
    """
    handle, writable = -1, False
    for flags in (os.O_RDONLY, os.O_CREAT | os.O_RDWR):
        with suppress(OSError):
            opened = os.open(path / _LOCK, flags, 0o644)
            if handle >= 0:
                os.close(handle)
            handle, writable = opened, flags != os.O_RDONLY
    if handle < 0:
        yield False  # read-only, and nobody ever held it
        return
    with _held(path, handle):
        yield writable


@contextmanager
def _held(path: Path, handle: int) -> Iterator[None]:
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(f"Another bench process is working on {path}. Wait for it, or give another --out.") from None
        yield
    finally:
        os.close(handle)
