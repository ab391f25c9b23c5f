"""Parquet tables with a schema version and a note of what they were made from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import BenchError, Damaged, first_line
from bench.files.atomic import Doing, mendable, write_atomic
from bench.runs.models import MEND
from bench.types.sample import COLUMNS, KEY
from bench.types.values import DETECTIONS as BOXES
from bench.types.values import FLAG, NUMBER, VECTOR, WORDS, kind_of

SCHEMA_VERSION = "1"
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError)
"""What Arrow raises for bytes that are no Parquet file: a text that is no UTF-8 is a ValueError, a thrift header that is none an OSError."""

_TYPES = {"str": pa.string(), "int": pa.int32(), "float": pa.float64()}
_OTHERS = {"seed": pa.int64(), "metadata": pa.string()}
"""Where a column's type does not follow from the sample's: a seed has up to 63 bits, metadata is JSON."""
_SAMPLE = [(name, _OTHERS.get(name) or _TYPES[kind]) for name, kind in COLUMNS.items()]

SAMPLES = pa.schema(
    [
        *_SAMPLE,
        ("unit", pa.int32()),
        ("batch", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("image", pa.string()),
        ("image_bytes", pa.int64()),
    ]
)
"""One row a sample. ``status`` is generated, blocked or failed; ``reason`` says why for the latter two."""

DETECTIONS = pa.list_(pa.struct([("class", pa.string()), ("score", pa.float64()), ("box", pa.list_(pa.float64()))]))


_KINDS: Mapping[str, pa.DataType] = {NUMBER: pa.float64(), FLAG: pa.bool_(), WORDS: pa.string(), BOXES: DETECTIONS}

UNSCORED = "unscored"
"""Of a score table: the column that says why an image has no score, where one has none; of its marker: how many have none."""


def _scores_schema(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pa.Schema:
    """Return the types that follow from the first value of each column; the caller has seen to it that all of a column are of its kind."""
    fields = [(name, SAMPLES.field(name).type) for name in KEY]
    for column in columns:
        kind = next((found for row in rows if (found := kind_of(row[column])) is not None), NUMBER)
        length = kind.removeprefix(VECTOR)
        fields.append((column, _KINDS[kind] if kind in _KINDS else pa.list_(pa.float32(), int(length))))
    if any(row.get(UNSCORED) for row in rows):
        fields.append((UNSCORED, pa.string()))
    return pa.schema(fields)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, notes: Mapping[str, str]) -> bytes:
    """Write ``rows`` atomically, with the schema version and ``notes`` in the file's metadata; return the bytes written."""
    metadata = {"bench_schema": SCHEMA_VERSION, **notes}
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema).replace_schema_metadata(metadata)
    buffer = io.BytesIO()
    vectors = _vectors(schema)
    # Vectors hardly repeat: a dictionary would make them larger, sorting their bytes by place makes them smaller.
    packed = {"use_dictionary": _plain(schema), "use_byte_stream_split": [f"{name}.list.element" for name in vectors]} if vectors else {}
    pq.write_table(table, buffer, compression="zstd", **packed)
    content = buffer.getvalue()
    write_atomic(path, content)
    return content


def write_scores(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], notes: Mapping[str, str]) -> bytes:
    """Write score rows: ``prompt_id``, ``image_index``, the scorer's ``columns`` and, of an image without a score, why; return the bytes written."""
    return write_table(path, rows, _scores_schema(rows, columns), notes)


def kinds_in(path: Path) -> dict[str, str]:
    """Return what each column of the score table at ``path`` holds, as :func:`bench.types.values.kind_of` calls it, where a value tells."""
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException):
        return {}
    names = {kind: name for name, kind in _KINDS.items()}
    known = [field for field in table.schema if field.name not in (*KEY, UNSCORED) and table[field.name].null_count < len(table)]
    return {
        field.name: f"{VECTOR} {field.type.list_size}" if pa.types.is_fixed_size_list(field.type) else names[field.type]
        for field in known
        if pa.types.is_fixed_size_list(field.type) or field.type in names
    }


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return score tables as one. A unit whose images all lack a value cannot tell what its column holds, so the others do.

    Raises:
        BenchError: a column holds one kind of value in one unit and another in the next.
    """
    blank = [_without_blanks(table) for table in tables]
    try:
        return pa.concat_tables(blank, promote_options="permissive")
    except pa.ArrowException as error:
        raise BenchError(
            f"A scorer's column holds one kind of value in one unit and another in the next ({first_line(error)}). Score again."
        ) from error


def _without_blanks(table: pa.Table) -> pa.Table:
    """Return the table with a type of nothing for every column without a value."""
    for place, field in enumerate(table.schema):
        if table.num_rows and table[field.name].null_count == table.num_rows:
            table = table.set_column(place, pa.field(field.name, pa.null()), pa.nulls(table.num_rows))
    return table


def _vectors(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_fixed_size_list(field.type)]


def _plain(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name not in _vectors(schema)]


def read_table(path: Path, *, vectors: bool = True, sha256: str | None = None) -> pa.Table:
    """Return the table in ``path``.

    Args:
        path: a Parquet file.
        vectors: False leaves out, unread, every column that holds a vector an image.
        sha256: of the file's bytes; any where None.

    Raises:
        Damaged: it is missing, unreadable, or hashes to something else.
        Unreachable: the operating system does not give it.
        BenchError: it is of another schema version.
    """
    with mendable(path, Doing.READ):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise Damaged(f"The table {path} is missing. {MEND}") from None
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        found = _version(content)
        other = f" It has schema version {found}; this bench reads version {SCHEMA_VERSION}." if found not in (SCHEMA_VERSION, "") else ""
        raise Damaged(f"The table {path} was damaged: it is not the one that was finished.{other} {MEND}")
    try:
        # Arrow's threads that still hold bytes of Python's when the process ends abort it (apache/arrow issue 34314).
        file = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False)
        table = file.read(columns=None if vectors else _plain(file.schema_arrow), use_threads=False)
    except (*_UNREADABLE, MemoryError) as error:
        raise Damaged(f"The table {path} was damaged ({first_line(error)}). {MEND}") from error
    found = (table.schema.metadata or {}).get(b"bench_schema", b"none").decode(errors="replace")
    if found != SCHEMA_VERSION:
        raise BenchError(
            f"The table {path} has schema version {found}; this bench reads version {SCHEMA_VERSION}. Use the bench that wrote it, or another --out."
        )
    return table


def _version(content: bytes) -> str:
    """Return the schema version that a table says it has; empty where it cannot be read."""
    try:
        metadata = pq.read_schema(pa.BufferReader(content)).metadata or {}
    except _UNREADABLE:
        return ""
    return str(metadata.get(b"bench_schema", b"").decode(errors="replace"))


def read_notes(path: Path) -> dict[str, str]:
    """Return the file's metadata, or nothing where there is no readable file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except _UNREADABLE:
        return {}
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items() if not key.startswith(b"ARROW")}
