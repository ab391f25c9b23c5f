"""From a user's file of prompts to rows: every value checked, what is dropped counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.seeds import SEED_LIMIT
from bench.suites.from_files import values
from bench.suites.from_files.dataset import shuffled
from bench.suites.from_files.read import OWN, FileTable, read_table, refuse, shown
from bench.suites.own import columns
from bench.suites.screening import LONGEST
from bench.types.suite import ALL_PROMPTS, Row

LEAST_SIDE = 8
MOST_STEPS = 1000
"""Steps that the models were trained with: no scheduler can make more of them."""
_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class OwnPrompts:
    """A user's file, as it was read.

    Attributes:
        rows: what is left, unscreened, in an order that depends on the ids alone.
        form: ``csv``, ``tsv``, ``json``, ``jsonl``, ``parquet`` or ``txt``.
        separator: of CSV and TSV, in words.
        marked: whether the text begins with UTF-8's byte-order mark.
        total: how many rows the file has.
        columns: ``{role: column}``.
        unread: the other columns, each in words.
        blank: rows dropped for want of a prompt.
        duplicates: rows dropped because all that was read of them stands in an earlier one; rows with ids of their own are never that.
    """

    rows: tuple[Row, ...]
    form: str
    separator: str
    marked: bool
    total: int
    columns: Mapping[str, str]
    unread: tuple[str, ...]
    blank: int
    duplicates: int


def read_prompts(path: Path, given: Mapping[str, str]) -> OwnPrompts:
    """Return what is in a file of prompts.

    Args:
        path: CSV, TSV, JSON, JSON lines, Parquet or text with one prompt a line; text may be packed with gzip.
        given: columns that the user names, ``{role: column}``.

    Raises:
        BenchError: it cannot be read, has no prompts, or a value is not what it should be; the message names the row and repeats no prompt.
    """
    columns.check_roles(given)
    try:
        state = path.stat()
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror or error}. Check the path and its permissions.") from None
    return _read(path, tuple(sorted(given.items())), (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=8)  # a comparison of ten methods reads its file once
def _read(path: Path, given: tuple[tuple[str, str], ...], state: tuple[int, ...]) -> OwnPrompts:
    table = read_table(path, columns.names(dict(given)), OWN)
    found = columns.roles(table, dict(given))
    rows: list[Row] = []
    ids: dict[str, int] = {}
    seen: set[tuple[Any, ...]] = set()
    blank = duplicates = 0
    for at in range(table.rows):
        row = _row(table, found, at)
        if not row.prompt.strip():
            blank += 1
            continue
        if "id" not in found:
            read = (row.prompt, row.category, row.seed, row.guidance, row.steps, row.width, row.height, row.beside)
            if read in seen:
                duplicates += 1
                continue
            seen.add(read)
        elif row.prompt_id in ids:
            wrong = f"data rows {ids[row.prompt_id] + 1} and {at + 1} have the same {found['id']!r}, {shown([row.prompt_id])}"
            raise refuse(path, wrong, "Give one of them another, or take the column out: rows are then called by their place.")
        ids[row.prompt_id] = at
        rows.append(row)
    if not rows:
        raise refuse(path, f"there is no prompt in it ({table.rows} rows, all blank)" if table.rows else "it has a header and no row", OWN.again)
    ordered = tuple(shuffled(rows, "own"))
    unread = tuple(columns.unread(table, found))
    return OwnPrompts(ordered, table.form, table.separator, table.marked, table.rows, found, unread, blank, duplicates)


def _row(table: FileTable, found: Mapping[str, str], at: int) -> Row:
    """Return one row of the file; a cell that is empty leaves the track's value."""
    where = f"data row {at + 1}"
    cell = {role: table.values[name][at] for role, name in found.items()}
    given = {role: value for role, value in cell.items() if not values.missing(value)}
    prompt = values.text(table, where, cell["prompt"])
    beside = values.text(table, where, cell.get("beside"))
    if max(len(prompt), len(beside)) > LONGEST:
        longest = f"a text has {max(len(prompt), len(beside)):,} characters; the child-safety screen reads at most {LONGEST:,}"
        raise refuse(table.path, f"{where}: {longest}", "Shorten it or leave the row out.")
    return Row(
        prompt_id=_id(table, where, found["id"], cell["id"]) if "id" in found and prompt.strip() else f"row-{at + 1:05d}",
        prompt=prompt,
        category=_category(table, where, cell.get("category")),
        seed=values.whole(table, where, found["seed"], given["seed"], SEED_LIMIT) if "seed" in given else None,
        guidance=values.real(table, where, found["guidance"], given["guidance"]) if "guidance" in given else None,
        width=values.size(table, where, found["width"], given["width"], LEAST_SIDE) if "width" in given else None,
        height=values.size(table, where, found["height"], given["height"], LEAST_SIDE) if "height" in given else None,
        beside=(beside,) if beside else (),
        steps=_steps(table, where, found["steps"], given["steps"]) if "steps" in given else None,
    )


def _category(table: FileTable, where: str, value: Any) -> str:
    category = values.category(value)
    if taken := [part for part in category.split(",") if part.casefold() == ALL_PROMPTS]:
        raise refuse(table.path, f"{where}: the category {taken[0]!r} stands for all prompts", "Call it otherwise.")
    return category


def _id(table: FileTable, where: str, name: str, value: Any) -> str:
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        what = "missing" if values.missing(value) else f"no text or whole number of at most {_LONGEST_ID} printable characters"
        mend = "Give every row one, or take the column out: rows are then called by their place."
        raise refuse(table.path, f"{where}: {name!r} is {what}", mend)
    return text


def _steps(table: FileTable, where: str, name: str, value: Any) -> int:
    steps = values.whole(table, where, name, value, SEED_LIMIT)
    if not 1 <= steps <= MOST_STEPS:
        raise refuse(table.path, f"{where}: {name!r} is {steps}; expected 1 to {MOST_STEPS} denoising steps", OWN.as_is)
    return steps
