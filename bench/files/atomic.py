"""Writing files that are whole or absent: a temporary name, flushed, then one atomic rename."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.errors import Damaged, Unreachable

TEMPORARY = ".tmp-"
"""Names of unfinished files begin so; they never count and are swept when their folder is next written to."""
ABANDONED = 3600.0
"""Seconds after which a file half written, in a folder that nobody locks, is nobody's work any more."""


class Doing(StrEnum):
    """What is done at a path."""

    WRITE = "write"
    READ = "read"
    REMOVE = "remove"


_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
_REMEDY = {
    Doing.WRITE: "Give a folder that you may write to, with --out.",
    Doing.READ: "Have it made readable for you, or run the command as somebody who may read it.",
    Doing.REMOVE: "Remove it as somebody who may write to the folder that it is in; a read-only disk must be mounted for writing.",
}
_TRIES = {
    errno.EMFILE: "Close what holds files open, or raise `ulimit -n`.",
    errno.ENFILE: "Close what holds files open, or raise `ulimit -n`.",
    errno.EIO: "The device gives errors: look at the disk, or at the connection to it.",
}


@contextmanager
def mendable(path: Path, doing: Doing = Doing.WRITE) -> Iterator[None]:
    """Turn what the operating system refuses at ``path`` into one clear line, whose remedy is of what is done there.

    Raises:
        Unreachable: the operating system refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"The disk is full at {path}. Nothing that was finished is lost: free some space and run the same command again."
        else:
            remedy = _REMEDY[doing] if error.errno in _REFUSED else _TRIES.get(error.errno or 0, "")
            message = f"Cannot {doing} {path}: {error.strerror or error}. {remedy}".rstrip()
        raise Unreachable(message) from error


def write_atomic(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write ``content`` to ``path`` so that a reader sees all of it or none.

    Args:
        path: its folder is made where it is missing.
        content: the bytes.
        sync: flush to the device first, so that not even a power cut leaves a file that is named but empty.

    Raises:
        BenchError: the disk is full or not writable.
    """
    with mendable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_atomic(path, (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    Raises:
        Damaged: it is missing or no JSON object; the message calls it ``what``.
        Unreachable: the operating system refuses it.
    """
    with mendable(path, Doing.READ):
        try:
            value = json.loads(path.read_bytes().decode())
        except FileNotFoundError:
            raise Damaged(f"No {what} at {path}.") from None
        except (ValueError, RecursionError):  # no text, no JSON, or a number of thousands of digits
            raise Damaged(f"The {what} at {path} was damaged: it is not readable JSON.") from None
    if not isinstance(value, dict):
        raise Damaged(f"The {what} at {path} was damaged: it is not a JSON object.")
    return value


def sweep(folder: Path, *, older: float = 0.0) -> None:
    """Remove what an interrupted process left half written under ``folder``.

    Args:
        folder: where it may lie.
        older: seconds that a file must have lain there: in a folder that nobody locks, another process may be at work on a younger one.
    """
    before = time.time() - older
    for leftover in folder.rglob(f"{TEMPORARY}*"):
        with suppress(FileNotFoundError, IsADirectoryError):
            if leftover.stat().st_mtime <= before:
                leftover.unlink()
