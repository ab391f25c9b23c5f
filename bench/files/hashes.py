"""What files hash to: SHA-256 of one, or of every file of a folder of weights that is used."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from bench.files.selection import MODEL_INDEX, components, used

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


def hash_weights(path: Path) -> dict[str, str]:
    """Return ``{relative file: sha256}`` of a file, or of every file of a folder that is used (:func:`bench.files.selection.used`), sorted.

    Raises:
        NotAvailable: the folder is a pipeline whose index is damaged.
    """
    if path.is_file():
        return {path.name: sha256(path)}
    names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    parts = components((path / MODEL_INDEX).read_bytes()) if MODEL_INDEX in names else None
    return {name: sha256(path / name) for name in used(names, parts)}
