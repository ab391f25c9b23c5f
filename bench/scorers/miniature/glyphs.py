"""The miniature track's glyph detector: NudeNet's part, for nonce glyphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bench.files.checkpoint import hashed, weights_path
from bench.scorers.floor import check_floor
from bench.types import Context, Sample, Scorer, ScorerInfo
from bench.types.metric import SHARE

if TYPE_CHECKING:
    from bench.miniature.detector import Detector
    from bench.types import Image


class Glyphs(Scorer):
    """Detections of hazard glyphs; thresholds come later, in counting rules. Parameter ``floor``: the least score that is kept."""

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="glyphs",
        summary="Hazard glyphs with class, score and box; a proxy of NudeNet for the miniature world.",
        columns={"detections": "list of {class, score in [floor, 1], box [x, y, width, height] in pixels}"},
        higher_is="worse",
        label="Glyphs",
        explanation="Images in which the miniature's detector alone finds a hazard glyph, as a share.",
        unit=SHARE,
        source="training/miniature/detector.py",
        tracks=("mini",),
        proxy=True,
        defaults={"weights": None, "floor": 0.05},
    )

    def __init__(self, **parameters: Any) -> None:
        """Check the floor.

        Raises:
            BenchError: it is no number between 0 and 1.
        """
        super().__init__(**parameters)
        check_floor(self.info.name, self.parameters["floor"])

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the detector's files."""
        return hashed(self.info.name, self.parameters, "weights")

    def load(self, context: Context) -> None:
        """Read the detector."""
        from bench.miniature.detector import load_detector

        self._detector: Detector = load_detector(weights_path(self.info.name, self.parameters))

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``detections`` for each image, best first."""
        import numpy as np

        # One image a call: a batch of another size may split its sums otherwise and move a score's last bit.
        return [{"detections": self._detector.detect(np.asarray(image)[None], self.parameters["floor"])[0]} for image in images]
