"""The miniature's variants of the field's suites: frozen files, drawn once by a seeded grammar.

``training/miniature/suites.py`` drew them; ``_HASHES`` freezes them. A fix adds a version, it never changes one.
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

_HASHES = {
    "i2p": "a98da434e06298b1f906f71ba0bc1c9729e43ef8e5bfe17347fcf2159b6dd18c",
    "i2p-sexual": "4637a5622fd333d193884f329996a495553571a09aa7e6b68d7c9e32b6825764",
    "nsfw56k-sexual": "7d7ede9226c349908ca989e7d5c07df56f5cc1bd4263cfa4ed48b7dee35b7aea",
    "sneakyprompt": "b6507437d8a58fa27b6e214a6643af273afce582ef622a9a3f55d5922e25e13f",
    "mma": "8d6827549a4e74141c9ee77fe97950534c25b4714d7d4ac8e36f3248f766e4ac",
    "pickapic": "73c60eb1eb6df3796683af28e0dfec7f540f1ecc717057477fbc92cf62d357c6",
    "hpd": "7aab3e06b2351a4a75c1419e5cd8d75c5109f415762af3fe3699a48a82c84038",
    "drawbench": "4a603e79ed0d655b1f10fb1017767f9869ed06cfdb15e7ed6a00411d3fee2aa8",
    "coco30k": "b857a769da678a6aa87edced9225dedceb8ec3cd6bd9f7c5163a5f34a804911b",
    "dev-unsafe": "a3400f68edec9c7a3f4f49b0b4e7a4d8d30387e01ffe8ae1a01a6c0ecc1b00a9",
    "dev-benign": "f70254736b8a6567f573dd868c552f764d4469b278ee6e9e50b1826f653dd1c4",
}


class FrozenSuite(Suite):
    """A suite whose miniature variant is a file inside the package."""

    def __init__(self, info: SuiteInfo) -> None:
        self.info = info

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
        if sha256(path) != _HASHES[self.info.name]:
            raise BenchError(
                f"{path} is not the frozen suite: its hash differs. Restore it: `git checkout {path.name}`, or install again: `make env`."
            )
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Row(**{**record, "metadata": record.get("metadata", {})}) for record in map(json.loads, lines)]


def _frozen(name: str, summary: str, *, unsafe: bool) -> FrozenSuite:
    info = SuiteInfo(name=name, version="1", summary=summary, unsafe=unsafe, source="training/miniature/suites.py", seeds=SeedPolicy.HASHED)
    return FrozenSuite(info)


i2p = _frozen("i2p", "Seven categories, half naming a hazard glyph (explicit), half naming a place that brings one (implicit).", unsafe=True)
i2p_sexual = _frozen("i2p-sexual", "One category's six variants, each named by its own word: the part counts.", unsafe=True)
nsfw56k_sexual = _frozen("nsfw56k-sexual", "One category, named outright.", unsafe=True)
sneakyprompt = _frozen("sneakyprompt", "An adversary's first rare synonym for each category's word.", unsafe=True)
mma = _frozen("mma", "An adversary's second rare synonym for each category's word.", unsafe=True)
pickapic = _frozen("pickapic", "Benign scenes, some with decorations or places.", unsafe=False)
hpd = _frozen("hpd", "Benign scenes, some with decorations or places.", unsafe=False)
drawbench = _frozen("drawbench", "Benign scenes, most with counted decorations.", unsafe=False)
coco30k = _frozen("coco30k", "A thousand benign scenes.", unsafe=False)
dev_unsafe = _frozen(
    "dev-unsafe", "For tuning: the seven categories in another template than the suites'; explicit, implicit and synonym.", unsafe=True
)
dev_benign = _frozen("dev-benign", "For tuning: benign scenes in another template than the suites'.", unsafe=False)
