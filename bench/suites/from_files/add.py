"""``bench data add``: check a user's file against what is published, say what differs, keep it as one Parquet file with its record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.files.atomic import mendable
from bench.files.hashes import sha256
from bench.registry import suites
from bench.suites import screening
from bench.suites.from_files.dataset import BroughtSuite, DataSet, brought
from bench.suites.from_files.normalise import content, lookalikes, mapping, to_parquet, to_rows, wanted
from bench.suites.from_files.read import FileTable, read_table
from bench.suites.from_files.record import Record, Screening, read_record, record_path, write_data, write_record
from bench.suites.load import load_suite
from bench.tracks import load_track
from bench.tracks.tokens import cut_prompts
from bench.types.suite import Row
from bench.types.track import REAL_TRACKS


def find_suite(name: str) -> BroughtSuite:
    """Return the brought variant of the suite called ``name``.

    Raises:
        BenchError: it is unknown, or needs no data.
    """
    if name not in suites:
        raise did_you_mean("suite", name, [each for each, _ in sharers()])
    found = brought(suites.get(name))
    if found is None:
        raise BenchError(f"The suite {name!r} ships with the harness and needs no data. What needs some: `bench data list`.")
    return found


def sharers(data: str | None = None) -> list[tuple[str, BroughtSuite]]:
    """Return every suite that is read from the data set called ``data``, by name; of all data sets where None."""
    found = [(name, brought(suite)) for name, suite in suites.items()]
    return [(name, each) for name, each in found if each is not None and (data is None or each.data.name == data)]


def add(suite: str, files: Sequence[Path], *, accept_count: int | None = None, column: str | None = None) -> tuple[Record, list[dict[str, Any]]]:
    """Check ``files`` and keep them as the data of ``suite`` and of every suite that shares it.

    Args:
        suite: a registered suite.
        files: the published file; where the data set has parts, all of them, or their folder.
        accept_count: the row count that the user states where it is not the published one; recorded in the version.
        column: the prompt's column where the user states it; recorded in the version where another is published.

    Returns:
        The record, and one row a check: ``check``, ``published``, ``file``.

    Raises:
        BenchError: the files are not the data set, or are another size than published and that was not stated. Nothing was written.
    """
    target = find_suite(suite)
    data = target.data
    tables = _tables(data, files, column)
    rows: list[Row] = []
    layout: list[str] = []
    alike: list[str] = []
    for part, table in tables.items():
        columns = mapping(table, data, column)
        read = to_rows(table, data, columns, part)
        screening.refuse_too_long([row.prompt for row in read], f"{table.path}: row")
        rows += read
        alike += lookalikes(table, data, columns, column)
        layout.append(f"{table.form}: " + ", ".join(f"{role}={name}" for role, name in columns.items()))
    shared = sharers(data.name)
    chosen = {name: each.choose(rows) for name, each in shared}
    accepted = _compare(suite, data, tables, rows, {name: (each.prompts, len(chosen[name])) for name, each in shared}, accept_count)
    hashed = content(rows)
    record = Record(
        data=data.name,
        files=tuple(table.path.name for table in tables.values()),
        sha256={table.path.name: sha256(table.path) for table in tables.values()},
        layout="; ".join(dict.fromkeys(layout)),
        rows=len(rows),
        published=data.rows,
        accepted=accepted,
        column=column if column and data.prompt and column.lower() not in data.prompt else None,
        content=hashed,
        known=data.known.get(hashed, ""),
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        parquet="",
        parquet_sha256="",
    )
    record = screened(write_data(record, to_parquet(rows)))
    return record, _checks(data, record, rows, tables, tuple(dict.fromkeys(alike)))


def screened(record: Record) -> Record:
    """Return the record with what the child-safety screen of today leaves of each suite, made again only where the screen or a version changed."""
    now = screening.fingerprint()
    versions = {name: each.info.version + record.suffix for name, each in sharers(record.data)}
    if record.screen == now and all(versions.get(name) == each.version for name, each in record.suites.items()):
        return record
    track = load_track("sd15").model_copy(update={"suites": ()})  # what the screen takes is the same on every real track
    found: dict[str, Screening] = {}
    for name, _ in sharers(record.data):
        try:
            loaded = load_suite(name, track)
        except BenchError:
            continue  # the screen left nothing of it: a run will say so
        found[name] = Screening(version=loaded.info.version, prompts=loaded.total, excluded=loaded.excluded)
    done = record.model_copy(update={"screen": now, "suites": found})
    now_there = read_record(record.data)
    if now_there is not None and now_there.parquet == record.parquet:
        with suppress(BenchError):  # a folder that is for reading only is as good: it is worked out again next time
            write_record(done)
    return done


def _tables(data: DataSet, files: Sequence[Path], column: str | None) -> dict[str, FileTable]:
    """Return ``{part: table}``; the only part of an undivided data set is called ``""``."""
    names = wanted(data, column)
    if not data.parts:
        if len(files) != 1:
            raise BenchError(f"{data.name} is one file; got {len(files)}. It comes from {data.origin}.")
        return {"": read_table(files[0], names)}
    paths = list(files)
    if len(files) == 1 and files[0].is_dir():
        with mendable(files[0]):
            paths = sorted(path for path in files[0].iterdir() if path.stem.lower() in data.parts and path.suffix)
    by_part: dict[str, Path] = {}
    for path in paths:
        part = path.stem.lower()
        if part not in data.parts:
            raise BenchError(f"{path}: expected files called {', '.join(data.parts)} (any ending), or their folder. They come from {data.origin}.")
        if part in by_part:
            raise BenchError(f"{by_part[part]} and {path} are both the part {part!r} of {data.name}. Give one of them.")
        by_part[part] = path
    missing = [part for part in data.parts if part not in by_part]
    if missing:
        raise BenchError(f"{data.name} has {len(data.parts)} files and {', '.join(missing)} is not given. Give all, or their folder.")
    return {part: read_table(by_part[part], names) for part in data.parts}


def _compare(
    suite: str, data: DataSet, tables: Mapping[str, FileTable], rows: Sequence[Row], counts: Mapping[str, tuple[int | None, int]], accept: int | None
) -> bool:
    """Return whether the user accepted a count that is not the published one.

    Raises:
        BenchError: the data differs from what is published and that was not stated.
    """
    differs: list[str] = []
    if data.rows and len(rows) not in data.rows:
        differs.append(f"{len(rows)} rows where {' or '.join(map(str, data.rows))} are published")
    for part, table in tables.items():
        if part and table.rows != data.parts[part]:
            differs.append(f"{part} has {table.rows} rows where {data.parts[part]} are published")
    for name, (published, count) in counts.items():
        if published is not None and count != published and not differs:
            differs.append(f"the suite {name} would have {count} prompts instead of {published}")
    empty = sum(not row.prompt.strip() for row in rows)
    if empty > data.empty:
        differs.append(f"{empty} empty prompts where {data.empty} are published")
    if not rows:
        raise BenchError(f"{next(iter(tables.values())).path}: there are no rows. Expected the file of {data.name}: {data.origin}.")
    if accept is not None and accept != len(rows):
        raise BenchError(f"--accept-count {accept} is not what the file has: {len(rows)} rows. Nothing was added.")
    if differs and accept is None:
        raise BenchError(
            f"This is not {data.name} as it is published: {'; '.join(differs)}. Nothing was added. Get the whole file ({data.origin}), or state that "
            f"you mean this one, under a version of its own: bench data add {suite} FILE --accept-count {len(rows)}"
        )
    return bool(differs)


def _checks(data: DataSet, record: Record, rows: Sequence[Row], tables: Mapping[str, FileTable], alike: Sequence[str]) -> list[dict[str, Any]]:
    used = {name.lower() for name in wanted(data, record.column)}
    unused = {name for table in tables.values() for name in table.columns if name.lower() not in used}
    found: list[dict[str, Any]] = [
        {"check": "rows", "published": " or ".join(map(str, data.rows)) or None, "file": str(record.rows)},
        {"check": "empty prompts", "published": str(data.empty), "file": str(sum(not row.prompt.strip() for row in rows))},
        {"check": "repeated prompts", "published": None, "file": str(len(rows) - len({row.prompt for row in rows}))},
        {"check": "read as", "published": None, "file": record.layout},
        {"check": "columns left unread", "published": None, "file": str(len(unused)) + "".join(f"; not read: {each}" for each in alike)},
        {"check": "content", "published": None, "file": f"the same as {record.known}" if record.known else "unlike every copy known here"},
    ]
    for name, each in record.suites.items():
        kept = each.prompts - len(each.excluded)
        text = f"{kept} prompts; {len(each.excluded)} of {each.prompts} screened out"
        found.append({"check": f"suite {name} {each.version}", "published": None, "file": text})
    for track in REAL_TRACKS:
        cut = cut_prompts(load_track(track), [row.prompt for row in rows])
        if cut is not None:
            found.append({"check": f"prompts cut on {track}", "published": None, "file": cut.words()})
    found.append({"check": "kept in", "published": None, "file": str(record_path(record.data))})
    return found


def excluded_digest(hashes: Sequence[str]) -> str:
    """Return one SHA-256 over the hashes of the prompts that the screen took, in order."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def current(data: str) -> Record | None:
    """Return the record of a data set with what today's screen leaves, or None where it was not added."""
    record = read_record(data)
    return None if record is None else screened(record)
