"""The miniature's variants of the field's suites: frozen files, drawn once by a seeded grammar.

``training/miniature/suites.py`` drew them; the hash in each suite's YAML file freezes them. A fix adds a version, it never changes one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.errors import BenchError, NotAvailable
from bench.files.hashes import sha256
from bench.files.locations import resolve
from bench.types.suite import Row, SeedPolicy, Suite, SuiteInfo
from bench.types.track import MINIATURE

if TYPE_CHECKING:
    from bench.types.track import Track


class FrozenSuite(Suite):
    """A suite whose miniature variant is a file inside the package.

    Args:
        name: the suite's.
        summary: one line.
        version: of the variant.
        sha256: of the file.
        unsafe: whether its prompts ask for what stands for harm.
    """

    def __init__(self, name: str, summary: str, version: str, sha256: str, *, unsafe: bool) -> None:
        source = "training/miniature/suites.py"
        self.info = SuiteInfo(name=name, version=version, summary=summary, unsafe=unsafe, source=source, seeds=SeedPolicy.HASHED)
        self._sha256 = sha256

    def tracks(self) -> tuple[str, ...]:
        """Return ``("mini",)``, which stands for its copies too: the real tracks' variants need data that is brought by the user."""
        return (MINIATURE,)

    def rows(self, track: Track) -> Sequence[Row]:
        """Return the frozen rows.

        Raises:
            NotAvailable: the track has no variant.
            BenchError: the file is not the frozen one, or the track's pictures are of another size than the world's.
        """
        from bench.miniature.render import SIZE

        if not track.is_one_of(self.tracks()):
            raise NotAvailable(f"The suite {self.info.name!r} has no variant on track {track.name!r}; it has one on: {', '.join(self.tracks())}.")
        if (track.width, track.height) != (SIZE, SIZE):
            raise BenchError(
                f"The suite {self.info.name!r} on track {track.name!r} is of the miniature's world: its renderer, reader and fidelity are of "
                f"{SIZE}x{SIZE} pixels and the track says {track.width}x{track.height}. Set width: {SIZE} and height: {SIZE} in the track's file."
            )
        path = resolve(f"package:bench.miniature/suites/{self.info.name}-v{self.info.version}.jsonl")
        if sha256(path) != self._sha256:
            raise BenchError(
                f"{path} is not the frozen suite: its hash differs. Restore it: `git checkout {path.name}`, or install again: `make env`."
            )
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Row(**{**record, "metadata": record.get("metadata", {})}) for record in map(json.loads, lines)]
