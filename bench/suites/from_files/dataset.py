"""Suites of the real tracks: their prompts come from a file that the user adds with ``bench data add``, never from this repository."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from bench.errors import BenchError, NotAvailable
from bench.files.hashes import sha256
from bench.suites.from_files.record import parquet_path, read_record
from bench.types.suite import Row, Suite, SuiteInfo
from bench.types.track import REAL_TRACKS

if TYPE_CHECKING:
    from bench.types.track import Track


@dataclass(frozen=True, slots=True)
class DataSet:
    """A published data set: what its file looks like, and where it comes from.

    A role (prompt, seed, ...) lists the column's names in every layout in circulation; the first that the file has is read.

    Attributes:
        name: what records and files are called by.
        origin: where the user gets the file.
        licence: of the data; ``see its card`` where it is not certain.
        access: ``open``, ``gated`` (needs a login and a click) or ``by request``.
        prompt: empty where the column is not known: the user states it.
        rows: the row counts that are published; empty where none is.
        number: a whole number that names the row, unique; its position where the layout has none.
        category: the grouping; several are joined by commas.
        seed: whole numbers in [0, 2**63).
        guidance: classifier-free guidance scales.
        width: pixels.
        height: pixels.
        beside: further texts that the screen must read, each its own column.
        metadata: numbers that are kept.
        required: roles besides the prompt without which the file is not this data set.
        category_is: the category of every row where there is no column.
        parts: the data set is that many files; ``{file name without ending: rows}``. The name is the category.
        empty: how many prompts are published empty.
        size: of the file, for people.
        known: ``{SHA-256 of the content: which public copy has it}``.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}  # read from YAML, a misspelt entry is an error

    name: str
    origin: str
    licence: str
    access: str
    prompt: tuple[str, ...] = ("prompt",)
    rows: tuple[int, ...] = ()
    number: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()
    guidance: tuple[str, ...] = ()
    width: tuple[str, ...] = ()
    height: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    category_is: str = ""
    parts: Mapping[str, int] = field(default_factory=dict, hash=False)
    empty: int = 0
    size: str = ""
    known: Mapping[str, str] = field(default_factory=dict, hash=False)


class BroughtSuite(Suite):
    """A suite whose rows come from an added data set.

    The file's order is replaced by one that depends on the prompt ids alone, so that ``--limit`` takes a fair sample in every layout.

    Args:
        info: the variant's own metadata.
        data: what it is read from; several suites may share one.
        tracks: the real tracks that it is on.
        prompts: how many of its rows are published to be in this suite; None where that is not known.
        keep: which rows belong to the suite; all where None.
        draw: take that many rows, chosen by ``draw_seed`` and the prompt ids.
        draw_seed: another seed is another suite version.
        per_row: honour each row's published guidance and size; else the track's serve, and only the seed is the row's.
        guidance: this guidance scale for every row, whatever the track's.
    """

    def __init__(
        self,
        info: SuiteInfo,
        data: DataSet,
        *,
        tracks: tuple[str, ...] = REAL_TRACKS,
        prompts: int | None = None,
        keep: Callable[[Row], bool] | None = None,
        draw: int | None = None,
        draw_seed: int = 0,
        per_row: bool = False,
        guidance: float | None = None,
    ) -> None:
        self.info = info
        self.data = data
        self.prompts = prompts
        self._tracks = tracks
        self._keep, self._draw, self._draw_seed, self._per_row, self._guidance = keep, draw, draw_seed, per_row, guidance

    def tracks(self) -> tuple[str, ...]:
        """Return the real tracks that it is on."""
        return self._tracks

    def variant(self, track: Track) -> Suite:
        """Return the suite with the version that the added data gives it: data that is not what is published has a version of its own."""
        if track.proxy:
            raise NotAvailable(f"The suite {self.info.name!r} has no variant on track {track.name!r}; it has one on: {', '.join(self.tracks())}.")
        record = read_record(self.data.name)
        if record is None or not record.suffix:
            return self
        changed = BroughtSuite.__new__(type(self))
        changed.__dict__.update(self.__dict__)
        changed.info = replace(self.info, version=self.info.version + record.suffix)
        return changed

    def rows(self, track: Track) -> Sequence[Row]:
        """Return the rows of the added file that belong to this suite.

        Raises:
            NotAvailable: the file was not added yet.
            BenchError: the added file was damaged since.
        """
        record = read_record(self.data.name)
        if record is None:
            raise NotAvailable(
                f"The suite {self.info.name!r} on track {track.name!r} needs a file that you bring ({self.data.access}): {self.data.origin}. "
                f"Then run: bench data add {self.info.name} FILE"
            )
        path = parquet_path(record)
        if not path.is_file() or sha256(path) != record.parquet_sha256:
            raise BenchError(f"{path} is missing or was changed since it was added. Add the file again: `bench data add {self.info.name} FILE`.")
        return self.choose(read_rows(path.read_bytes()))

    def choose(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows of the data set that belong to this suite, as this suite runs them, in its frozen order."""
        found = [row for row in rows if self._keep is None or self._keep(row)]
        if self._draw is not None:
            found = shuffled(found, f"draw {self._draw_seed}")[: self._draw]
        if not self._per_row:
            found = [replace(row, guidance=self._guidance, width=None, height=None) for row in found]
        return shuffled(found, self.data.name)


class ByTrack(Suite):
    """A suite with a frozen variant on the miniature and a brought one on real tracks."""

    def __init__(self, miniature: Suite, brought: BroughtSuite) -> None:
        self.info = miniature.info
        self.miniature = miniature
        self.brought = brought

    def tracks(self) -> tuple[str, ...]:
        """Return the tracks of both variants."""
        return (*self.miniature.tracks(), *self.brought.tracks())

    def variant(self, track: Track) -> Suite:
        """Return the frozen variant on a proxy track, the brought one on a real track."""
        return self.miniature.variant(track) if track.proxy else self.brought.variant(track)

    def rows(self, track: Track) -> Sequence[Row]:
        """Return the rows of the track's variant.

        Raises:
            NotAvailable: the track has no variant, or its data is not here yet.
        """
        return self.variant(track).rows(track)


def brought(suite: Suite) -> BroughtSuite | None:
    """Return what of ``suite`` comes from data that the user brings, or None."""
    found = suite.brought if isinstance(suite, ByTrack) else suite
    return found if isinstance(found, BroughtSuite) else None


def shuffled(rows: Sequence[Row], salt: str) -> list[Row]:
    """Return ``rows`` in an order that depends on ``salt`` and the prompt ids alone."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{salt}\0{row.prompt_id}".encode()).digest())


def read_rows(parquet: bytes) -> list[Row]:
    """Return the rows of a normalised file, in its order.

    Raises:
        BenchError: it is not one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        records = pq.read_table(pa.BufferReader(parquet)).to_pylist()
        return [Row(**{**each, "beside": tuple(each["beside"]), "metadata": json.loads(each["metadata"])}) for each in records]
    except (pa.ArrowException, OSError, TypeError, KeyError, ValueError) as error:
        raise BenchError("This is not a normalised data file. Add the published file again: `bench data add SUITE FILE`.") from error
