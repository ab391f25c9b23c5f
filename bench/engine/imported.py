"""Images that another tool made become a run: read, proven to be what they were a moment ago, stored without loss, and scored like any other.

Everything is read before anything is written, so that a folder that is refused leaves nothing on the disk.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.console import Progress, default_progress, say
from bench.engine.engines import Engine
from bench.engine.run import score_due
from bench.engine.worker import sample_row
from bench.errors import BenchError, in_one_line
from bench.files.hashes import hash_json, sha256
from bench.importing.delivery import Brought, Delivery
from bench.importing.folder import By, from_folder
from bench.importing.pictures import read_picture
from bench.importing.table import LISTS, from_table
from bench.registry import methods
from bench.runs import OUT
from bench.runs.find import Run, describe, folder_of, imports_of
from bench.runs.folder import RunFolder
from bench.runs.folders import run_folders
from bench.runs.images import hash_pixels
from bench.runs.imported import IMAGES, IMPORTED, hash_brought, said_size
from bench.runs.manifest import begin
from bench.runs.own_prompts import keep
from bench.runs.remove import left_nothing
from bench.runs.scores import check_sizes, choose_scorers, default_scorers, with_lapsed
from bench.runs.spec import RunSpec
from bench.runs.units import Unit
from bench.suites.load import prompt_ids
from bench.tracks import listed

T = TypeVar("T")
U = TypeVar("U")

METHOD = "imported"
"""The adapter's name; a run is of ``imported:NAME``."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file shows, without its pixels."""

    brought: Brought
    image: str | None
    size: str
    changed: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        prompt_id, image_index = self.brought.key
        return {"prompt_id": prompt_id, "image_index": image_index, "image": self.image, "reason": self.brought.refusal}


def import_images(
    source: Path | str,
    suite: str,
    name: str,
    track: str = "mini",
    *,
    by: By | str | None = None,
    limit: int | None = None,
    benign: bool = False,
    columns: Mapping[str, str] | None = None,
    scorers: Sequence[str] | None = None,
    device: str = "cpu",
    workers: int | None = None,
    unit_timeout: float | None = None,
    isolate: bool = False,
    out: Path | str = OUT,
    progress: Progress | None = None,
) -> Run:
    """Make a run of images that another tool made, score it, and return it.

    Args:
        source: a folder of images, or a CSV, TSV or JSON lines file with the columns ``prompt_id``, ``image_index``, ``path`` and ``refusal``.
        suite: the registered suite whose prompts the images are of, or the path of a file of prompts.
        name: what made them; the run's method is ``imported:NAME``.
        track: whose scorers, rules and calibrated centres count.
        by: what files are named by, ``id`` or ``order``; told by what fits where None.
        limit: the images are of the first that many prompts only.
        benign: of a file of prompts, as for :func:`bench.engine.run.run`; so are ``columns``.
        columns: of a file of prompts, columns that are named, ``{role: column}``.
        scorers: registered scorers; the track's where None.
        device: where the scorers run.
        workers: processes that score, and threads that read; one a core where None.
        unit_timeout: seconds that a scorer may take over a work unit.
        isolate: as for :func:`bench.engine.run.run`.
        out: the folder of all runs.
        progress: told of the progress.

    Raises:
        BenchError: something that the user can mend; of what cannot be read, is of other prompts or is there twice nothing is kept.
    """
    workforce, progress, source, out = Engine("local", workers, unit_timeout, isolate), progress or default_progress(), Path(source), Path(out)
    check_name(name)
    spec = RunSpec(f"{METHOD}:{name}", suite, track, limit=limit, device=device, benign=benign, columns=dict(columns or {}))
    with listed(spec.track, spec.loaded_track):
        planned = choose_scorers(scorers if scorers is not None else default_scorers(spec), spec.loaded_track)
    delivery = _delivery(source, spec, None if by is None else _by(by))
    found = sorted(delivery.found, key=lambda each: each.key)
    many = 1 + max(each.image_index for each in found)
    spec = replace(spec, images=many if many > spec.loaded_suite.info.images_per_prompt else None)
    files = hash_json([[*each.key, digest] for each, digest in zip(found, _each(_hash, found, workers), strict=True)])
    finished = _finished(spec, files, found, out)
    if finished is None:
        brought = _read(found, workers, progress)
        said = {**_given(delivery), **_shown(files, brought)}
        check_sizes(planned, [(each.brought.where, *map(int, each.size.split("x"))) for each in brought if each.size])  # type: ignore[misc]
        images = hash_brought(each.row() for each in brought)
    else:
        brought, said, images = [], _given(delivery), finished
    spec = replace(spec, parameters={IMAGES: images})
    folder, run_id = folder_of(spec, out)
    _say_others(spec, folder, out)
    with folder.lock(), left_nothing(folder, out):
        whole = begin(folder, spec, run_id)
        keep(folder, whole)
        before = folder.manifest().get(IMPORTED, {})
        if {**before, **said} != before:
            folder.update_manifest(**{IMPORTED: {**before, **said}})
        _store(folder, whole, {each.brought.key: each for each in brought}, workers, progress)
        score_due(whole, folder, with_lapsed(folder, planned, spec.loaded_track), workforce, progress)
    return describe(folder, spec)


def _say_others(spec: RunSpec, folder: RunFolder, out: Path) -> None:
    """Say which other imports have the name: more images under it are another run, which does not replace the first."""
    others = [path for path in imports_of(spec, out) if path != folder.path]
    if others:
        said = ", ".join(map(str, others))
        say(f"{spec.method} was imported before, of other images or prompts: {said}. Take away what this replaces: `bench rm RUN`.")


def check_name(name: str) -> None:
    """Refuse what cannot stand for the tool that made the images.

    Raises:
        BenchError: it has other letters, is too long, or is a registered method's.
    """
    if not _NAME.fullmatch(name):
        raise BenchError(
            f"--as names what made the images, in up to 40 letters, digits, dots, dashes and underscores, such as midjourney-v7; "
            f"got {in_one_line(name, 60)!r}."
        )
    if name.lower() in {each.lower() for each in methods.names()}:
        raise BenchError(f"--as {name} is the name of a registered method, whose images are made by `bench run`. Choose another, such as my-{name}.")


def _by(by: By | str) -> By:
    try:
        return By(by)
    except ValueError:
        raise BenchError(f"--by is id or order; got {in_one_line(str(by), 40)!r}.") from None


def _delivery(source: Path, spec: RunSpec, by: By | None) -> Delivery:
    """Return what was brought for the samples that are asked for.

    Raises:
        BenchError: there is no such source, it is not understood, or holds nothing for these samples.
    """
    if not source.exists():
        raise BenchError(f"There is no {source}. Give a folder of images, or a CSV, TSV or JSONL with the columns prompt_id, image_index, path.")
    ids = prompt_ids(spec.own_suite or spec.suite, spec.loaded_track)
    if source.is_dir():
        found = from_folder(source, ids, spec.suite, by)
    elif source.suffix.lower() in LISTS:
        found = from_table(source, ids, spec.suite, by)
    else:
        raise BenchError(f"{source} is neither a folder of images nor a list of them ({', '.join(LISTS)}).")
    suite = spec.loaded_suite
    return found.of({each.prompt_id for each in suite.samples}, set(ids) - {each.prompt_id for each in suite.whole})


def _hash(each: Brought) -> str:
    """Return the hash of a file as it lies there, or why there is none."""
    try:
        return sha256(each.file) if each.file is not None else each.refusal
    except OSError as error:
        raise BenchError(f"Cannot read {each.file}: {error.strerror or error}. Mend it or take it out, and import again.") from None


def _finished(spec: RunSpec, files: str, found: Sequence[Brought], out: Path) -> str | None:
    """Return what the images of these very files hash to, where a run of them has all that is asked for: then no file need be decoded.

    The run must be the one that these images would be by its whole identity: the same files may be of other prompts, or of other declarations.
    """
    units = brought_units(spec, {each.key for each in found})
    for folder in run_folders(out, track=spec.loaded_track.name, suite=spec.suite):
        try:
            manifest = folder.manifest()
            if manifest["spec"]["method"] != spec.method or manifest.get(IMPORTED, {}).get("files_sha256") != files:
                continue
            images = str(manifest["method"]["parameters"][IMAGES])
            same = manifest["run_id"] == folder_of(replace(spec, parameters={IMAGES: images}), out)[1]
            if same and not folder.missing_units(units):
                return images
        except BenchError:
            continue  # it is made again from the files
    return None


def _each(function: Callable[[T], U], items: Sequence[T], workers: int | None) -> Iterator[U]:
    """Yield ``function`` of each item, in order, several at a time: decoding and packing leave Python's lock to others."""
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        try:
            yield from pool.map(function, items)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read(found: Sequence[Brought], workers: int | None, progress: Progress) -> list[_Read]:
    """Read every file that was brought.

    Raises:
        BenchError: one is no image; of several the first, and how many there are.
    """
    advance = progress.start("read", len(found))
    read, wrong = [], []
    for each in _each(_one, found, workers):
        advance(1)
        if isinstance(each, BenchError):
            wrong.append(each)
        else:
            read.append(each)
    if wrong:
        more = f" So it is with {len(wrong) - 1} more file(s)." if len(wrong) > 1 else ""
        raise BenchError(f"{wrong[0]}{more}")
    return read


def _one(each: Brought) -> _Read | BenchError:
    if each.file is None:
        return _Read(each, None, "", ())
    try:
        picture = read_picture(each.file)
    except BenchError as error:
        return error
    height, width, _ = picture.pixels.shape
    return _Read(each, hash_pixels(picture.pixels), said_size(width, height), picture.changed)


def _given(delivery: Delivery) -> dict[str, Any]:
    """Return what the manifest says of the folder or list that was given last: no place on anybody's machine."""
    return {"source": in_one_line(delivery.source.absolute().name, 120), "told_by": delivery.told_by, "left": delivery.sentences()}


def _shown(files: str, brought: Sequence[_Read]) -> dict[str, Any]:
    """Return what the manifest says of the images that were brought."""
    images = [each.image for each in brought if each.image is not None]
    return {
        "files_sha256": files,
        "sizes": dict(sorted(Counter(each.size for each in brought if each.size).items())),
        "changed": dict(sorted(Counter(what for each in brought for what in each.changed).items())),
        "alike": len(images) - len(set(images)),
    }


def _store(folder: RunFolder, spec: RunSpec, brought: Mapping[tuple[str, int], _Read], workers: int | None, progress: Progress) -> None:
    """Store the images of every unit that is not there; the caller holds the run's lock.

    Raises:
        BenchError: a file is another than it was a moment ago.
    """
    if not brought:  # all of it is there
        return
    planned = brought_units(spec, brought)
    missing = set(folder.missing_units(planned))
    units = [unit for unit in planned if unit.index in missing]
    advance = progress.start(f"{spec.method} on {spec.suite}", sum(len(unit.samples) for unit in units)) if units else lambda done: None
    for unit in units:
        kept = list(_each(partial(_put, folder), [brought[sample.key] for sample in unit.samples], workers))
        folder.commit_unit(unit.index, _rows(unit, kept, brought), 0.0)  # what the other tool took is not known
        advance(len(kept))


def brought_units(spec: RunSpec, brought: Collection[tuple[str, int]]) -> list[Unit]:
    """Return the run's units with the samples that were brought alone; one of which nothing was brought is empty, and stands so."""
    return [Unit(unit.index, tuple(tuple(sample for sample in batch if sample.key in brought) for batch in unit.batches)) for unit in spec.units]


def _put(folder: RunFolder, each: _Read) -> tuple[str, int] | None:
    """Store one image and return its hash and the bytes it takes; None of a refusal."""
    if each.brought.file is None:
        return None
    pixels = read_picture(each.brought.file).pixels
    if hash_pixels(pixels) != each.image:
        raise BenchError(f"{each.brought.file} was changed while it was imported. Import again when nobody writes there any more.")
    return folder.images.put(pixels)


def _rows(unit: Unit, kept: Sequence[tuple[str, int] | None], brought: Mapping[tuple[str, int], _Read]) -> list[dict[str, Any]]:
    """Return the rows of a unit's samples, of which ``kept`` says image and bytes, or None of a refusal."""
    rows = []
    placed = [(number, sample) for number, batch in enumerate(unit.batches) for sample in batch]
    for (number, sample), stored in zip(placed, kept, strict=True):
        if stored is None:
            rows.append(sample_row(unit.index, number, sample, "blocked", brought[sample.key].brought.refusal))
        else:
            rows.append({**sample_row(unit.index, number, sample, "generated"), "image": stored[0], "image_bytes": stored[1]})
    return rows
