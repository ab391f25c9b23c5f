"""A list of images: a CSV, TSV or JSON lines file of prompt ids, image numbers, paths, and refusals."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError, in_one_line
from bench.importing.delivery import Brought, Delivery, delivered
from bench.importing.folder import By
from bench.importing.names import PromptNames
from bench.suites.from_files.read import OWN, FileTable, read_table, shown

LISTS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
"""Endings of lists."""
COLUMNS = {
    "prompt_id": ("prompt_id", "prompt id", "id"),
    "image_index": ("image_index", "image index", "index", "image_idx", "img_index", "img_idx"),
    "path": ("path", "file", "filename", "file_name", "image"),
    "refusal": ("refusal", "refusal_reason", "reason", "refused", "blocked"),
}
"""What each column may be called, in any case; the last two of them, or one, must be there."""
_PERHAPS_REFUSALS = ("status", "state", "filtered", "error", "moderation", "flagged", "outcome", "result")
"""Columns that are not read, but in which tools say that they refused a prompt."""
_PERHAPS_NUMBERS = ("img", "idx", "number", "n", "sample", "variant", "image_number", "image_no", "image_id")
"""Columns that are not read, but in which tools number the images of a prompt."""
_LIST = replace(
    OWN,
    whole="Give a folder of images, or a list of them: CSV, TSV or JSON lines.",
    again="Save it again as UTF-8: a CSV, TSV or JSON lines file with the columns prompt_id, image_index, path.",
)
_JSON_LIST = replace(_LIST, own=False)
"""What a blank is that pandas wrote as NaN is known here."""
_NOTHING = ("", "nan", "none", "null")
_NO, _YES = ("false", "no", "n", "f", "0", "0.0"), ("true", "yes", "y", "t", "1", "1.0")
"""What a column of refusals holds where it only says whether, as a spreadsheet or pandas writes it."""
_REFUSED = "refused"
"""The reason of a refusal without one."""


def from_table(file: Path, ids: Sequence[str], suite: str, by: By | None = None) -> Delivery:
    """Return what a list says was brought; paths are relative to its folder, and lie within it.

    Args:
        file: the list.
        ids: of every prompt, in the suite's order.
        suite: its name, for messages.
        by: what stands in ``prompt_id``: ids where None, places in the suite's order from 0 by ``order``.

    Raises:
        BenchError: it cannot be read, lacks a column, or a row is not what it should be.
    """
    table = read_table(file, reading=_JSON_LIST if "json" in file.suffix.lower() else _LIST)
    columns = _columns(table)
    names = PromptNames(ids)
    values = {what: table.values[name] for what, name in columns.items()}
    found, blank = [], 0
    for at in range(table.rows):
        entry = _entry(file, f"row {at + 1}", {what: _text(values[what][at]) for what in values}, names, suite, by)
        if entry is None:
            blank += 1
        else:
            found.append(entry)
    told_by = "by a list of places in the suite's order" if by is By.ORDER else "by a list"
    unread = [name for name in table.columns if name not in columns.values()]
    return delivered(
        file,
        found,
        told_by,
        _numbering(columns, unread),
        blank=blank,
        columns=shown(unread),
        perhaps_refusals=shown(_called(unread, _PERHAPS_REFUSALS)),
    )


def _called(columns: Collection[str], names: Collection[str]) -> list[str]:
    """Return the columns that have one of these names, in any case."""
    return [name for name in columns if name.strip().lower() in names]


def _numbering(columns: Collection[str], unread: Collection[str]) -> str:
    """Return how the images of one prompt are numbered in this list."""
    if "image_index" in columns:
        return "the column image_index counts the images of a prompt from 0"
    perhaps = shown(_called(unread, _PERHAPS_NUMBERS))
    return f"the list needs a column image_index{f' (is it {perhaps}? Call it so)' if perhaps else ''}"


def _columns(table: FileTable) -> dict[str, str]:
    """Return the column of each thing that a list says, as far as it has one."""
    found = {}
    for what, called in COLUMNS.items():
        here = _called(table.columns, called)
        if len(here) > 1:
            raise BenchError(f"{table.path}: the columns {shown(here)} could both be the {what}. Rename one, and import again.")
        if here:
            found[what] = here[0]
    lacking = "prompt_id" if "prompt_id" not in found else "path or refusal" if not {"path", "refusal"} & set(found) else ""
    if lacking:
        raise BenchError(
            f"{table.path} has no column {lacking}; it has {shown(table.columns) or 'none'}. Expected prompt_id, image_index (0 where it is not "
            "there), path, and where the tool refused some prompts refusal."
        )
    return found


def _text(value: Any) -> str:
    """Return a cell as text; empty where there is nothing in it."""
    if isinstance(value, float) and value.is_integer():  # how spreadsheets and pandas write a column of whole numbers with a gap
        value = int(value)
    text = "" if value is None or value is False else str(value).strip()
    return "" if text.lower() in _NOTHING else text


def _entry(file: Path, row: str, cells: dict[str, str], names: PromptNames, suite: str, by: By | None) -> Brought | None:
    """Return what a row says; None where it names neither an image nor a refusal.

    Raises:
        BenchError: it is not what it should be.
    """
    path, refusal = cells.get("path", ""), _refusal(cells.get("refusal", ""))
    prompt_id = _prompt(file, row, cells["prompt_id"], names, suite, by)
    number = cells.get("image_index") or "0"
    if not re.fullmatch(r"[0-9]{1,9}(\.0)?", number):
        raise BenchError(f"{file}: {row}: image_index is {in_one_line(number, 40)!r}; expected a whole number, 0 for a prompt's first image.")
    if path and refusal:
        raise BenchError(f"{file}: {row} has an image and a refusal; a sample is one or the other. Leave one of them blank.")
    if not path and not refusal:
        return None
    return Brought(prompt_id, int(float(number)), _image(file, row, path) if path else None, in_one_line(refusal), row)


def _refusal(said: str) -> str:
    """Return why a row was refused; empty where it says that it was not."""
    word = said.lower()
    return "" if word in _NO else _REFUSED if word in _YES else said


def _prompt(file: Path, row: str, said: str, names: PromptNames, suite: str, by: By | None) -> str:
    if by is By.ORDER:
        found = names.at(int(said)) if re.fullmatch(r"[0-9]{1,18}", said) else None
        if found is None:
            many = len(names.ids)
            raise BenchError(f"{file}: {row}: {in_one_line(said, 40)!r} is no place in {suite}, whose {many} prompts are from 0 to {many - 1}.")
        return found
    whole = [name for name, index in names.by_id(said) if index is None]
    if not whole:
        raise BenchError(
            f"{file}: {row}: {suite} has no prompt {in_one_line(said, 80)!r}; its ids are such as {names.ids[0]!r}. Nothing was taken: the list "
            "may be of another prompt set."
        )
    return whole[0]


def _image(file: Path, row: str, said: str) -> Path:
    """Return the file that a row names.

    Raises:
        BenchError: it is not there, or not within the list's folder.
    """
    folder, said = Path(os.path.abspath(file)).parent, said.replace("\0", "")
    said = said.replace("\\", "/") if not (folder / said).exists() else said  # as Windows writes it
    path = Path(os.path.normpath(folder / said))
    shown_path = in_one_line(said, 120)
    if not path.is_relative_to(folder) or path == folder:
        raise BenchError(f"{file}: {row}: {shown_path} does not lie within {folder}, where the list is. Put the list into a folder above its images.")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise BenchError(f"{file}: {row}: {shown_path} {what}. Expected the path of an image, relative to the list, or nothing where there is none.")
    return path
