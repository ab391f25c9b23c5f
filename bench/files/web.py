"""Single files of the web as locations of weights: fetched once, kept only if their SHA-256 is right, and read from the disk ever after."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from bench.errors import BenchError, NotAvailable, first_line
from bench.files.folder import VARIABLE, data_folder
from bench.files.hashes import sha256

SCHEMES = ("https://", "http://")
"""The hash says whether a file is right, however it came."""


@dataclass(frozen=True, slots=True)
class WebLocation:
    """What ``https://...#sha256=HEX`` says.

    Attributes:
        url: without the hash.
        sha256: in lower-case hexadecimal.
        name: of the file.
    """

    url: str
    sha256: str
    name: str

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return self.url

    @property
    def path(self) -> Path:
        """Where the file is kept, there or not: ``$BENCH_DATA/weights/SHA256/NAME``."""
        return data_folder() / "weights" / self.sha256 / self.name

    @property
    def there(self) -> bool:
        """Whether the file is here, and right."""
        return self.path.is_file() and sha256(self.path) == self.sha256


def parse(location: str) -> WebLocation:
    """Return what an ``https://`` location says.

    Raises:
        BenchError: it states no hash, or names no file.
    """
    url, _, fragment = location.partition("#")
    key, _, digest = fragment.partition("=")
    if key != "sha256" or not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise BenchError(f"{location!r} does not say what the file must be. Add its hash, 64 digits that `sha256sum FILE` prints: {url}#sha256=HEX")
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name or name.startswith("."):
        raise BenchError(f"{location!r} names no file. Its form: https://HOST/.../FILE#sha256=HEX.")
    return WebLocation(url, digest.lower(), name)


def fetch(location: str) -> Path:
    """Return the local path of an ``https://`` location, fetched where it is not here yet.

    Raises:
        NotAvailable: it is not here and cannot be fetched, or is another file than its hash says.
        BenchError: the location states no hash, or the data folder cannot be written.
    """
    at = parse(location)
    if at.there:
        return at.path
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise NotAvailable(f"{at.name} is not here and HF_HUB_OFFLINE is set. Unset it once and run: bench data get '{location}'")
    import torch.hub

    try:
        at.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"Cannot write to {at.path.parent}: {error.strerror or error}. Name another folder: {VARIABLE}=FOLDER.") from None
    try:
        torch.hub.download_url_to_file(at.url, str(at.path), hash_prefix=at.sha256, progress=False)
    except Exception as error:
        if "invalid hash" in str(error):
            raise NotAvailable(f"{at.url} gives another file, or a part of it: its SHA-256 is not {at.sha256}. Nothing was kept.") from error
        raise NotAvailable(f"Cannot get {at.url}: {first_line(error)}. Check the network, or give the path of the file.") from error
    return at.path
