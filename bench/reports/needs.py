"""``bench data list``: what a track needs, what of it is here, how large it is, under which licence, and the command that gets the rest.

Nothing is fetched and no network is used: the hub's repositories are looked up in the local cache alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError, NotAvailable
from bench.files import hub, web, wheels
from bench.files.hashes import missing_in
from bench.files.locations import resolve
from bench.registry import methods, scorers, suites
from bench.suites.from_files.add import current, excluded_digest
from bench.suites.from_files.dataset import BroughtSuite, brought
from bench.suites.from_files.record import parquet_path, record_path
from bench.tracks import for_base, load_track, track_names
from bench.types import Context, Scorer
from bench.types.track import Track

_CARD = "see its card"
_KNOWN = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": ("CreativeML Open RAIL-M", "5.5 GB"),
    "stabilityai/stable-diffusion-xl-base-1.0": ("CreativeML Open RAIL++-M", "14 GB"),
    "CompVis/stable-diffusion-safety-checker": (_CARD, "1.2 GB"),
    "openai/clip-vit-large-patch14": ("MIT", "1.7 GB"),
    "openai/clip-vit-base-patch32": ("MIT", "0.6 GB"),
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": ("MIT", "8 GB"),
    "yuvalkirstain/PickScore_v1": (_CARD, "4 GB"),
    "xswu/HPSv2": ("Apache-2.0", "2 GB"),
    "THUDM/ImageReward": ("Apache-2.0", "1.8 GB"),
    "google-bert/bert-base-uncased": ("Apache-2.0", "0.7 MB"),
    "prompts.p": ("MIT", "3 kB"),
    "sac+logos+ava1-l14-linearMSE.pth": ("Apache-2.0", "3.7 MB"),
    "pt_inception-2015-12-05-6726825d.pth": ("Apache-2.0", "96 MB"),
    "best.onnx": ("MIT (wheel); AGPL-3.0 (network's metadata)", "12 MB"),
    "OPTML-Group/AdvUnlearn": ("CC-BY-4.0", "0.5 GB"),
    "Visualignment/safe-stable-diffusion-v1-5": (_CARD, "5.5 GB"),
    "Visualignment/safe-SDXL": (_CARD, "14 GB"),
}
"""Licence and size, as published, of repositories and single files; none of them is gated. Of the others their own card says it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a track needs.

    Attributes:
        track: the track.
        needs: ``suite``, ``base model``, ``safety checker``, ``scorer`` or ``method``.
        name: the suite, or the scorer or method with the repository or file.
        there: whether it is here.
        where: the file or folder, or the location where it is not here yet.
        size: on disk, or as published where it is not here.
        licence: of the data or weights.
        access: ``shipped``, ``open``, ``gated``, ``by request`` or ``see its card``.
        pinned: of weights that are fetched, by what they are fixed: ``commit``, ``sha256`` or ``unpinned``.
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
    pinned: str = ""
    prompts: int | None = None
    excluded: int | None = None
    excluded_sha256: str | None = None
    get: str = ""


def needs(track: str | None = None) -> list[dict[str, Any]]:
    """Return one row a thing that ``track`` needs; of every track where None. Two things that need the same weights have a row each.

    Raises:
        BenchError: the track is unknown.
    """
    names = [track] if track else track_names()
    return [asdict(need) for name in names for need in _of_track(load_track(name))]


def locations(track: Track) -> list[str]:
    """Return every location of weights that a track needs: its base model's, its safety checker's, its scorers' and its methods', each once."""
    found = [track.base, *([track.safety_checker] if track.safety_checker else [])]
    for name, parameters in track.scorers.items():
        found += _locations({**scorers.get(name).info.defaults, **parameters})
    return list(dict.fromkeys([*found, *_of_methods(track).values()]))


def _of_methods(track: Track) -> dict[str, str]:
    """Return where the weights of methods are that have published ones for the track; what lies in a package is here anyway."""
    given = {name: track.methods.get(name, {}).get("weights") or for_base(track, kind.shipped) for name, kind in methods.items()}
    return {name: location for name, location in given.items() if location and not location.startswith("package:")}


def state(suite: BroughtSuite) -> dict[str, Any]:
    """Return what ``bench show`` says of a suite that the user brings: what was added, and what the screen took of it."""
    info, data = suite.info, suite.data
    found: dict[str, Any] = {key: value for key, value in asdict(info).items() if key not in ("name", "unsafe")}
    found |= {"seeds": info.seeds.sentence(), "data set": data.name, "origin": data.origin, "access": data.access, "published prompts": suite.prompts}
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
    for name, location in _of_methods(track).items():
        yield _weights(track, "method", name, location, methods.get(name).info.licence)


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
        if isinstance(value, str) and (value.startswith(("hub:", "package:", *web.SCHEMES)) or "/" in value):
            yield value


def _weights(track: Track, kind: str, name: str, location: str, licence: str = "") -> Need:
    prefix = f"{name}: " if kind in ("scorer", "method") else ""
    if location.startswith("hub:"):
        return _hub(track, kind, location, licence, prefix)
    if location.startswith((*web.SCHEMES, wheels.SCHEME)):
        return _file(track, kind, location, licence, prefix)
    shipped = location.startswith("package:")
    try:
        path = resolve(location)
        missing = missing_in(path) if path.is_dir() else []
    except NotAvailable:
        return Need(track.name, kind, name, False, location, "", licence, _CARD, get=f"put the weights at {location}")
    if missing:
        return Need(track.name, kind, name, False, str(path), _size(path), licence, _CARD, get=f"put the weights of {missing[0]} at {path}")
    return Need(track.name, kind, name, True, str(path), _size(path), licence or "Apache-2.0", "shipped" if shipped else "open")


def _hub(track: Track, kind: str, location: str, licence: str, prefix: str) -> Need:
    """Return whether what is used of a repository of the hub is in the local cache."""
    at = hub.parse(location)
    found = hub.cached(at)
    known, size = _KNOWN.get(at.repository, (licence or _CARD, ""))
    there = found.there
    return Need(
        track.name,
        kind,
        prefix + at.repository + (f"/{at.part}" if at.part else ""),
        there=there,
        where=str(found.path) if there else f"https://huggingface.co/{at.repository}",
        size=_amount(found.size) if found.known or there else size,
        licence=known,
        access="open" if at.repository in _KNOWN else _CARD,
        pinned="sha256" if at.sha256 else "commit" if at.pinned else "unpinned",
        get="" if there else f"bench data get '{location}'",
    )


def _file(track: Track, kind: str, location: str, licence: str, prefix: str) -> Need:
    """Return whether a file of the web or of a wheel is in the data folder, with the right hash."""
    at = wheels.parse(location) if location.startswith(wheels.SCHEME) else web.parse(location)
    known, size = _KNOWN.get(at.name, (licence or _CARD, ""))
    return Need(
        track.name,
        kind,
        prefix + at.name,
        there=at.there,
        where=str(at.path) if at.there else at.origin,
        size=_size(at.path) if at.there else size,
        licence=known,
        access="open",
        pinned="sha256",
        get="" if at.there else f"bench data get '{location}'",
    )


def _size(path: Path) -> str:
    """Return what a file or folder takes on disk, for people."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return _amount(sum(file.stat().st_size for file in files))


def _amount(size: int) -> str:
    """Return a number of bytes, for people."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
