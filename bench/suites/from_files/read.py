"""Reading a user's file as it is: CSV, TSV, JSON, JSON lines, Parquet or plain lines, told apart by what is in it.

Nothing is guessed away: text stays text, so that a 64-bit seed never passes through a float, and whatever is not a clean table is refused.
So is a published CSV file with another separator, by its name, though it could be read: no copy in circulation has one. A spreadsheet writes ``;``
where commas are for decimals, and a spreadsheet keeps 15 digits of a number: a longer seed comes back with zeros at its end, still a whole number.
A user's own file of prompts may have any of the separators: who wrote it may well have used a spreadsheet.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from bench.errors import BenchError, first_line

LARGEST = 2 << 30
"""Bytes of a text file; the largest known one is a hundredth of it. Parquet may be larger: only the columns needed are read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file is to who brings it: what mends it where it cannot be read, and what is taken that a published file would not have.

    Attributes:
        whole: what to do where the path names no such file.
        again: where the file as a whole is not what was expected.
        as_is: where a value is not.
        ragged: where a line has another number of fields than the header.
        twice: where two columns have one name.
        own: the user's own file: any separator, gzip, blank lines are rows.
    """

    whole: str
    again: str
    as_is: str
    ragged: str
    twice: str
    own: bool


PUBLISHED = Reading(
    whole="Give the published file itself.",
    again="Download it again.",
    as_is="Give the file as it is published.",
    ragged="Download it again.",
    twice="Give the file as it is published.",
    own=False,
)
OWN = Reading(
    whole="Give a file of prompts: CSV, TSV, JSON, JSON lines, Parquet or text, one prompt a line.",
    again="Save it again as UTF-8: a table with a column 'prompt', or a .txt file with one prompt a line.",
    as_is="Mend that value.",
    ragged="A field that holds the separator or a quote goes in double quotes, and a quote within it is doubled.",
    twice="Give one of them another name.",
    own=True,
)

_SEPARATORS = {",": "commas (',')", "\t": "tabs", ";": "semicolons (';')", "|": "bars ('|')"}
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"PK\x05\x06": "a zip archive", b"\x1f\x8b": "a gzip archive", b"7z\xbc\xaf": "a 7z archive"}
_PARQUET = b"PAR1"
"""How a Parquet file begins."""
_WORKBOOKS = (b"\xd0\xcf\x11\xe0", b"PK\x03\x04")
"""How Excel's and LibreOffice's files begin: the old ones, and the new ones, which are zip archives."""
_WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")


@dataclass(frozen=True, slots=True)
class FileTable:
    """A file's columns.

    Attributes:
        path: the file.
        form: ``csv``, ``tsv``, ``json``, ``jsonl``, ``parquet`` or ``txt``.
        columns: every column's name, in order; plain lines and JSON lists of strings have the one column ``prompt``.
        values: one list a column that was read; text files give str, the others what they hold, None where a value is missing.
        rows: how many rows.
        reading: what the file is to who brings it.
        separator: what stands between the fields of a CSV or TSV file, in words.
        marked: whether the text begins with UTF-8's byte-order mark.
    """

    path: Path
    form: str
    columns: tuple[str, ...]
    values: dict[str, list[Any]]
    rows: int
    reading: Reading = PUBLISHED
    separator: str = ""
    marked: bool = False


def refuse(path: Path, wrong: str, mend: str) -> BenchError:
    """Return the error for a file: what is wrong with it, and what to do."""
    return BenchError(f"{path}: {wrong}. {mend}")


def shown(columns: Collection[str]) -> str:
    """Return column names for a message; what does not look like a name (it may be a prompt) is not repeated."""
    names = [
        name if re.fullmatch(r"[\w.-]{1,40}( [\w.-]{1,20}){0,2}", name) else "?" if name.strip() else "(without a name)"
        for name in list(columns)[:20]
    ]
    return ", ".join(names) + (", ..." if len(columns) > 20 else "")


def read_table(path: Path, wanted: Collection[str] | None = None, reading: Reading = PUBLISHED) -> FileTable:
    """Return the table in ``path``.

    Args:
        path: the file.
        wanted: columns to read where the format can leave others out (image columns of a Parquet file); all where None.
        reading: what the file is to who brings it.

    Raises:
        BenchError: it is missing, not a regular file, empty, not text, not a table, or something else under this name.
    """
    try:
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
            raise refuse(path, f"this is {kind}", reading.whole)
        if not state.st_size:
            raise refuse(path, "the file is empty", reading.again)
        with path.open("rb") as file:
            head = file.read(4)
        if head == _PARQUET:
            return _parquet(path, wanted, reading)
        if state.st_size > LARGEST:
            raise refuse(path, f"{state.st_size} bytes are too many for a list of prompts (at most {LARGEST})", "Give the file of prompts alone.")
        return _text(path, _unpacked(path, reading), reading)
    except OSError as error:
        raise refuse(path, f"it cannot be read: {error.strerror or error}", "Check the path and its permissions.") from None


def _unpacked(path: Path, reading: Reading) -> bytes:
    """Return the bytes of a text file, out of the gzip archive around a user's own."""
    data = path.read_bytes()
    if not reading.own or not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.open(path) as file:
            unpacked = file.read(LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise refuse(path, f"this gzip archive is damaged: {first_line(error)}", "Pack it again, or give the file inside.") from None
    if len(unpacked) > LARGEST:
        raise refuse(path, f"unpacked it has more than {LARGEST} bytes, too many for a list of prompts", "Give the file of prompts alone.")
    return unpacked


def ending(path: Path) -> str:
    """Return what the file's name ends in, in small letters, ``.gz`` left aside."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def _text(path: Path, data: bytes, reading: Reading) -> FileTable:
    if reading.own and data.startswith(_WORKBOOKS) and (ending(path) in _WORKBOOK_ENDINGS or b"xl/" in data):
        raise refuse(path, "this is a spreadsheet's own format", "Export it as CSV (UTF-8), and give that file.")
    if data.startswith(_PARQUET):
        raise refuse(path, "this is a Parquet file within a gzip archive", "Parquet packs itself: unpack it and give the .parquet file inside.")
    for magic, what in _ARCHIVES.items():
        if data.startswith(magic):
            raise refuse(path, f"this is {what}", "Unpack it and give the file inside.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(path, "this is UTF-16 and not UTF-8", "Save it again as UTF-8.")
    if b"\0" in data:
        raise refuse(path, f"there is a NUL byte at position {data.index(0)}: this is no text file, or it is damaged", reading.again)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(path, f"byte {error.start} is not UTF-8", f"Save it again as UTF-8{'' if reading.own else ', or download it again'}.") from None
    start = text.lstrip()[:200].lower()
    if not start:
        raise refuse(path, "the file is empty", reading.again)
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        raise refuse(path, "this is a web page and not the data", "It is often a login page: log in, and download the file itself.")
    if start.startswith("version https://git-lfs"):
        raise refuse(path, "this is a Git LFS pointer and not the data", "Run `git lfs pull`, or download the file itself.")
    return replace(_table(path, text, reading), reading=reading, marked=data.startswith(codecs.BOM_UTF8))


def _table(path: Path, text: str, reading: Reading) -> FileTable:
    suffix = ending(path)
    if suffix == ".txt":
        lines = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
        prompts = [line for line in lines if reading.own or line.strip()]
        return FileTable(path, "txt", ("prompt",), {"prompt": prompts}, len(prompts))
    if suffix in (".json", ".jsonl", ".ndjson") or (suffix not in (".csv", ".tsv") and text.lstrip()[0] in "[{"):
        return _json(path, text, reading)
    if suffix == ".parquet":
        raise refuse(path, "its name ends in '.parquet', and it is text", "Call it .csv, .tsv, .jsonl or .txt (one prompt a line), as it is written.")
    if reading.own and suffix not in (".csv", ".tsv"):
        wrong = f"its name ends in {suffix!r}" if suffix else "its name has no ending"
        raise refuse(path, f"{wrong}, which does not say how to read it", "Call it .csv, .tsv, .json, .jsonl, .parquet, or .txt (one prompt a line).")
    return _separated(path, text, "tsv" if suffix == ".tsv" else "csv", reading)


def _separated(path: Path, text: str, form: str, reading: Reading) -> FileTable:
    """Return a CSV or TSV file's table. The csv module is strict where pandas fills short rows up with blanks."""
    limit = csv.field_size_limit(len(text) + 1)
    lines: list[list[str]] = []
    line_number = 1
    try:
        said, text = _said_separator(path, text) if reading.own else ("", text)
        above = 1 if said else 0
        delimiter = said or _separator(path, text, "\t" if form == "tsv" else ",", reading)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for line in reader:
            if line and lines and len(line) != len(lines[0]):
                raise refuse(path, f"line {reader.line_num + above} has {len(line)} fields and the header has {len(lines[0])}", reading.ragged)
            lines += [line] if line else []
            line_number = reader.line_num + above + 1
    except csv.Error as error:
        raise refuse(path, f"this is not a clean {form.upper()} file: line {line_number}: {error}", reading.ragged) from None
    finally:
        csv.field_size_limit(limit)
    columns = tuple(name.strip() for name in lines[0])
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise refuse(path, f"two columns are called {shown(sorted(twice))}", reading.twice)
    values = {name: [line[at] for line in lines[1:]] for at, name in enumerate(columns)}
    return FileTable(path, form, columns, values, len(lines) - 1, separator=_SEPARATORS[delimiter])


def _said_separator(path: Path, text: str) -> tuple[str, str]:
    """Return the separator that a first line ``sep=;`` says, as spreadsheets write it, and the text below it; nothing and the text without one.

    Raises:
        BenchError: it says one that is not read, or nothing is below it.
    """
    found = re.match(r'("?)sep=(.)\1[,;|\t]*(?:\r\n|\r|\n|$)', text, re.IGNORECASE)
    if found is None:
        return "", text
    if found[2] not in _SEPARATORS:
        raise refuse(path, "its first line says a separator that is not read", f"Separate its fields with {', '.join(_SEPARATORS.values())}.")
    below = text[found.end() :]
    if not below.strip():
        raise refuse(path, "it has a line that says the separator and nothing below it", OWN.again)
    return found[2], below


def _separator(path: Path, text: str, delimiter: str, reading: Reading) -> str:
    """Return what separates a table's columns: what the file's name asks for, or, of a user's own file, what its header has.

    Raises:
        BenchError: a published table's header is one column by the separator that its name asks for, and several by another one.
    """
    own, row = _widths(text, delimiter)
    if own > 1 and row in (0, own):
        return delimiter
    for other, named in _SEPARATORS.items():
        header, first = _widths(text, other)
        if other == delimiter or header < 2 or first == 1 or (own > 1 and first != header):
            continue
        if reading.own:
            return other
        endings = {",": ".csv", "\t": ".tsv"}
        wrong = f"its columns are separated by {named}; a {endings[delimiter]} file was expected to have {_SEPARATORS[delimiter]}"
        again = (
            f"call it {path.stem}{endings[other]}"
            if other in endings
            else "write it again with commas (not by a spreadsheet, which rounds long seeds)"
        )
        raise refuse(path, wrong, f"Give the file as it is published, or {again}.")
    return delimiter


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


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _lines(text: str, constant: Callable[[str], Any] | None) -> list[Any]:
    """Return the objects of JSON lines; what is wrong with one says which line it is."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            found += [json.loads(line, object_pairs_hook=_object, parse_constant=_constant)] if line.strip() else []
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number}, column {error.colno}: {error.msg}") from None
    return found


def _json(path: Path, text: str, reading: Reading) -> FileTable:
    form = "json"
    try:
        constant = _constant if reading.own else None  # pandas writes NaN into its JSON, and the published file's values are checked
        try:
            value = json.loads(text, object_pairs_hook=_object, parse_constant=constant)
        except json.JSONDecodeError:
            if ending(path) == ".json" and text.lstrip().startswith("["):
                raise  # a list with a fault is no list of lines
            value = _lines(text, constant)
            form = "jsonl"
        if isinstance(value, dict):
            value = [value]  # a JSON lines file of one line
    except _Twice as error:
        raise refuse(path, f"an object has the key {shown([str(error)])} twice", reading.twice) from None
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        raise refuse(path, f"this is not JSON: {first_line(error)}", reading.again) from None
    if not isinstance(value, list) or not value:
        raise refuse(path, "this is no list of rows", "Expected a list of texts, a list of objects, or an object a line.")
    if all(isinstance(each, str) for each in value):
        return FileTable(path, form, ("prompt",), {"prompt": value}, len(value))
    if not all(isinstance(each, dict) for each in value):
        raise refuse(path, "its rows are not all of one kind", "Expected a list of texts, a list of objects, or an object a line.")
    columns = tuple(dict.fromkeys(name for each in value for name in each))
    return FileTable(path, form, columns, {name: [each.get(name) for each in value] for name in columns}, len(value))


def _parquet(path: Path, wanted: Collection[str] | None, reading: Reading) -> FileTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = tuple(file.schema_arrow.names)
        lower = None if wanted is None else {name.lower() for name in wanted}
        read = [name for name in dict.fromkeys(columns) if lower is None or name.lower() in lower]
        table = file.read(columns=read)
        values = {name: table.column(name).to_pylist() for name in read}
        return FileTable(path, "parquet", columns, values, table.num_rows, reading)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise refuse(path, f"this Parquet file cannot be read: {first_line(error)}", "Write it again." if reading.own else reading.again) from None
