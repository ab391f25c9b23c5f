"""JSON documents that carry the hash of their own content: every reader finds a flipped bit, and no second file has to agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import BenchError, Damaged
from bench.files.atomic import read_json, write_json
from bench.files.hashes import hash_json

VERSION = 2
"""Of these documents. Those of version 1 carry no hash, and some of them no version; they are read as they are."""
_FIRST = 1
_HASH, _VERSION = "sha256", "schema_version"


def write_signed(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` with its version and its hash, atomically."""
    content = json.loads(json.dumps({**value, _VERSION: VERSION}))  # as a reader will have it: no tuple, and every key a text
    write_json(path, {**content, _HASH: hash_json(content)})


def read_signed(path: Path, what: str, place: str) -> tuple[dict[str, Any], bool]:
    """Return the document in ``path`` without its hash, and whether it had one.

    Args:
        path: where.
        what: a message calls it so.
        place: whose document it is, for the message where another version of the harness wrote it.

    Raises:
        Damaged: it is missing, no JSON object, or not what was hashed.
        BenchError: another version of the harness wrote it.
    """
    value = read_json(path, what)
    stated, version = value.pop(_HASH, None), value.get(_VERSION, _FIRST)
    if stated is None and version == _FIRST and isinstance(version, int) and not isinstance(version, bool):
        return value, False
    if stated != hash_json(value):
        says = "" if version == VERSION else f", and says {what} version {version}"
        raise Damaged(f"The {what} at {path} was damaged: its content is not what it was hashed as{says}.")
    if version != VERSION:
        raise BenchError(
            f"{place} has {what} version {version}; this bench reads versions {_FIRST} and {VERSION}. Use the bench that wrote it, or another --out."
        )
    return value, True
