"""What a plugin's code hashes to, so that what a broken version of it stored is never taken for what the mended one would give.

A version is a promise, easily forgotten while a plugin is being written; the harness's own methods and scorers keep it, and so they go
by their versions alone.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.files.hashes import sha256
from bench.registry import Registry

SOURCE = "source"
"""Of an identity; not there for the harness's own."""


def source(registry: Registry[Any], name: str) -> dict[str, str]:
    """Return what joins the identity of the method or scorer ``name``: ``{"source": hash}``, and nothing for the harness's own."""
    return {} if registry.is_own(name) else {SOURCE: source_hash(registry.get(name))}


def source_hash(kind: type) -> str:
    """Return the SHA-256 of a class's source: every ``.py`` file in its module's package and below, or its module alone where that is in none.

    Bases count as well, as far as they are of the same top-level package. Where there is no file, as in a notebook, it is the text of the class.
    """
    top = kind.__module__.partition(".")[0]
    files: dict[str, str] = {}
    for each in kind.__mro__:
        if each.__module__.partition(".")[0] == top:
            files |= dict(_files(each))
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{files[name]}\n".encode())
    return digest.hexdigest()


def _files(kind: type) -> Iterator[tuple[str, str]]:
    """Yield name and hash of each file that ``kind`` comes from; names do not say where a package is installed."""
    module = sys.modules.get(kind.__module__)
    place = None if kind.__module__ == "__main__" else getattr(module, "__file__", None)
    if place is None or not Path(place).is_file():
        yield kind.__qualname__, hashlib.sha256(_text(kind).encode("utf-8", "backslashreplace")).hexdigest()
        return
    package = getattr(module, "__package__", None) or ""
    file = Path(place)
    yield f"{kind.__module__}:{file.name}", sha256(file)
    for each in file.parent.rglob("*.py") if package else ():
        yield f"{package}:{each.relative_to(file.parent).as_posix()}", sha256(each)


def _text(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed at a prompt: nothing tells one version from the next
        return ""
