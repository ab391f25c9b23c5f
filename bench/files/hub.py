"""Repositories of the Hugging Face Hub as locations of weights: the cache first, then the hub, and of a repository what is used alone."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.errors import BenchError, NotAvailable, first_line
from bench.files.hashes import sha256
from bench.files.selection import MODEL_INDEX, components, has_weights, is_file, lacking, used

_FORM = re.compile(r"hub:(\w[\w.-]*/\w[\w.-]*?)(?:@([\w.-]+))?(?:/([^#@]+?))?/?(?:#(sha256|files)=(.+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATIENCE = 20.0
"""Seconds that the hub may take to say what a repository holds."""


@dataclass(frozen=True, slots=True)
class HubLocation:
    """What a ``hub:`` location says.

    Attributes:
        repository: ``OWNER/NAME``.
        revision: a commit, branch or tag; the default branch where None.
        part: a folder or file inside; empty for the whole.
        sha256: what the file must hash to; empty where that is not stated.
        files: of the folder, these files alone, whatever else it has; empty for all that are used.
    """

    repository: str
    revision: str | None = None
    part: str = ""
    sha256: str = ""
    files: tuple[str, ...] = ()

    @property
    def pinned(self) -> bool:
        """Whether it can only ever give the same files."""
        return bool(self.sha256 or (self.revision and _COMMIT.fullmatch(self.revision)))


@dataclass(frozen=True, slots=True)
class Cached:
    """What of a location is in the cache.

    Attributes:
        path: the snapshot's folder, or the part of it that the location names; None where nothing is there.
        files: all that the location uses, relative to the repository: those that it has, where ``known``, else those that are here.
        missing: what of it is not here.
        known: whether the repository's list of files is in the cache; the hub's client writes it when it fetches.
        size: bytes of ``files``, as far as that is known.
    """

    path: Path | None
    files: tuple[str, ...]
    missing: tuple[str, ...]
    known: bool
    size: int

    @property
    def there(self) -> bool:
        """Whether all that is used is here."""
        return self.path is not None and not self.missing


def parse(location: str) -> HubLocation:
    """Return what a ``hub:`` location says.

    Raises:
        BenchError: it has another form.
    """
    match = _FORM.fullmatch(location)
    if match is None:
        raise BenchError(f"{location!r} is no location on the hub. Its form: hub:OWNER/NAME[@REVISION][/FOLDER or /FILE][#sha256=HEX or #files=A,B].")
    repository, revision, part, key, value = match.groups()
    found = HubLocation(
        repository,
        revision,
        part or "",
        sha256=value.lower() if key == "sha256" else "",
        files=tuple(value.split(",")) if key == "files" else (),
    )
    if found.sha256 and not (re.fullmatch(r"[0-9a-f]{64}", found.sha256) and is_file(found.part)):
        raise BenchError(f"{location!r}: #sha256= takes the 64 hexadecimal digits of one file's SHA-256, after that file's name.")
    return found


def cached(at: HubLocation) -> Cached:
    """Return what is in the cache. No network is used."""
    from huggingface_hub import constants, get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    store = Path(constants.HF_HUB_CACHE) / f"models--{at.repository.replace('/', '--')}"
    commit, reference = at.revision or constants.DEFAULT_REVISION, store / "refs" / (at.revision or constants.DEFAULT_REVISION)
    if reference.is_file():
        commit = reference.read_text(encoding="utf-8").strip()
    snapshot = store / "snapshots" / commit
    here = {file.relative_to(snapshot).as_posix() for file in snapshot.rglob("*") if file.is_file()}
    try:
        sizes = {file.path: file.size for file in get_cached_repo_tree(at.repository, revision=at.revision)}
        known = True
    except CachedRepoTreeNotFoundError:
        sizes, known = dict.fromkeys(here, 0), False
    files, missing = _chosen(at, set(sizes), snapshot)
    missing = tuple(dict.fromkeys([*missing, *(file for file in files if file not in here)]))
    size = sum((snapshot / file).stat().st_size if file in here else sizes.get(file, 0) for file in files)
    return Cached(snapshot / at.part if here else None, files, missing, known, size)


def _chosen(at: HubLocation, names: set[str], snapshot: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which of a repository's files a location uses, and what is certainly missing beside them."""
    inside = f"{at.part}/" if at.part else ""
    if is_file(at.part):
        return (at.part, *_around(at.part, names)), ()
    if at.files:
        return tuple(f"{inside}{file}" for file in at.files), ()
    below = {name.removeprefix(inside) for name in names if name.startswith(inside)}
    index = snapshot / f"{inside}{MODEL_INDEX}"
    parts: tuple[str, ...] | None = None
    if MODEL_INDEX in below:
        if not index.is_file():
            return (), (f"{inside}{MODEL_INDEX}",)
        parts = components(index.read_bytes())
    files = used(below, parts)
    missing = lacking(below, parts) if parts is not None else [] if has_weights(files) else ["its weights"]
    around = _around(at.part, names) if files else ()
    return (*(f"{inside}{file}" for file in files), *around), tuple(f"{inside}{part}" for part in missing)


def _around(part: str, names: set[str]) -> tuple[str, ...]:
    """Return what says how a pipeline is sampled, its index and its scheduler's configuration, where ``part`` is a folder or file of one's part."""
    folder = PurePosixPath(part).parent if is_file(part) else PurePosixPath(part)
    if not folder.name:
        return ()
    above = folder.parent
    found = [(above / name).as_posix() for name in (MODEL_INDEX, "scheduler/scheduler_config.json")]
    return tuple(name for name in found if name in names) if found[0] in names else ()


def fetch(location: str) -> Path:
    """Return the local path of a ``hub:`` location: from the cache where all of it is there, else from the hub.

    Raises:
        NotAvailable: it is not here and the hub does not give it, or not what its hash says.
    """
    at = parse(location)
    found = cached(at)
    # Without the list of files nobody can tell whether a folder is whole: then the hub is asked, and where it is out of reach the folder serves.
    if not (found.there and (found.known or is_file(at.part) or at.files)):
        try:
            _download(at)
        except NotAvailable:
            raise
        except Exception as error:
            found = cached(at)
            if not found.there:
                raise _unreachable(at, found, error) from error
        else:
            found = cached(at)
    if found.path is None or not found.there or not found.path.exists():
        what = f"no {at.part!r} with weights in it" if at.part and not found.files else f"no {found.missing[0] if found.missing else 'weights'}"
        raise NotAvailable(f"The hub's {at.repository} has {what}. Check the name.")
    if at.sha256 and sha256(found.path) != at.sha256:
        raise NotAvailable(f"{found.path} is not the file that was asked for: its SHA-256 is {sha256(found.path)}, expected {at.sha256}.")
    return found.path


def _download(at: HubLocation) -> None:
    from huggingface_hub import HfApi, snapshot_download

    # Unlike a listing, this gives up at once where there is no network.
    names = {file.rfilename for file in HfApi().model_info(at.repository, revision=at.revision, timeout=_PATIENCE).siblings or ()}
    inside = f"{at.part}/" if at.part else ""
    snapshot = Path(at.repository)
    if not is_file(at.part) and not at.files and f"{inside}{MODEL_INDEX}" in names:
        snapshot = Path(snapshot_download(at.repository, revision=at.revision, allow_patterns=[glob.escape(f"{inside}{MODEL_INDEX}")]))
    files, _ = _chosen(at, names, snapshot)
    absent = [file for file in files if file not in names]
    if absent or not files:
        raise NotAvailable(f"The hub's {at.repository} has no {absent[0] if absent else at.part or 'weights'!r} with weights in it. Check the name.")
    snapshot_download(at.repository, revision=at.revision, allow_patterns=[glob.escape(file) for file in files])


def _unreachable(at: HubLocation, found: Cached, error: Exception) -> NotAvailable:
    from huggingface_hub.errors import OfflineModeIsEnabled

    first = "HF_HUB_OFFLINE is set" if isinstance(error, OfflineModeIsEnabled) else first_line(error)
    lacks = f" ({len(found.missing)} of its files are not here, first {found.missing[0]})" if found.path is not None and found.missing else ""
    return NotAvailable(
        f"Cannot get {at.repository} from the hub{lacks}: {first}. Check the name and the network "
        "(a gated repository needs `hf auth login`), or give the path of a folder that holds it."
    )
