"""The suites that are made of a user's file: as it lies where the user has it, and as a run keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import Damaged
from bench.suites.from_files.dataset import read_rows
from bench.suites.from_files.normalise import to_parquet
from bench.suites.own.place import KEPT, name_of
from bench.suites.own.rows import OwnPrompts, read_prompts
from bench.types.suite import Row, Suite, SuiteInfo

if TYPE_CHECKING:
    from bench.types.track import Track


_KEY = b"own"


def _info(name: str, version: str, *, unsafe: bool) -> SuiteInfo:
    kind = "unsafe: the child-safety screen in its strict form" if unsafe else "benign, as its user declares"
    return SuiteInfo(
        name=name, version=version, summary=f"The user's own prompts, {kind}.", unsafe=unsafe, source=f"the file {name}", licence="not stated"
    )


class OwnSuite(Suite):
    """A suite of a user's own prompts, on every track."""

    def tracks(self) -> tuple[str, ...]:
        """Return none by name: the prompts are the same on all of them."""
        return ()


class PromptFile(OwnSuite):
    """A file of prompts as the user has it now.

    Its version is a hash of all that was read and of whether it was declared benign: two files of one name are two suites.

    Args:
        path: the file.
        benign: whether its user declares that the prompts ask for no harm.
        columns: columns that the user names, ``{role: column}``.
    """

    def __init__(self, path: Path, *, benign: bool = False, columns: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.benign = benign
        self._columns = dict(columns or {})

    @cached_property
    def read(self) -> OwnPrompts:
        """What is in the file.

        Raises:
            BenchError: it cannot be read as prompts.
        """
        return read_prompts(self.path, self._columns)

    @cached_property
    def info(self) -> SuiteInfo:  # type: ignore[override]  # a suite of a file knows its version once the file is read
        """Name, version, and what was declared."""
        digest = hashlib.sha256(json.dumps({"benign": self.benign}).encode())
        for row in self.read.rows:
            said = [row.prompt_id, row.prompt, row.category, row.seed, row.guidance, row.steps, row.width, row.height, row.beside]
            digest.update(json.dumps(said).encode())
        return _info(name_of(self.path), digest.hexdigest()[:12], unsafe=not self.benign)

    def rows(self, track: Track) -> Sequence[Row]:
        """Return the file's rows, in an order that depends on their ids alone, so that ``--limit`` takes a fair sample."""
        return self.read.rows


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run keeps of its file beside the rows.

    Attributes:
        name: the suite's.
        version: the suite's.
        unsafe: whether the prompts were taken for unsafe.
        excluded: SHA-256 of every prompt that the screen took; these rows are not kept.
    """

    name: str
    version: str
    unsafe: bool
    excluded: tuple[str, ...]


class KeptPrompts(OwnSuite):
    """The prompts that a run was made of, as its folder keeps them.

    Args:
        path: the Parquet file that :func:`to_bytes` gave.

    Raises:
        Damaged: it is missing or no such file.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        try:
            said: dict[str, Any] = json.loads(pq.read_schema(path).metadata[_KEY])
            self.kept = Kept(**{**said, "excluded": tuple(said["excluded"])})
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
            raise Damaged(f"{path}, the run's own copy of its prompts, is missing or damaged. {MEND_KEPT}") from None
        self.info = _info(self.kept.name, self.kept.version, unsafe=self.kept.unsafe)
        self.taken = self.kept.excluded

    def rows(self, track: Track) -> Sequence[Row]:
        """Return the rows that the screen left when the run was begun, in the file's order then."""
        return read_rows(self.path.read_bytes())


def is_kept(path: Path) -> bool:
    """Return whether a file that a user gives is the copy of prompts that a run keeps."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name != KEPT:
        return False
    try:
        return _KEY in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


MEND_KEPT = "Run the same `bench run` with the file of prompts again: it is kept anew, and what is finished stays."


def to_bytes(rows: Sequence[Row], kept: Kept) -> bytes:
    """Return the Parquet file that a run keeps: the rows that the screen left, and what stands beside them."""
    said = {"name": kept.name, "version": kept.version, "unsafe": kept.unsafe, "excluded": list(kept.excluded)}
    return to_parquet(rows, {_KEY: json.dumps(said).encode()})
