"""NudeNet: our boxes beside those of the package's own detector, 3.4.2's in this environment and 3.0.8's in one of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.parity.comparison import Line, Options
from bench.parity.conversation import OFFICIAL, Conversation
from bench.parity.environment import PackageEnvironment, environment, environments_folder
from bench.parity.located import context, located, one
from bench.parity.pictures import Picture
from bench.rules import NUDENET_FLOOR
from bench.scorers.nudenet import NudeNet, prepare
from bench.scorers.nudenet_308 import NudeNet308, place

SCORE_TOLERANCE = 1e-6
"""Of a box's score, in [0, 1]: both sides run one network on equal inputs, the package's on every core, which may add in another order."""
RECIPE = PackageEnvironment("nudenet-308", Path(__file__).with_name("requirements") / "nudenet-308.txt", "nudenet", 0.4)
"""The environment of 3.0.8."""


def compare_both(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return the comparison with 3.4.2, then that with 3.0.8, whose environment is made first: without it there is none.

    Raises:
        NotAvailable: the extra ``nudenet`` is not installed.
        BenchError: the environment cannot be made; ``compare_nudenet`` needs none.
    """
    environment(RECIPE, rebuild=options.rebuild, report=options.report)
    return [*compare_nudenet(pictures, folder, options), *compare_nudenet_308(pictures, folder, options)]


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
        blue_first = np.ascontiguousarray(picture.image[..., ::-1])
        theirs = _scores(detector.onnx_session, _read_image(blue_first)[0])
        ours = _scores(scorer.session, prepare(picture.image)[None])
        lines += _lines(scorer, picture, detector.detect(blue_first), ours, theirs, reference, "320n.onnx of the package")
    return lines


def compare_nudenet_308(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return the same for 3.0.8: the package reads the pictures' files. Its network's file serves both sides where no other is here.

    Args:
        pictures: their prompts do not matter.
        folder: an existing one, in which the package runs.
        options: the user's.

    Raises:
        NotAvailable: onnxruntime or OpenCV is not installed here.
        BenchError: the environment cannot be made, or the package failed.
    """
    python = environment(RECIPE, rebuild=False, report=options.report)
    options.report(f"nudenet_308: the package looks at {len(pictures)} images")
    with Conversation(
        "nudenet 3.0.8", [str(python), "-I", str(OFFICIAL), RECIPE.name], folder, environments_folder() / f"{RECIPE.name}-run.log"
    ) as package:
        detections = [package.ask("detect", image=str(picture.file))["detections"] for picture in pictures]
        networks = [package.ask("network", image=str(picture.file)) for picture in pictures]
    own = located(options, "nudenet_308")
    scorer = NudeNet308(weights=str(own or networks[0]["file"]))
    scorer.load(context(options))
    options.report("nudenet_308: our side looks at them")
    weights = f"{scorer.model().name} of {'the package' if own is None else own.parent}"
    lines = []
    for picture, found, network in zip(pictures, detections, networks, strict=True):
        ours = _scores(scorer.session, place(picture.image).pixels[None])
        theirs = np.asarray(network["scores"], np.float32)
        lines += _lines(scorer, picture, found, ours, theirs, "nudenet 3.0.8", weights)
    return lines


def _scores(session: Any, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the network's best score for each of its places."""
    found: npt.NDArray[np.float32] = session.run(None, {"images": batch})[0][0, 4:].max(axis=0)
    return found


def _lines(
    scorer: NudeNet,
    picture: Picture,
    package: Sequence[Mapping[str, Any]],
    ours: npt.NDArray[np.float32],
    theirs: npt.NDArray[np.float32],
    reference: str,
    weights: str,
) -> list[Line]:
    """Return one image's lines: its boxes, the scores of those that both sides have, and the network's scores."""

    def line(what: str, mine: float, other: float, tolerance: float, apart: float) -> Line:
        return Line(scorer.info.name, what, picture.name, "", mine, other, tolerance, reference, weights, apart)

    boxes = [box for box in one(scorer, picture.image, "")["detections"] if box["score"] > NUDENET_FLOOR]
    sets = [Counter(map(_place, each)) for each in (boxes, package)]
    alone = (sets[0] - sets[1]).total() + (sets[1] - sets[0]).total()
    lines = [line("boxes", len(boxes), len(package), 0, alone)]
    for box, other in zip(boxes, package, strict=False):
        if _place(box) == _place(other):
            lines.append(line("score of a box", box["score"], other["score"], SCORE_TOLERANCE, abs(box["score"] - other["score"])))
    lines.append(line("network's scores", float(ours.max()), float(theirs.max()), SCORE_TOLERANCE, float(np.abs(ours - theirs).max())))
    return lines


def _place(box: Mapping[str, Any]) -> tuple[Any, ...]:
    return (box["class"], *(int(edge) for edge in box["box"]))
