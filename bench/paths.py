"""Where weights are: inside a package, on disk, in a repository of the hub, or a file of the web; and what they hash to."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from bench.errors import NotAvailable

_CHUNK = 1 << 20


def resolve(location: str) -> Path:
    """Return the local path that ``location`` names, fetched where it is not here yet.

    Args:
        location: one of

            - ``package:bench.miniature/weights/base``: shipped inside a package;
            - ``hub:OWNER/NAME[@REVISION]``, with ``/FOLDER`` or ``/FILE`` for a part of it: a repository of the Hugging Face Hub, of which the
              files that are used are fetched (:func:`bench.data.selection.used`); ``#sha256=HEX`` after a file checks it, ``#files=A,B`` takes
              these files alone;
            - ``https://HOST/FILE#sha256=HEX``: one file, kept in the data folder if its hash is right;
            - a path on disk.

    Raises:
        NotAvailable: nothing is there, or it cannot be fetched.
        BenchError: the location has another form.
    """
    if location.startswith("hub:"):
        from bench.data import hub

        return hub.fetch(location)
    if location.startswith(("https://", "http://")):
        from bench.data import web

        return web.fetch(location)
    if location.startswith("package:"):
        package, _, rest = location.removeprefix("package:").partition("/")
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise NotAvailable(f"{location!r} names a package that is not installed: {package}. Install the project again: `make env`.")
        path = Path(next(iter(spec.submodule_search_locations))) / rest
    else:
        path = Path(location).expanduser()
    if not path.exists():
        raise NotAvailable(f"No weights at {path} (from {location!r}). Check the path, or install the project again: `make env`.")
    return path


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


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
    """Return ``{relative file: sha256}`` of a file, or of every file of a folder that is used (:func:`bench.data.selection.used`), sorted.

    Raises:
        NotAvailable: the folder is a pipeline whose index is damaged.
    """
    from bench.data.selection import MODEL_INDEX, components, used

    if path.is_file():
        return {path.name: sha256(path)}
    names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    parts = components((path / MODEL_INDEX).read_bytes()) if MODEL_INDEX in names else None
    return {name: sha256(path / name) for name in used(names, parts)}
