"""Parquet tables with a schema version and a note of what they were made from."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import BenchError, first_line
from bench.files.atomic import mendable, write_atomic
from bench.types.sample import COLUMNS, KEY

SCHEMA_VERSION = "1"

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


def _scores_schema(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pa.Schema:
    fields = [(name, SAMPLES.field(name).type) for name in KEY]
    for column in columns:
        first = next((row[column] for row in rows if row.get(column) is not None), None)
        if isinstance(first, list) and first and isinstance(first[0], float):
            kind = pa.list_(pa.float32(), len(first))
        elif isinstance(first, list):
            kind = DETECTIONS
        elif isinstance(first, bool):
            kind = pa.bool_()
        elif isinstance(first, str):
            kind = pa.string()
        else:
            kind = pa.float64()
        fields.append((column, kind))
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


def write_scores(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], notes: Mapping[str, str]) -> None:
    """Write score rows: ``prompt_id``, ``image_index`` and the scorer's ``columns``."""
    write_table(path, rows, _scores_schema(rows, columns), notes)


def _vectors(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_fixed_size_list(field.type)]


def _plain(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name not in _vectors(schema)]


def read_table(path: Path, *, vectors: bool = True) -> pa.Table:
    """Return the table in ``path``.

    Args:
        path: a Parquet file.
        vectors: False leaves out, unread, every column that holds a vector an image.

    Raises:
        BenchError: it is missing, damaged, or of another schema version.
    """
    with mendable(path):
        try:
            table = pq.read_table(path, partitioning=None, columns=None if vectors else _plain(pq.read_schema(path)))
        except FileNotFoundError:
            raise BenchError(f"No table at {path}. Run `bench verify` on the run folder.") from None
        except (pa.ArrowInvalid, pa.ArrowException) as error:
            first = first_line(error)
            raise BenchError(
                f"The table {path} is damaged ({first}). Run `bench verify` on the run folder, then the same `bench run` again."
            ) from error
    found = (table.schema.metadata or {}).get(b"bench_schema", b"none").decode()
    if found != SCHEMA_VERSION:
        raise BenchError(
            f"The table {path} has schema version {found}; this bench reads version {SCHEMA_VERSION}. Use the bench that wrote it, or another --out."
        )
    return table


def read_notes(path: Path) -> dict[str, str]:
    """Return the file's metadata, or nothing where there is no readable file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}
    return {key.decode(): value.decode() for key, value in metadata.items() if not key.startswith(b"ARROW")}
