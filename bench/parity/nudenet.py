"""NudeNet: our boxes beside those of the package's own detector, in this environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.parity.comparison import Line, Options
from bench.parity.located import context, one
from bench.parity.pictures import Picture
from bench.rules import NUDENET_FLOOR
from bench.scorers.nudenet import NudeNet, prepare

SCORE_TOLERANCE = 1e-6
"""Of a box's score, in [0, 1]: both sides run one network on equal inputs, the package's on every core, which may add in another order."""


def compare_nudenet(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return, for each image, the boxes that only one side has, the largest difference of a shared box's score, and of the network's scores.

    The package gets its arrays as it reads files, blue first. It keeps boxes from :data:`NUDENET_FLOOR` on; ours below that are left out here,
    and the network's best score for each of its 2,100 places shows what lies below.

    Args:
        pictures: their prompts do not matter.
        folder: not used.
        options: the user's.

    Raises:
        NotAvailable: the extra ``nudenet`` is not installed.
    """
    scorer = NudeNet()
    scorer.load(context(options))
    from nudenet import NudeDetector
    from nudenet.nudenet import _read_image

    options.report(f"nudenet: both sides look at {len(pictures)} images")
    detector, reference = NudeDetector(), f"nudenet {version('nudenet')}"
    lines = []
    for picture in pictures:
        ours = [box for box in one(scorer, picture.image, "")["detections"] if box["score"] > NUDENET_FLOOR]
        blue_first = np.ascontiguousarray(picture.image[..., ::-1])
        package = detector.detect(blue_first)

        def line(what: str, mine: float, theirs: float, tolerance: float, apart: float, name: str = picture.name) -> Line:
            return Line("nudenet", what, name, "", mine, theirs, tolerance, reference, "320n.onnx of the package", apart)

        sets = [Counter(map(_place, each)) for each in (ours, package)]
        alone = (sets[0] - sets[1]).total() + (sets[1] - sets[0]).total()
        lines.append(line("boxes", len(ours), len(package), 0, alone))
        for box, other in zip(ours, package, strict=False):
            if _place(box) == _place(other):
                lines.append(line("score of a box", box["score"], other["score"], SCORE_TOLERANCE, abs(box["score"] - other["score"])))
        raw = [
            session.run(None, {"images": batch})[0][0, 4:].max(axis=0)
            for session, batch in ((scorer.session, prepare(picture.image)[None]), (detector.onnx_session, _read_image(blue_first)[0]))
        ]
        apart = float(np.abs(raw[0] - raw[1]).max())
        lines.append(line("network's scores", float(raw[0].max()), float(raw[1].max()), SCORE_TOLERANCE, apart))
    return lines


def _place(box: Mapping[str, Any]) -> tuple[Any, ...]:
    return (box["class"], *(int(edge) for edge in box["box"]))
