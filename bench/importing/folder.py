"""A folder of images in the layouts that people have: each is recognised surely, or refused with the ways to name its files.

``ID.png``, ``ID_0.png``, ``ID-1.jpg``, ``00012.png`` (the id's number), ``ID/0.png``, ``ID/anything.png`` (sorted), and files numbered in the
suite's order. A number that is one prompt by its id and another one by its place is nobody's to guess.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.errors import BenchError, in_one_line
from bench.importing.delivery import Brought, Delivery, delivered
from bench.importing.names import PromptNames, Reading, bare_number, counts_from, natural
from bench.suites.load import LARGEST_IMAGES

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Endings that are read, in any case."""
_SYSTEM = {"thumbs.db", "desktop.ini", "__macosx"}
_WAYS = "Name files ID.png, ID_0.png or ID/0.png, or give a CSV with the columns prompt_id, image_index, path"


class By(StrEnum):
    """What the names of files are."""

    ID = "id"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class _Item:
    """An image file: ``name`` says whose it is, ``inner`` what it is called within a folder of that name."""

    name: str
    inner: str | None
    file: Path

    @property
    def where(self) -> str:
        return in_one_line(self.file.name if self.inner is None else f"{self.name}/{self.file.name}", 120)


@dataclass
class _Scan:
    items: list[_Item] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    hidden: int = 0


def from_folder(folder: Path, ids: Sequence[str], suite: str, by: By | None = None) -> Delivery:
    """Return which file of ``folder`` is which sample.

    Args:
        folder: images, or a folder of images a prompt.
        ids: of every prompt, in the suite's order.
        suite: its name, for messages.
        by: what the names are; told by what fits where None.

    Raises:
        BenchError: there is no folder, no image, or a name that is no prompt's or could be two.
    """
    scan, names = _scanned(folder), PromptNames(ids)
    if not scan.items:
        others = ", ".join(f"{count} {ending}" for ending, count in sorted(scan.unread.items()))
        held = f"it holds {others}" if others else "it is empty"
        raise BenchError(f"{folder} holds no image ({', '.join(IMAGES)}): {held}. {_WAYS}.")
    readings, told_by = _readings(folder, scan.items, names, suite, by)
    return delivered(folder, _numbered(scan.items, readings), told_by, unread=scan.unread, hidden=scan.hidden)


def _scanned(folder: Path) -> _Scan:
    """Return the image files of a folder and of the folders in it, and what else is there; a link counts as what it names."""
    scan = _Scan()
    for path in _listed(folder):
        if _is_hidden(path):
            scan.hidden += 1
        elif path.is_dir():
            for inner in _listed(path):
                _put(scan, inner, path.name)
        else:
            _put(scan, path, None)
    return scan


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted((folder / name for name in os.listdir(folder)), key=lambda path: natural(path.name))
    except OSError as error:
        raise BenchError(f"Cannot read the folder {folder}: {error.strerror or error}. Give a folder of images, or a CSV or JSONL of them.") from None


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _SYSTEM


def _put(scan: _Scan, path: Path, folder: str | None) -> None:
    if _is_hidden(path):
        scan.hidden += 1
    elif path.is_dir():
        scan.unread["folder(s) within folders"] += 1
    elif path.suffix.lower() in IMAGES:
        scan.items.append(_Item(path.stem if folder is None else folder, None if folder is None else path.stem, path))
    else:
        scan.unread[path.suffix.lower() or "without an ending"] += 1


def _readings(folder: Path, items: Sequence[_Item], names: PromptNames, suite: str, by: By | None) -> tuple[list[Reading], str]:
    """Return what each item's name means, and how that is known."""
    ordered = None if by is By.ID else _by_order(items, names)
    if by is By.ORDER:
        if ordered is None:
            raise _no_order(folder, items, names, suite)
        return ordered, "by its place in the suite's order"
    found = [names.by_id(item.name) for item in items]
    double = next((item for item, ways in zip(items, found, strict=True) if len(ways) > 1), None)
    if double is not None:
        ways = " and ".join(sorted(f"image {index or 0} of {name!r}" for name, index in names.by_id(double.name)))
        raise BenchError(f"{folder}: {double.where} could be {ways}. Put images into a folder a prompt, ID/0.png, or give a CSV of them.")
    unknown = [item for item, ways in zip(items, found, strict=True) if not ways]
    if not unknown:
        mine = [next(iter(ways)) for ways in found]
        if ordered is not None and mine != ordered:
            raise BenchError(
                f"{folder}: the numbers of its files are ids of {suite} and places in its order, and these are different prompts "
                f"({items[0].where}: {mine[0][0]} by id, {ordered[0][0]} by order). Say which: --by id or --by order."
            )
        return mine, "by the prompt's id"
    if ordered is not None and names.in_order and _is_whole(items, names):
        return ordered, "by its place in the suite's order"
    raise _unknown(folder, items, unknown, names, suite)


def _by_order(items: Sequence[_Item], names: PromptNames) -> list[Reading] | None:
    """Return what items mean whose names are places in the suite's order; None where they are no such."""
    numbers = [bare_number(item.name) for item in items]
    known = [each for each in numbers if each is not None]
    start = counts_from([number for number, _ in known], len(names.ids)) if len(known) == len(items) else None
    if start is None:
        return None
    placed = [(names.at(number - start), index) for number, index in known]
    return [(name, index) for name, index in placed if name is not None] if all(name is not None for name, _ in placed) else None


def _is_whole(items: Sequence[_Item], names: PromptNames) -> bool:
    """Return whether the items' numbers are those of the suite's prompts without a gap: then they are places, whatever else they are."""
    return len({number[0] for item in items if (number := bare_number(item.name))}) == len(names.ids)


def _no_order(folder: Path, items: Sequence[_Item], names: PromptNames, suite: str) -> BenchError:
    wrong = next((item for item in items if bare_number(item.name) is None), None)
    many = len(names.ids)
    why = f"{wrong.where} is no number" if wrong else f"they are neither from 0 to {many - 1} nor from 1 to {many}, the last of them there"
    return BenchError(f"{folder}: --by order takes files that are numbered as the {many} prompts of {suite} are, and {why}. {_WAYS}.")


def _unknown(folder: Path, items: Sequence[_Item], unknown: Sequence[_Item], names: PromptNames, suite: str) -> BenchError:
    first = unknown[0]
    inside = f" If the images lie in {first.name!r}, give {folder / first.name}." if first.inner is not None else ""
    numbers = " (or, where they are numbered in the suite's order, say --by order)" if bare_number(first.name) else ""
    return BenchError(
        f"{folder}: {len(unknown)} of {len(items)} images name no prompt of {suite}, first {first.where}; its ids are such as {names.ids[0]!r}. "
        f"Nothing was taken: they may be of another prompt set.{inside} {_WAYS}{numbers}."
    )


def _numbered(items: Sequence[_Item], readings: Sequence[Reading]) -> list[Brought]:
    """Return the items as samples: numbered by their names, or, within a prompt's folder, by numbers there, else by their order."""
    found = []
    inside: dict[str, list[tuple[_Item, str]]] = {}
    for item, (prompt_id, index) in zip(items, readings, strict=True):
        if item.inner is None or index is not None:
            found.append(Brought(prompt_id, index or 0, item.file, "", item.where))
        else:
            inside.setdefault(item.name, []).append((item, prompt_id))
    numbers = [_plain_number(item) for group in inside.values() for item, _ in group]
    numbered = bool(numbers) and -1 not in numbers and min(numbers) <= 1 and max(numbers) < LARGEST_IMAGES  # else they are seeds, or names
    for group in inside.values():
        found += [
            Brought(prompt_id, _plain_number(item) if numbered else place, item.file, "", item.where) for place, (item, prompt_id) in enumerate(group)
        ]
    return found


def _plain_number(item: _Item) -> int:
    """Return the number that an item is called within its prompt's folder; -1 where it has another name."""
    number = bare_number(item.inner or "")
    return number[0] if number is not None and number[1] is None else -1
