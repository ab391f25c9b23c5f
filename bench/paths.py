"""Where weights are: a folder inside a package, a folder on disk, or a repository of the hub; and what they hash to."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from bench.errors import NotAvailable

_CHUNK = 1 << 20
_WEIGHT_SUFFIXES = (".safetensors", ".onnx", ".json", ".txt")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Taken only where a repository has nothing better; whoever reads them does so by ``torch.load(weights_only=True)``."""


def resolve(location: str) -> Path:
    """Return the local path that ``location`` names.

    Args:
        location: ``package:bench.miniature/weights/base`` (shipped inside a package); ``hub:OWNER/NAME`` or ``hub:OWNER/NAME@REVISION``, either
            with ``/SUBFOLDER`` or ``/FILE`` (a repository of the Hugging Face Hub; what is in its cache is not fetched again); or a path on disk.

    Raises:
        NotAvailable: nothing is there, or the hub does not give it.
    """
    if location.startswith("hub:"):
        return _from_hub(location)
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


def _from_hub(location: str) -> Path:
    """Return the cached snapshot of a repository's weights, configurations and tokenizers, or of a part of it; nothing that could run."""
    from huggingface_hub import snapshot_download

    owner, _, rest = location.removeprefix("hub:").partition("/")
    name, _, part = rest.partition("/")
    name, _, revision = name.partition("@")
    one_file = Path(part).suffix in (*_WEIGHT_SUFFIXES, *_PICKLES)
    inside = f"{part}/" if part else ""
    try:
        for suffixes in (_WEIGHT_SUFFIXES, (*_WEIGHT_SUFFIXES, *_PICKLES)):
            patterns = [part] if one_file else [f"{inside}*{suffix}" for suffix in suffixes]
            path = Path(snapshot_download(f"{owner}/{name}", revision=revision or None, allow_patterns=patterns)) / part
            if one_file or any(file.suffix in (".safetensors", ".onnx") for file in path.rglob("*")):
                break
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotAvailable(
            f"Cannot get {owner}/{name} from the hub: {first.rstrip('.')}. Check the name and the network "
            "(a gated repository needs `hf auth login`), or give the path of a folder that holds it."
        ) from error
    if not path.exists():
        raise NotAvailable(f"The hub's {owner}/{name} has no {part!r} with weights in it. Check the name.")
    return path


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
    """Return ``{relative file: sha256}`` of a weight file, or of every weight and configuration file of a folder, sorted."""
    if path.is_file():
        return {path.name: sha256(path)}
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix in _WEIGHT_SUFFIXES)
    return {file.relative_to(path).as_posix(): sha256(file) for file in files}
