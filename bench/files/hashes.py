"""What files hash to: SHA-256 of one, or of every file of a folder of weights that is used; and what a JSON-able value hashes to."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.files.selection import MODEL_INDEX, components, lacking, used

_CHUNK = 1 << 20


@lru_cache(maxsize=256)
def _sha256(path: str, size: int, mtime_ns: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Remembered within a process while size and time stay the same."""
    stat = path.stat()
    return _sha256(str(path), stat.st_size, stat.st_mtime_ns)


def hash_json(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value, the same for equal values in any key order.

    Raises:
        TypeError: it is not JSON-able.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def hash_weights(path: Path) -> dict[str, str]:
    """Return ``{relative file: sha256}`` of a file, or of every file of a folder that is used (:func:`bench.files.selection.used`), sorted.

    Raises:
        NotAvailable: the folder is a pipeline whose index is damaged.
    """
    if path.is_file():
        return {path.name: sha256(path)}
    names = names_in(path)
    return {name: sha256(path / name) for name in used(names, _parts(path, names))}


def names_in(folder: Path) -> list[str]:
    """Return the names of the files below a folder, relative to it, with ``/``; a link that leads nowhere is none."""
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def missing_in(folder: Path) -> list[str]:
    """Return the components of a pipeline's folder that are not whole; none for another folder.

    Raises:
        NotAvailable: the index is damaged.
    """
    names = names_in(folder)
    parts = _parts(folder, names)
    return [] if parts is None else lacking(names, parts)


def _parts(folder: Path, names: list[str]) -> tuple[str, ...] | None:
    return components((folder / MODEL_INDEX).read_bytes()) if MODEL_INDEX in names else None
