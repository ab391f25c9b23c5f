"""``bench data list``: what a track needs, what of it is here, how large it is, under which licence, and the command that gets the rest.

Nothing is fetched and no network is used: the hub's repositories are looked up in the local cache alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.data.add import current, excluded_digest
from bench.data.folder import parquet_path, record_path
from bench.errors import BenchError, NotAvailable
from bench.paths import resolve
from bench.registry import scorers, suites
from bench.suites.brought import BroughtSuite, brought
from bench.tracks import Track, load_track, track_names
from bench.types import Context, Scorer

_HUB = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": ("CreativeML Open RAIL-M", "open", "about 5 GB"),
    "stabilityai/stable-diffusion-xl-base-1.0": ("CreativeML Open RAIL++-M", "open", "about 14 GB"),
    "CompVis/stable-diffusion-safety-checker": ("see its card", "open", "about 1.2 GB"),
    "xswu/HPSv2": ("Apache-2.0", "open", "about 4 GB a version"),
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": ("MIT", "open", "about 4 GB"),
}
"""Licence, access and size of repositories that are certain; of the others their own card says it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a track needs.

    Attributes:
        track: the track.
        needs: ``suite``, ``base model``, ``safety checker`` or ``scorer``.
        name: the suite, scorer or repository.
        there: whether it is here.
        where: the file or folder, or the location where it is not here yet.
        size: on disk, or as published where it is not here.
        licence: of the data or weights.
        access: ``shipped``, ``open``, ``gated``, ``by request`` or ``see its card``.
        prompts: of a suite that is here: how many are left after the child-safety screen.
        excluded: how many the screen took.
        excluded_sha256: one SHA-256 over the hashes of these; the hashes themselves are in the data record.
        get: the command that gets it; empty where it is here.
    """

    track: str
    needs: str
    name: str
    there: bool
    where: str
    size: str
    licence: str
    access: str
    prompts: int | None = None
    excluded: int | None = None
    excluded_sha256: str | None = None
    get: str = ""


def needs(track: str | None = None) -> list[dict[str, Any]]:
    """Return one row a thing that ``track`` needs; of every track where None.

    Raises:
        BenchError: the track is unknown.
    """
    names = [track] if track else track_names()
    return [asdict(need) for name in names for need in _of_track(load_track(name))]


def state(suite: BroughtSuite) -> dict[str, Any]:
    """Return what ``bench show`` says of a suite that the user brings: what was added, and what the screen took of it."""
    info, data = suite.info, suite.data
    found: dict[str, Any] = {key: value for key, value in asdict(info).items() if key not in ("name", "unsafe")}
    found |= {"data set": data.name, "origin": data.origin, "access": data.access, "published prompts": suite.prompts}
    record = current(data.name)
    if record is None:
        return found | {"data": f"not here; run: bench data add {info.name} FILE"}
    found |= {"data": str(parquet_path(record)), "record": str(record_path(data.name)), "content": record.known or "unlike every copy known here"}
    screening = record.suites.get(info.name)
    if screening is not None:
        found |= {
            "version": screening.version,
            "prompts": screening.prompts,
            "screened out": len(screening.excluded),
            "screened out sha256": excluded_digest(screening.excluded),
        }
    return found


def _of_track(track: Track) -> Iterator[Need]:
    for name in track.suites or suites.names():
        real = brought(suites.get(name))
        if track.proxy or real is None:
            licence = suites.get(name).info.licence
            yield Need(track.name, "suite", name, there=True, where="in the package", size="", licence=licence, access="shipped")
        else:
            yield _suite(track, name, real)
    yield _weights(track, "base model", track.name, track.base)
    if track.safety_checker:
        yield _weights(track, "safety checker", track.name, track.safety_checker)
    for name, parameters in track.scorers.items():
        scorer = scorers.get(name)
        locations = list(dict.fromkeys(_locations({**scorer.info.defaults, **parameters})))
        for location in locations:
            yield _weights(track, "scorer", name, location, scorer.info.licence)
        if not locations:
            yield _packaged(track, name, scorer, parameters)


def _suite(track: Track, name: str, suite: BroughtSuite) -> Need:
    data = suite.data
    record = current(data.name)
    if record is None:
        return Need(track.name, "suite", name, False, data.origin, data.size, data.licence, data.access, get=f"bench data add {name} FILE")
    path = parquet_path(record)
    screening = record.suites.get(name)
    excluded = screening.excluded if screening else ()
    return Need(
        track.name,
        "suite",
        name,
        there=path.is_file(),
        where=str(path),
        size=_size(path),
        licence=data.licence,
        access=data.access,
        prompts=screening.prompts - len(excluded) if screening else 0,
        excluded=len(excluded) if screening else None,
        excluded_sha256=excluded_digest(excluded) if screening else None,
        get="" if path.is_file() else f"bench data add {name} FILE",
    )


def _packaged(track: Track, name: str, scorer: type[Scorer], parameters: Mapping[str, Any]) -> Need:
    """Return whether a scorer whose weights come with a Python package has them."""
    try:
        files = scorer(**parameters).weights(Context(track))
    except BenchError as error:
        return Need(track.name, "scorer", name, False, "in a Python package", "", scorer.info.licence, "open", get=str(error))
    return Need(track.name, "scorer", name, True, ", ".join(files) or "in its package", "", scorer.info.licence, "open")


def _locations(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield every weight location among a scorer's parameters."""
    for value in values.values():
        if isinstance(value, str) and (value.startswith(("hub:", "package:")) or "/" in value):
            yield value


def _weights(track: Track, kind: str, name: str, location: str, licence: str = "") -> Need:
    if location.startswith("hub:"):
        return _hub(track, kind, location, licence, f"{name}: " if kind == "scorer" else "")
    shipped = location.startswith("package:")
    try:
        path = resolve(location)
    except NotAvailable:
        return Need(track.name, kind, name, False, location, "", licence, "see its card", get=f"put the weights at {location}")
    return Need(track.name, kind, name, True, str(path), _size(path), licence or "Apache-2.0", "shipped" if shipped else "open")


def _hub(track: Track, kind: str, location: str, licence: str, prefix: str) -> Need:
    """Return whether a repository of the hub is in the local cache."""
    owner, _, rest = location.removeprefix("hub:").partition("/")
    name, _, folder = rest.partition("/")
    name, _, revision = name.partition("@")
    repository = f"{owner}/{name}"
    path = next((each for each in _snapshots(owner, name, revision) if _has_weights(each / folder)), None)
    known, access, size = _HUB.get(repository, (licence or "see its card", "see its card", ""))
    if path is not None:
        return Need(track.name, kind, prefix + repository, True, str(path / folder), _size(path / folder), known, access)
    inside = f"{folder}/" if folder else ""
    patterns = " ".join(f'--include "{inside}*{ending}"' for ending in (".safetensors", ".json", ".txt"))
    command = f"hf download {repository}" + (f" --revision {revision}" if revision else "") + f" {patterns}"
    return Need(track.name, kind, prefix + repository, False, f"https://huggingface.co/{repository}", size, known, access, get=command)


def _snapshots(owner: str, name: str, revision: str) -> list[Path]:
    """Return the cached snapshots of a repository, of ``revision`` alone where one is named."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser() / f"models--{owner}--{name}"
    reference = cache / "refs" / (revision or "main")
    if reference.is_file():
        revision = reference.read_text(encoding="utf-8").strip()
    folders = sorted((cache / "snapshots").glob("*")) if cache.is_dir() else []
    return [each for each in folders if not re.fullmatch(r"[0-9a-f]{7,40}", revision) or each.name.startswith(revision)]


def _has_weights(folder: Path) -> bool:
    return folder.is_file() or any(file.suffix in (".safetensors", ".onnx", ".bin", ".pt", ".pth") and file.exists() for file in folder.rglob("*"))


def _size(path: Path) -> str:
    """Return what a file or folder takes on disk, for people."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    amount = float(sum(file.stat().st_size for file in files))
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
