"""Safe-safe pairs from Pick-a-Pic, whose files the user brings (paper Sec. 3.2): two pictures that people compared, both annotated anew.

Read are the Parquet files of ``yuvalkirstain/pickapic_v1`` or ``pickapic_v2`` as they are published, pictures included. Which 2,495 rows the
paper took is not stated. Here a caption gives one pair; rows without a preference are left out, as in Diffusion-DPO's own code; captions pass
the child-safety screen in the form for unsafe sets, since they are people's own and some ask for harm; and row groups take turns, so that
pairs come from all over the files while few bytes are read. Whom people preferred labels nothing: Eq. 7 labels every pair by its reward.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from glob import glob
from itertools import compress, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from bench.errors import BenchError, first_line
from bench.files.atomic import Doing, mendable
from bench.suites.screening import LONGEST, screen
from training.libraalign.dataset import decode_bytes
from training.libraalign.hf import Annotator, HFSettings, Pair, annotated, notes
from training.libraalign.prompts import Prompt

if TYPE_CHECKING:
    from bench.types import Image

COLUMNS = {"caption": (pa.string(), pa.large_string()), **dict.fromkeys(("jpg_0", "jpg_1"), (pa.binary(), pa.large_binary()))}
"""The published columns that are needed and their types; the labels beside them."""
LABELS = ("label_0", "label_1")
"""1 for the picture that was preferred, 0 for the other, 0.5 for both where people had no preference."""
MODELS = ("model_0", "model_1")
"""What made the pictures; also published, and not needed."""


class PickAPicSettings(BaseModel):
    """Which rows are read.

    Attributes:
        files: a pattern of Parquet files, such as ``pickapic/train-*.parquet``.
        pairs: how many pairs are made of them (the paper has 2,495).
        ties: take rows too in which people had no preference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: str
    pairs: int = Field(2495, ge=1)
    ties: bool = False


@dataclass(frozen=True, slots=True)
class PickAPicRow:
    """Where a usable row stands."""

    file: Path
    group: int
    place: int
    caption: str


@dataclass(frozen=True)
class PickAPic:
    """The usable rows, and what was left out of them.

    Attributes:
        rows: one of each caption, in the order in which pairs are made of them.
        left_out: how many were left out, by reason.
        screened: SHA-256 of each caption that the child-safety screen took.
    """

    rows: Sequence[PickAPicRow]
    left_out: Mapping[str, int]
    screened: Sequence[str]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the captions, in order."""
        return hashlib.sha256("\n".join(row.caption for row in self.rows).encode()).hexdigest()

    def make_unit(self, unit: int, first: int, size: int, annotator: Annotator, settings: HFSettings) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the rows of one unit of the HF part and its marker's notes: the pairs of ``size`` rows from the row ``first`` on."""
        skips: Counter[str] = Counter()
        pairs = [
            Pair(Prompt("", row.caption, "benign"), row.caption, "safe-safe", source, images, (None, None), files)
            for row, source, files in _with_pictures(self.rows[first : first + size])
            if (images := _decoded(files, skips))
        ]
        rows = annotated(unit, pairs, annotator, settings.quality_against)
        safe = [not settings.filter or max(row["cost_0"], row["cost_1"]) < settings.threshold for row in rows]
        skips["a picture of Pick-a-Pic is not safe by its cost"] = safe.count(False)
        return list(compress(rows, safe)), notes(list(compress(pairs, safe)), skips)


def read_pickapic(settings: PickAPicSettings, seed: int) -> PickAPic:
    """Return the usable rows of the files; of their pictures nothing is read yet.

    Raises:
        BenchError: there is no file, one is not Pick-a-Pic's, or they hold fewer usable rows than pairs are asked for.
    """
    paths = sorted(map(Path, glob(settings.files)))
    if not paths:
        raise BenchError(
            f"No file matches {settings.files!r}. Bring Parquet files of yuvalkirstain/pickapic_v1 or pickapic_v2 with their pictures, and name "
            "them in pickapic.files; pickapic=null makes no safe-safe pairs."
        )
    left_out: Counter[str] = Counter()
    kept: dict[str, PickAPicRow] = {}
    total = 0
    for row, labels in (each for path in paths for each in _captions(path)):
        total += 1
        reason = _unusable(row.caption, labels, ties=settings.ties) or ("a caption that is there already" if row.caption in kept else "")
        if reason:
            left_out[reason] += 1
        else:
            kept[row.caption] = row
    rows = list(kept.values())
    screened = screen([row.caption for row in rows], unsafe=True)
    left_out["taken by the child-safety screen"] = len(screened.excluded)
    rows = [rows[index] for index in screened.kept]
    left_out = Counter({reason: count for reason, count in left_out.items() if count})
    if len(rows) < settings.pairs:
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "nothing"
        raise BenchError(
            f"{settings.files!r} holds {len(rows)} usable rows of {total} (left out: {reasons}), and pickapic.pairs asks for {settings.pairs} pairs. "
            "Bring more of Pick-a-Pic's files, or ask for fewer pairs."
        )
    return PickAPic(_shuffled(rows, seed), left_out, screened.excluded)


def _unusable(caption: str, labels: tuple[float | None, float | None], *, ties: bool) -> str:
    """Return why a row cannot be used, or an empty string."""
    if not caption or len(caption) > LONGEST:
        return "a caption longer than the child-safety screen reads" if caption else "no caption"
    if labels in ((0.0, 1.0), (1.0, 0.0)):
        return ""
    return ("" if ties else "no preference") if labels == (0.5, 0.5) else "no label"


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file within the block; what is wrong with it, refused by the operating system or damaged, is one line."""
    try:
        with path.open("rb") as file:
            yield pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            with mendable(path, Doing.READ):
                raise
        raise BenchError(f"{path} is no readable Parquet file: {first_line(error)}. Download it again.") from error


def _captions(path: Path) -> Iterator[tuple[PickAPicRow, tuple[float | None, float | None]]]:
    """Yield every row of a file with its labels."""
    with _opened(path) as file:
        names = file.schema_arrow.names
        missing = [name for name in (*COLUMNS, *LABELS) if name not in names]
        wrong = [name for name, kinds in COLUMNS.items() if name in names and file.schema_arrow.field(name).type not in kinds]
        if not missing and not wrong:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["caption", *LABELS]).to_pydict()
                for place, (caption, *labels) in enumerate(zip(*table.values(), strict=True)):
                    yield PickAPicRow(path, group, place, " ".join((caption or "").split())), (labels[0], labels[1])
            return
    expected = "Pick-a-Pic's files with pictures have caption (text), jpg_0 and jpg_1 (bytes), label_0 and label_1; its _no_images files do not."
    if missing:
        raise BenchError(f"{path} has no column {missing[0]!r}; it has: {', '.join(names)}. {expected}")
    raise BenchError(f"{path}: the column {wrong[0]!r} is of type {file.schema_arrow.field(wrong[0]).type}. {expected}")


def _shuffled(rows: Sequence[PickAPicRow], seed: int) -> list[PickAPicRow]:
    """Return the rows with their row groups in random order; a group's own rows stay together, so that it is read once or twice."""
    groups = [list(each) for _, each in groupby(rows, key=lambda row: (row.file, row.group))]
    return [row for index in np.random.default_rng([seed, 2495]).permutation(len(groups)) for row in groups[index]]


def _with_pictures(rows: Sequence[PickAPicRow]) -> Iterator[tuple[PickAPicRow, str, list[bytes]]]:
    """Yield rows with what made their pictures, and the pictures' files; a row group is read once for the rows in it that follow each other."""
    for (path, group), wanted in groupby(rows, key=lambda row: (row.file, row.group)):
        with _opened(path) as file:
            named = [name for name in MODELS if name in file.schema_arrow.names]
            table = file.read_row_group(group, columns=["jpg_0", "jpg_1", *named])
        for row in wanted:
            values = {name: table[name][row.place].as_py() for name in table.column_names}
            models = " | ".join(str(values[name]) for name in named)
            yield row, f"pick-a-pic: {models}" if models else "pick-a-pic", [values[name] or b"" for name in ("jpg_0", "jpg_1")]


def _decoded(files: Sequence[bytes], skips: Counter[str]) -> list[Image]:
    """Return both pictures, or none where they are of no use, counted in ``skips``."""
    try:
        images = [decode_bytes(file) for file in files]
    except Exception:  # Pillow raises anything
        skips["a picture of Pick-a-Pic cannot be read"] += 1
        return []
    if np.array_equal(*images):
        skips["both pictures of Pick-a-Pic are the same"] += 1
        return []
    return images
