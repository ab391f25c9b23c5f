"""The record that stands beside the data that a user brought, and the pair of both on disk.

A data set is ``NAME/HASH.parquet`` and ``NAME.json``, which is written last and names the other: a reader sees the old pair or the new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import BenchError
from bench.files.atomic import ABANDONED, mendable, sweep, write_atomic
from bench.files.folder import VARIABLE, data_folder


class Screening(BaseModel):
    """What the child-safety screen left of a suite when its data was added.

    Attributes:
        version: the suite's version with this data.
        prompts: how many prompts the suite has, before the screen.
        excluded: SHA-256 of every prompt that the screen took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    prompts: int
    excluded: tuple[str, ...]


class Record(BaseModel):
    """What is known of a data set that a user added.

    Attributes:
        data: the data set's name.
        files: names of the files it came from.
        sha256: of each of these files.
        layout: the format, and which column was read as what.
        rows: how many rows it has.
        published: the row counts that are published; empty where none is known.
        accepted: True where the user stated that the count differs (``--accept-count``); such data has a version of its own.
        column: the prompt's column where the user stated it (``--column``).
        content: SHA-256 of what was read, whatever the layout and order.
        known: which published copy has the same content; empty where none does.
        added: when, ISO 8601.
        parquet: the normalised file's name.
        parquet_sha256: its SHA-256.
        screen: SHA-256 of the screen that ``suites`` was made with.
        suites: what each suite of this data has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    files: tuple[str, ...]
    sha256: Mapping[str, str]
    layout: str
    rows: int
    published: tuple[int, ...]
    accepted: bool
    column: str | None
    content: str
    known: str
    added: str
    parquet: str
    parquet_sha256: str
    screen: str = ""
    suites: Mapping[str, Screening] = {}

    @property
    def suffix(self) -> str:
        """What a suite's version gains where this data is not what is published."""
        return (f"+rows.{self.rows}" if self.accepted else "") + (f"+column.{_plain(self.column)}" if self.column else "")


def _plain(text: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in text)


def record_path(data: str) -> Path:
    """Return where the record of the data set called ``data`` is, there or not."""
    return data_folder() / f"{data}.json"


def parquet_path(record: Record) -> Path:
    """Return where a record's normalised file is."""
    return data_folder() / record.data / record.parquet


def read_record(data: str) -> Record | None:
    """Return the record of a data set, or None where it was not added.

    Raises:
        BenchError: the record is damaged or cannot be read.
    """
    path = record_path(data)
    try:
        return Record.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BenchError(f"Cannot read {path}: {error.strerror or error}. Name another folder: {VARIABLE}=FOLDER.") from None
    except ValidationError:
        raise BenchError(f"{path} is not a data record: it was damaged. Add the file again: `bench data add {data} FILE`.") from None


def write_data(record: Record, parquet: bytes) -> Record:
    """Put a normalised file and its record in place, the record last, and drop what it replaces.

    Args:
        record: its ``parquet`` and ``parquet_sha256`` are filled in here.
        parquet: the file's bytes.

    Raises:
        BenchError: the folder is inside the project's own folder, is not writable, or the disk is full.
    """
    folder = data_folder()
    if Path(__file__).resolve().parents[3] in (folder.resolve(), *folder.resolve().parents):
        raise BenchError(f"{VARIABLE} is {folder}, inside the project's own folder, where no benchmark data may be. Name a folder outside it.")
    try:
        (folder / record.data).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"Cannot write to {folder}: {error.strerror or error}. Name another folder: {VARIABLE}=FOLDER.") from None
    digest = hashlib.sha256(parquet).hexdigest()
    done = record.model_copy(update={"parquet": f"{digest[:16]}.parquet", "parquet_sha256": digest})
    write_atomic(parquet_path(done), parquet)
    write_record(done)
    with mendable(folder):
        sweep(folder / done.data)
        sweep(folder, older=ABANDONED)
        for old in (folder / done.data).glob("*.parquet"):
            if old.name != done.parquet:
                old.unlink(missing_ok=True)
    return done


def write_record(record: Record) -> None:
    """Write a record, atomically."""
    write_atomic(record_path(record.data), (record.model_dump_json(indent=2) + "\n").encode())
