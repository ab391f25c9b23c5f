"""The sample table of a run in a bundle: one row a sample with every raw score, prompts as hashes, no vectors."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.runs.tables import DETECTIONS, SAMPLES
from leaderboards.submissions.limits import COLUMNS, ROWS, UNPACKED_BYTES
from leaderboards.submissions.limits import DETECTIONS as MOST_DETECTIONS
from leaderboards.submissions.verdicts import Refused, shown

_KEPT = ("kind", "part")
"""Of a sample's metadata: what numbers by kind and part are made of."""
_BECOMES = {"prompt": ("prompt_sha256",), "category": ("category", *_KEPT), "metadata": (), "reason": (), "image_bytes": ()}
"""Where the columns of a bundle are not those of a run."""

HEAD = pa.schema([(name, field.type) for field in SAMPLES for name in _BECOMES.get(field.name, (field.name,))])
"""What every table begins with: a run's own columns, but prompts as hashes and of the metadata what is kept. ``unit`` and ``batch`` say which
images were made together, for making them again; ``image`` is the hash of the pixels, null where the method blocked."""

NULLABLE = (*_KEPT, "image")
_VALUES = (pa.float64(), pa.bool_(), DETECTIONS)
_NOTE = b"bundle_schema"
_TEXT = r"^[^\p{C}<>]{0,200}$"


def prompt_hash(prompt: str) -> str:
    """Return the SHA-256 of a prompt, in UTF-8."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def kind_and_part(metadata: Any) -> dict[str, str | None]:
    """Return what a table keeps of a sample's metadata."""
    return {name: None if metadata.get(name) is None else str(metadata[name]) for name in _KEPT}


def write(records: pd.DataFrame, scores: Sequence[str]) -> bytes:
    """Return the Parquet file of a run.

    Args:
        records: as :func:`bench.runs.records.load_records` gives them.
        scores: the columns of scores that are kept.
    """
    rows = records.to_dict("list")
    kept = [kind_and_part(each) for each in records["metadata"]]
    rows["prompt_sha256"] = [prompt_hash(text) for text in rows["prompt"]]
    for name in _KEPT:
        rows[name] = [each[name] for each in kept]
    head = {field.name: pa.array(rows[field.name], field.type, from_pandas=True) for field in HEAD}
    values = {name: pa.array(records[name], _kind(records[name]), from_pandas=True) for name in scores}
    table = pa.table({**head, **values}).replace_schema_metadata({_NOTE: b"1"})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=9, row_group_size=1 << 17)
    return buffer.getvalue()


def _kind(column: pd.Series) -> pa.DataType:
    """Return a score column's type, by its first value."""
    first = next((each for each in column if not pd.api.types.is_scalar(each) or not pd.isna(each)), None)
    if first is not None and not pd.api.types.is_scalar(first):
        return DETECTIONS
    return pa.bool_() if pd.api.types.is_bool(first) else pa.float64()


def read(content: bytes) -> pa.Table:
    """Return the table in a Parquet file from a stranger. Call it where memory and time are limited (:mod:`leaderboards.submissions.guard`).

    Raises:
        Refused: it is no such table.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_footer(file.metadata)
        _check_notes(file.schema_arrow)
        _check_schema(file.schema_arrow)
        table = file.read(use_threads=False)
        table.validate(full=True)
    except Refused:
        raise
    except MemoryError:
        raise Refused("samples.parquet unpacks to more than the memory that a bundle may take") from None
    except Exception as error:  # a damaged file raises many kinds
        raise Refused(f"samples.parquet is damaged or no Parquet file ({type(error).__name__})") from None
    _check_texts(table)
    return table


def _check_footer(footer: Any) -> None:
    if not 1 <= footer.num_rows <= ROWS:
        raise Refused(f"samples.parquet says that it has {footer.num_rows} rows; a run has 1 to {ROWS}")
    if footer.num_columns > 3 * COLUMNS or footer.num_row_groups > 64:
        raise Refused(f"samples.parquet has {footer.num_columns} columns in {footer.num_row_groups} groups of rows, more than any run")
    size = sum(footer.row_group(index).total_byte_size for index in range(footer.num_row_groups))
    if not 0 <= size <= UNPACKED_BYTES:
        raise Refused(f"samples.parquet says that it unpacks to {size} bytes; at most {UNPACKED_BYTES} are read")


def _check_notes(schema: pa.Schema) -> None:
    """Refuse notes of the file's own: pandas would follow those of its name, and others could hold anything."""
    if foreign := set(schema.metadata or {}) - {_NOTE}:
        raise Refused(f"samples.parquet has more in its footer than `bench submit` writes: {shown(min(foreign).decode('utf-8', 'replace'))}")


def _check_schema(schema: pa.Schema) -> None:
    names = schema.names
    if len(set(names)) < len(names) or len({name.casefold() for name in names}) < len(names):
        raise Refused("samples.parquet has two columns of one name")
    if len(names) > COLUMNS:
        raise Refused(f"samples.parquet has {len(names)} columns; at most {COLUMNS} are read")
    for index, field in enumerate(HEAD):
        if index >= len(names) or names[index] != field.name:
            raise Refused(f"column {index + 1} of samples.parquet must be {field.name}")
        if schema.field(index).type != field.type:
            raise Refused(f"the column {field.name} of samples.parquet is {shown(str(schema.field(index).type))}; expected {field.type}")
    for field in list(schema)[len(HEAD) :]:
        if field.type not in _VALUES:
            raise Refused(f"the column {shown(field.name)} of samples.parquet is {shown(str(field.type))}; scores are numbers, flags or detections")


def _check_texts(table: pa.Table) -> None:
    """Refuse missing values where there must be one, and texts that are no plain short line."""
    for field in HEAD:
        column = table[field.name]
        if field.name not in NULLABLE and column.null_count:
            raise Refused(f"the column {field.name} of samples.parquet lacks {column.null_count} values")
        if field.type == pa.string():
            _plain(column, field.name)
    for field in list(table.schema)[len(HEAD) :]:
        if field.type == DETECTIONS:
            lengths = pc.list_value_length(table[field.name])
            if (pc.max(lengths).as_py() or 0) > MOST_DETECTIONS:
                raise Refused(f"the column {field.name} of samples.parquet holds more than {MOST_DETECTIONS} detections in one image")
            _plain(pc.struct_field(pc.list_flatten(table[field.name]), "class"), field.name)


def _plain(column: pa.ChunkedArray, name: str) -> None:
    good = pc.fill_null(pc.match_substring_regex(column, _TEXT), True)
    if not pc.all(good, min_count=0).as_py():
        first = column.filter(pc.invert(good))[0].as_py()
        raise Refused(f"the column {name} of samples.parquet holds a text that is long, or holds < or > or a control character: {shown(first)}")


def records(table: pa.Table) -> pd.DataFrame:
    """Return a table as the harness's records; ``prompt`` is the prompt's hash, ``metadata`` what is kept of it."""
    frame = table.to_pandas()
    frame["metadata"] = [{name: value for name, value in each.items() if value is not None} for each in table.select(_KEPT).to_pylist()]
    return frame.rename(columns={"prompt_sha256": "prompt"}).drop(columns=list(_KEPT))
