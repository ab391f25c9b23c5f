"""From a file's columns to a suite's rows: which column plays which role, and that every value is what it should be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

from bench.seeds import SEED_LIMIT
from bench.suites.from_files.dataset import DataSet
from bench.suites.from_files.read import FileTable, refuse, shown
from bench.suites.from_files.values import category, missing, real, size, text, whole
from bench.types.suite import Row

ROLES = ("number", "category", "seed", "guidance", "width", "height")
LOOKS = {"seed": r"seed", "guidance": r"guidance|cfg", "width": r"width", "height": r"height", "category": r"categor", "number": r"number|(^|_)id$"}
"""How the name of a column that plays a role may look, whatever the layout."""
_DECIDE_PIXELS = ("seed", "guidance", "width", "height")
_UNREAD = r"steps|sampler|scheduler|negative|image_?size|resolution|strength|(^|_)eta$"
"""How a column that decides pixels looks, and that no suite has a role for: the track says these."""
_AS_PUBLISHED = "Give the file as it is published."


def wanted(data: DataSet, column: str | None) -> set[str]:
    """Return every column name that may be read from a file of ``data``."""
    roles = (*data.prompt, *data.beside, *data.metadata, *(name for role in ROLES for name in getattr(data, role)))
    return {*roles, *([column] if column else [])}


def mapping(table: FileTable, data: DataSet, column: str | None = None) -> dict[str, str]:
    """Return ``{role: column}`` for the roles that the file has; metadata and texts beside the prompt play roles of their own names.

    Args:
        table: the file.
        data: what it should be.
        column: the prompt's column where the user states it.

    Raises:
        BenchError: the prompt's column or a required one is missing.
    """
    # Some copies differ in capitals alone (DrawBench's `Prompts` and `prompts`).
    there = {name.lower(): name for name in reversed(table.columns)}
    twice = [name for name in table.columns if there[name.lower()] != name and name.lower() in {each.lower() for each in wanted(data, column)}]
    if twice:
        pair = shown([there[twice[0].lower()], twice[0]])
        raise refuse(table.path, f"the columns {pair} differ in capitals alone: which of them counts is not said", _AS_PUBLISHED)
    has = f"it has: {shown(table.columns)}"
    names = (column,) if column else ("prompt",) if table.form == "txt" else data.prompt
    if not names:
        raise refuse(table.path, f"the column of the prompts of {data.name} is not published", f"State it: --column NAME; {has}.")
    found: dict[str, str] = {}
    for role, known in [("prompt", names), *((role, getattr(data, role)) for role in ROLES)]:
        match = next((there[name.lower()] for name in known if name.lower() in there), None)
        if match is not None:
            found[role] = match
        elif role == "prompt" or role in data.required:
            alike = [name for name in table.columns if role in LOOKS and re.search(LOOKS[role], name.lower())]
            seems = f" ({shown(alike)} looks like it: give it that name)" if alike else ""
            wrong = f"there is no column for the {role}: expected {' or '.join(map(repr, known))}{seems}"
            raise refuse(table.path, f"{wrong}; {has}", f"Is this the file of {data.name}? It comes from {data.origin}.")
    for name in (*data.beside, *data.metadata):
        if name.lower() in there:
            found[name] = there[name.lower()]
        elif name in data.required:
            raise refuse(table.path, f"there is no column {name!r}; {has}", f"Is this the file of {data.name}? It comes from {data.origin}.")
    return found


def lookalikes(table: FileTable, data: DataSet, columns: Mapping[str, str], column: str | None = None) -> list[str]:
    """Return every unread column that looks like one that plays a role, each with what was expected.

    What decides pixels (seed, guidance, size) is named in any case; a category or number only where the data set has one and none was read.

    Args:
        table: the file.
        data: what it is.
        columns: what :func:`mapping` said.
        column: the prompt's column where the user stated it.
    """
    read = {name.lower() for name in wanted(data, column)}
    found = []
    for name in table.columns:
        role = next((role for role, looks in LOOKS.items() if re.search(looks, name.lower())), None)
        if name.lower() in read:
            found += _second(table, data, columns, name)
            continue
        if role is None:
            if re.search(_UNREAD, name.lower()):
                found.append(f"{shown([name])} (looks like it decides pixels; no suite reads it, the track says it for all rows)")
            continue
        known = getattr(data, role)
        if role in columns and role in _DECIDE_PIXELS:
            found.append(f"{shown([name])} (looks like the {role}; {columns[role]} was read)")
        elif known and role not in columns:
            found.append(f"{shown([name])} (looks like the {role}; expected {' or '.join(known)})")
        elif role in _DECIDE_PIXELS:
            found.append(f"{shown([name])} (looks like the {role}; {data.name} publishes none, so none is read)")
    return found


def _second(table: FileTable, data: DataSet, columns: Mapping[str, str], name: str) -> list[str]:
    """Return a word on a further column of a role of which another one was read, where it says otherwise."""
    role = next((role for role in ROLES if name.lower() in {each.lower() for each in getattr(data, role)}), None)
    taken = columns.get(role or "")
    if taken in (None, name) or name not in table.values:
        return []
    other = sum(a != b for a, b in zip(table.values[taken], table.values[name], strict=True))
    return [f"{shown([name])} (the {role} too, and another one in {other} rows; {taken} was read)"] if other else []


def to_rows(table: FileTable, data: DataSet, columns: dict[str, str], part: str = "") -> list[Row]:
    """Return one row a row of the file, in its order.

    Args:
        table: the file.
        data: what it is.
        columns: what :func:`mapping` said.
        part: the name of this part of the data set; the category, and part of the prompt ids.

    Raises:
        BenchError: a value is not what it should be; the message names the row and never repeats the prompt.
    """
    stem = f"{data.name}-{part}-" if part else f"{data.name}-"
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for at in range(table.rows):
        where = f"data row {at + 1}"
        value = {role: table.values[name][at] for role, name in columns.items()}
        number = whole(table, where, columns["number"], value["number"], SEED_LIMIT) if "number" in value else at
        prompt_id = f"{stem}{number:05d}"
        if prompt_id in seen:
            raise refuse(table.path, f"rows {seen[prompt_id] + 1} and {at + 1} have the same {columns['number']!r}, {number}", _AS_PUBLISHED)
        seen[prompt_id] = at
        rows.append(
            Row(
                prompt_id=prompt_id,
                prompt=text(table, where, value["prompt"]),
                category=part or category(value.get("category")) or data.category_is,
                seed=whole(table, where, columns["seed"], value["seed"], SEED_LIMIT) if "seed" in value else None,
                guidance=real(table, where, columns["guidance"], value["guidance"]) if "guidance" in value else None,
                metadata={
                    name: round(real(table, where, name, value[name]), 6) for name in data.metadata if name in value and not missing(value[name])
                },
                width=size(table, where, columns["width"], value["width"]) if "width" in value else None,
                height=size(table, where, columns["height"], value["height"]) if "height" in value else None,
                beside=tuple(text(table, where, value[name]) for name in data.beside if name in value),
            )
        )
    return rows


def content(rows: Sequence[Row]) -> str:
    """Return the SHA-256 of what decides the samples, the same for any layout and order of the same data."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: row.prompt_id):
        digest.update(json.dumps([row.prompt_id, row.prompt, row.category, row.seed, row.guidance, row.width, row.height]).encode())
    return digest.hexdigest()


def to_parquet(rows: Sequence[Row], beside: Mapping[bytes, bytes] | None = None) -> bytes:
    """Return the rows as a Parquet file: the fields of :class:`bench.suites.base.Row`, metadata as JSON; ``beside`` stands in its schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = dict.fromkeys(("seed", "width", "height", "steps"), pa.int64())
    types = {**whole, "guidance": pa.float64(), "beside": pa.list_(pa.string())}
    names = [each.name for each in fields(Row) if each.name != "metadata"]
    arrays = {name: pa.array([getattr(row, name) for row in rows], types.get(name, pa.string())) for name in names}
    arrays["metadata"] = pa.array([json.dumps(dict(row.metadata), sort_keys=True) for row in rows], pa.string())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays).replace_schema_metadata(beside and dict(beside)), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())
