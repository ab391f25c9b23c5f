"""Reading a user's file as it is: CSV, TSV, JSON, JSON lines, Parquet or plain lines, told apart by what is in it.

Nothing is guessed away: text stays text, so that a 64-bit seed never passes through a float, and whatever is not a clean table is refused.
So is a CSV file with another separator, by its name, though it could be read: no copy in circulation has one. A spreadsheet writes ``;`` where
commas are for decimals, and a spreadsheet keeps 15 digits of a number: a longer seed comes back with zeros at its end, still a whole number.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bench.errors import BenchError, first_line

LARGEST = 2 << 30
"""Bytes of a text file; the largest known one is a hundredth of it. Parquet may be larger: only the columns needed are read."""

_SEPARATORS = {",": "commas (',')", "\t": "tabs", ";": "semicolons (';')", "|": "bars ('|')"}
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"PK\x05\x06": "a zip archive", b"\x1f\x8b": "a gzip archive", b"7z\xbc\xaf": "a 7z archive"}


@dataclass(frozen=True, slots=True)
class FileTable:
    """A file's columns.

    Attributes:
        path: the file.
        form: ``csv``, ``tsv``, ``json``, ``jsonl``, ``parquet`` or ``txt``.
        columns: every column's name, in order; plain lines and JSON lists of strings have the one column ``prompt``.
        values: one list a column that was read; text files give str, the others what they hold, None where a value is missing.
        rows: how many rows.
    """

    path: Path
    form: str
    columns: tuple[str, ...]
    values: dict[str, list[Any]]
    rows: int


def refuse(path: Path, wrong: str, mend: str) -> BenchError:
    """Return the error for a file: what is wrong with it, and what to do."""
    return BenchError(f"{path}: {wrong}. {mend}")


def shown(columns: Collection[str]) -> str:
    """Return column names for a message; what does not look like a name (it may be a prompt) is not repeated."""
    names = [name if re.fullmatch(r"[\w.-]{1,40}( [\w.-]{1,20}){0,2}", name) else "?" for name in list(columns)[:20]]
    return ", ".join(names) + (", ..." if len(columns) > 20 else "")


def read_table(path: Path, wanted: Collection[str] | None = None) -> FileTable:
    """Return the table in ``path``.

    Args:
        path: the file.
        wanted: columns to read where the format can leave others out (image columns of a Parquet file); all where None.

    Raises:
        BenchError: it is missing, not a regular file, empty, not text, not a table, or something else under this name.
    """
    try:
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
            raise refuse(path, f"this is {kind}", "Give the published file itself.")
        if not state.st_size:
            raise refuse(path, "the file is empty", "Download it again.")
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            return _parquet(path, wanted)
        if state.st_size > LARGEST:
            raise refuse(path, f"{state.st_size} bytes are too many for a list of prompts (at most {LARGEST})", "Give the file of prompts alone.")
        return _text(path, path.read_bytes())
    except OSError as error:
        raise refuse(path, f"it cannot be read: {error.strerror or error}", "Check the path and its permissions.") from None


def _text(path: Path, data: bytes) -> FileTable:
    for magic, what in _ARCHIVES.items():
        if data.startswith(magic):
            raise refuse(path, f"this is {what}", "Unpack it and give the file inside.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(path, "this is UTF-16 and not UTF-8", "Save it again as UTF-8.")
    if b"\0" in data:
        raise refuse(path, f"there is a NUL byte at position {data.index(0)}: this is no text file, or it is damaged", "Download it again.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(path, f"byte {error.start} is not UTF-8", "Save it again as UTF-8, or download it again.") from None
    start = text.lstrip()[:200].lower()
    if not start:
        raise refuse(path, "the file is empty", "Download it again.")
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        raise refuse(path, "this is a web page and not the data", "It is often a login page: log in, and download the file itself.")
    if start.startswith("version https://git-lfs"):
        raise refuse(path, "this is a Git LFS pointer and not the data", "Run `git lfs pull`, or download the file itself.")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        lines = [line.rstrip("\r") for line in text.split("\n")]
        prompts = [line for line in lines if line.strip()]
        return FileTable(path, "txt", ("prompt",), {"prompt": prompts}, len(prompts))
    if suffix in (".json", ".jsonl", ".ndjson") or (suffix not in (".csv", ".tsv") and start[0] in "[{"):
        return _json(path, text)
    return _separated(path, text, "tsv" if suffix == ".tsv" else "csv")


def _separated(path: Path, text: str, form: str) -> FileTable:
    """Return a CSV or TSV file's table. The csv module is strict where pandas fills short rows up with blanks."""
    limit = csv.field_size_limit(len(text) + 1)
    delimiter = "\t" if form == "tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[list[str]] = []
    try:
        _check_separator(path, text, delimiter)
        for line in reader:
            if line and lines and len(line) != len(lines[0]):
                raise refuse(path, f"line {reader.line_num} has {len(line)} fields and the header has {len(lines[0])}", "Download it again.")
            lines += [line] if line else []
    except csv.Error as error:
        raise refuse(path, f"this is not a clean {form.upper()} file: line {reader.line_num}: {error}", "Download it again.") from None
    finally:
        csv.field_size_limit(limit)
    columns = tuple(name.strip() for name in lines[0])
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise refuse(path, f"two columns are called {shown(sorted(twice))}", "Give the file as it is published.")
    return FileTable(path, form, columns, {name: [line[at] for line in lines[1:]] for at, name in enumerate(columns)}, len(lines) - 1)


def _check_separator(path: Path, text: str, delimiter: str) -> None:
    """Refuse a table whose header is one column by the separator that its name asks for, and several by another one.

    Raises:
        BenchError: what separates its columns, and what was expected.
    """
    own, row = _widths(text, delimiter)
    if own > 1 and row in (0, own):
        return
    for other, named in _SEPARATORS.items():
        header, first = _widths(text, other)
        if other == delimiter or header < 2 or first == 1 or (own > 1 and first != header):
            continue
        ending = {",": ".csv", "\t": ".tsv"}
        wrong = f"its columns are separated by {named}; a {ending[delimiter]} file was expected to have {_SEPARATORS[delimiter]}"
        again = (
            f"call it {path.stem}{ending[other]}" if other in ending else "write it again with commas (not by a spreadsheet, which rounds long seeds)"
        )
        raise refuse(path, wrong, f"Give the file as it is published, or {again}.")


def _widths(text: str, delimiter: str) -> tuple[int, int]:
    """Return how many fields the header and the first row have; 1 where they cannot be split so, 0 for a row that is not there."""
    try:
        lines = list(islice(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)), 2))
    except csv.Error:
        return 1, 1
    return len(lines[0]), len(lines[1]) if len(lines) > 1 else 0


class _Twice(ValueError):
    """An object of JSON has a key twice: readers keep the last, and nobody sees the first."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _json(path: Path, text: str) -> FileTable:
    form = "json"
    try:
        try:
            value = json.loads(text, object_pairs_hook=_object)
        except json.JSONDecodeError:
            value = [json.loads(line, object_pairs_hook=_object) for line in text.split("\n") if line.strip()]
            form = "jsonl"
        if isinstance(value, dict):
            value = [value]  # a JSON lines file of one line
    except _Twice as error:
        raise refuse(path, f"an object has the key {shown([str(error)])} twice", "Give the file as it is published.") from None
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        raise refuse(path, f"this is not JSON: {first_line(error)}", "Download it again.") from None
    if not isinstance(value, list) or not value:
        raise refuse(path, "this is no list of rows", "Expected a list of texts, a list of objects, or an object a line.")
    if all(isinstance(each, str) for each in value):
        return FileTable(path, form, ("prompt",), {"prompt": value}, len(value))
    if not all(isinstance(each, dict) for each in value):
        raise refuse(path, "its rows are not all of one kind", "Expected a list of texts, a list of objects, or an object a line.")
    columns = tuple(dict.fromkeys(name for each in value for name in each))
    return FileTable(path, form, columns, {name: [each.get(name) for each in value] for name in columns}, len(value))


def _parquet(path: Path, wanted: Collection[str] | None) -> FileTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = tuple(file.schema_arrow.names)
        lower = None if wanted is None else {name.lower() for name in wanted}
        read = [name for name in dict.fromkeys(columns) if lower is None or name.lower() in lower]
        table = file.read(columns=read)
        return FileTable(path, "parquet", columns, {name: table.column(name).to_pylist() for name in read}, table.num_rows)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise refuse(path, f"this Parquet file cannot be read: {first_line(error)}", "Download it again.") from None
