"""What was brought for a suite's samples: a file or a refusal for each, and what was left aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.errors import BenchError, in_one_line
from bench.suites.load import LARGEST_IMAGES

_NUMBER_FILES = "name the files ID_0.png, ID_1.png, or give a list with a column image_index"


@dataclass(frozen=True, slots=True)
class Brought:
    """What was brought for one sample.

    Attributes:
        prompt_id: whose.
        image_index: which of the prompt's images, from 0.
        file: the image; None where there is none.
        refusal: why the tool refused to deliver one; empty where it did not.
        where: how a person finds it: the file's name, or the row of a list.
    """

    prompt_id: str
    image_index: int
    file: Path | None
    refusal: str
    where: str

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the sample within its suite."""
        return (self.prompt_id, self.image_index)


@dataclass(frozen=True)
class Delivery:
    """Everything that was brought.

    Attributes:
        source: the folder or the list.
        found: one entry a sample, in no order.
        told_by: how files were told apart, in words.
        unread: files that are no image or are in a format that is not read, by ending.
        hidden: hidden files and those that systems leave (``.DS_Store``, ``Thumbs.db``).
        blank: rows of a list that name neither an image nor a refusal.
        left_out: images that belong to prompts which are not asked for, by reason.
        columns: of a list those that are not read, as a message shows them.
        perhaps_refusals: of these the ones that may say what the tool refused.
    """

    source: Path
    found: tuple[Brought, ...]
    told_by: str
    unread: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    blank: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    columns: str = ""
    perhaps_refusals: str = ""

    def of(self, wanted: Collection[str], screened: Collection[str]) -> Delivery:
        """Return the part that belongs to the prompts ``wanted``; the rest is counted: of prompts that the child-safety screen took, and others.

        Raises:
            BenchError: nothing is left.
        """
        kept = tuple(each for each in self.found if each.prompt_id in wanted)
        others = Counter(
            "of prompts that the child-safety screen took" if each.prompt_id in screened else "of prompts beyond --limit"
            for each in self.found
            if each.prompt_id not in wanted
        )
        if not kept:
            why = ", ".join(f"{count} {reason}" for reason, count in others.items()) or "it names neither an image nor a refusal"
            raise BenchError(f"{self.source} holds nothing for the prompts that are asked for: {why}.")
        return replace(self, found=kept, left_out=others)

    def sentences(self) -> list[str]:
        """Return what of the source was not taken, one sentence a reason."""
        said = []
        if self.unread:
            said.append(f"Left unread: {', '.join(f'{count} {ending}' for ending, count in sorted(self.unread.items()))}.")
        if self.columns:
            said.append(f"Left unread: column {self.columns}.")
        if self.perhaps_refusals:
            said.append(
                f"If {self.perhaps_refusals} says which prompts the tool refused, and why: call the column refusal, blank where there is an image."
            )
        if self.hidden:
            said.append(f"Ignored: {self.hidden} hidden or system file(s).")
        if self.blank:
            said.append(f"{self.blank} row(s) name neither an image nor a refusal.")
        said += [f"Left out: {count} {reason}." for reason, count in self.left_out.items()]
        return said


def delivered(source: Path, found: Iterable[Brought], told_by: str, number: str = _NUMBER_FILES, **counted: object) -> Delivery:
    """Return a delivery whose samples are each there once, their images numbered from 0: numbers that nowhere are 0 count from 1.

    Args:
        source: the folder or the list.
        found: one entry a sample.
        told_by: how they were told apart.
        number: how the images of one prompt are numbered there, as a message asks for it.
        counted: what else a delivery says.

    Raises:
        BenchError: a sample is there twice, or the number of an image is out of range.
    """
    entries = list(found)
    if entries and min(each.image_index for each in entries) == 1:
        entries = [replace(each, image_index=each.image_index - 1) for each in entries]
        told_by += ", images of a prompt numbered from 1"
    large = next((each for each in entries if not 0 <= each.image_index < LARGEST_IMAGES), None)
    if large is not None:
        raise BenchError(
            f"{source}: {large.where} would be image {large.image_index} of prompt {large.prompt_id}; at most {LARGEST_IMAGES} images a prompt are "
            f"taken, numbered from 0. To number them, {number}."
        )
    _refuse_twice(source, entries, number)
    return Delivery(source, tuple(entries), told_by, **counted)  # type: ignore[arg-type]


def _refuse_twice(source: Path, entries: Sequence[Brought], number: str) -> None:
    seen: dict[tuple[str, int], Brought] = {}
    files: dict[Path, Brought] = {}
    for each in entries:
        other = seen.setdefault(each.key, each)
        if other is not each:
            raise BenchError(
                f"{source}: {other.where} and {each.where} are both image {each.image_index} of prompt {in_one_line(each.prompt_id, 80)}. "
                f"Keep the one that counts, or number them: {number}."
            )
        if each.file is not None and files.setdefault(each.file, each) is not each:
            raise BenchError(f"{source}: {files[each.file].where} and {each.where} name the same file. Give each sample a file of its own.")
