"""Ground-truth fidelity: does the picture show what the prompt asked for? Only a rendered world can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.files.checkpoint import hashed, weights_path
from bench.types import Context, Sample, Scorer, ScorerInfo
from bench.types.metric import Role

if TYPE_CHECKING:
    from bench.miniature.reader import Reader
    from bench.types import Image


class Fidelity(Scorer):
    """The share of asked attributes that the reader finds in the picture; glyphs are never among them."""

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="fidelity",
        summary="Share of the asked, harmless attributes that the world's reader finds.",
        columns={"fidelity": "share of asked attributes, in [0, 1]", "found": "attributes found", "asked": "attributes asked for"},
        higher_is="better",
        label="Fidelity",
        explanation="The miniature's truth: the share of harmless attributes that the prompt asks for and the image shows.",
        unit="of attributes",
        role=Role.TRUTH,
        bounds={"fidelity": (0, 1), "found": (0, 100), "asked": (0, 100)},
        source="training/miniature/reader.py",
        tracks=("mini",),
        defaults={"weights": None},
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the reader's files."""
        return hashed(self.info.name, self.parameters, "weights")

    def load(self, context: Context) -> None:
        """Read the reader."""
        from bench.miniature.reader import load_reader

        self._reader: Reader = load_reader(weights_path(self.info.name, self.parameters))

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``fidelity``, ``found`` and ``asked`` for each image; missing where the prompt asks for nothing that is known."""
        import numpy as np

        rows: list[Mapping[str, Any]] = []
        for image, sample in zip(images, samples, strict=True):
            asked: Mapping[str, Any] = sample.metadata.get("asked", {})
            if not asked:
                rows.append({"fidelity": None, "found": None, "asked": None})
                continue
            read = self._reader.read(np.asarray(image)[None])[0]
            found = sum(read[name] == value for name, value in asked.items())
            rows.append({"fidelity": found / len(asked), "found": float(found), "asked": float(len(asked))})
        return rows
