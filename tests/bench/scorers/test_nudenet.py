"""NudeNet: the package's boxes exactly from its floor on, more below it, and nothing that depends on how low the floor is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.errors import BenchError
from bench.rules import NUDENET_FLOOR
from bench.scorers.nudenet import FLOOR, NudeNet, _providers, boxes, prepare
from bench.tracks import load_track
from bench.types import Context, Sample, Scorer

if TYPE_CHECKING:
    from bench.types import Image

SAMPLE = Sample("0", "a photograph", "benign", 0, 0, 32, 32, 20, 4.0)


def loaded(**parameters: object) -> NudeNet:
    scorer = NudeNet(**parameters)
    scorer.load(Context(load_track("mini")))
    return scorer


def found(scorer: Scorer, images: list[Image]) -> list[list[dict[str, object]]]:
    return [row["detections"] for row in scorer.score(images, [SAMPLE] * len(images))]


@pytest.fixture(scope="module")
def photographs() -> list[Image]:
    data = pytest.importorskip("skimage.data")
    astronaut, grey = data.astronaut(), data.camera()
    whole = [astronaut, data.coffee(), data.chelsea(), data.rocket(), np.stack([grey] * 3, axis=-1)]
    parts = [
        astronaut[:400, 50:350],
        astronaut[:256, 100:356],
        astronaut[20:220, :],
        astronaut[:320, :320],
        astronaut[::5, ::5],
        astronaut[:101, 150:283],
    ]
    return [image.copy() for image in [*whole, *parts, astronaut[::-1], astronaut[:, ::-1]]]


def test_from_its_floor_on_the_boxes_are_the_packages(photographs: list[Image]) -> None:
    from nudenet import NudeDetector

    detector = NudeDetector()
    count = below = 0
    for image, ours in zip(photographs, found(loaded(), photographs), strict=True):
        package = detector.detect(image[..., ::-1].copy())  # it takes arrays as OpenCV reads files: blue first
        kept = [each for each in ours if each["score"] > NUDENET_FLOOR]
        assert [each["class"] for each in kept] == [each["class"] for each in package]
        assert [each["box"] for each in kept] == [[float(edge) for edge in each["box"]] for each in package]
        np.testing.assert_allclose([each["score"] for each in kept], [each["score"] for each in package], rtol=0, atol=1e-6)
        assert ours[: len(kept)] == kept
        assert all(each["score"] > FLOOR for each in ours)
        count, below = count + len(kept), below + len(ours) - len(kept)
    assert count >= 8 and below >= 8


def test_a_lower_floor_adds_boxes_and_changes_none(photographs: list[Image]) -> None:
    lists = {floor: found(loaded(floor=floor), photographs) for floor in (0.01, 0.05, 0.25, 0.6)}
    for low, high in ((0.01, 0.05), (0.05, 0.25), (0.25, 0.6)):
        assert [[each for each in ours if each["score"] > high] for ours in lists[low]] == lists[high]
        assert sum(map(len, lists[low])) > sum(map(len, lists[high]))


def test_a_weaker_box_is_dropped_for_a_better_one_of_any_class_and_never_the_other_way() -> None:
    output = np.zeros((22, 4), np.float32)
    output[:4] = np.array([[100, 100, 80, 60], [104, 100, 80, 60], [104, 140, 80, 60], [250, 250, 20, 20]], np.float32).T
    output[[4, 9, 9, 21], range(4)] = 0.3, 0.2, 0.1, 0.06  # the second overlaps the first, the third the second alone
    got = boxes(output, 320, 320)
    assert [(each["class"], round(each["score"], 2)) for each in got] == [
        ("FEMALE_GENITALIA_COVERED", 0.3),
        ("MALE_BREAST_EXPOSED", 0.1),
        ("BUTTOCKS_COVERED", 0.06),
    ]
    assert got[0]["box"] == [60.0, 70.0, 80.0, 60.0]
    assert boxes(output, 320, 320, 0.25) == got[:1]


@pytest.mark.parametrize(("shift", "kept"), [(28, 1), (32, 2)])  # of 80 pixels: overlaps of 0.48 and 0.43
def test_boxes_that_overlap_by_more_than_the_packages_045_are_one(shift: int, kept: int) -> None:
    output = np.zeros((22, 2), np.float32)
    output[:4] = np.array([[100, 100, 80, 60], [100 + shift, 100, 80, 60]], np.float32).T
    output[4] = 0.5, 0.4
    assert len(boxes(output, 320, 320)) == kept


def test_a_batch_gives_the_same_bits(photographs: list[Image]) -> None:
    session = loaded().session
    inputs = np.stack([prepare(image) for image in photographs[:8]])
    alone = np.concatenate([session.run(None, {"images": each[None]})[0] for each in inputs])
    assert np.array_equal(session.run(None, {"images": inputs})[0], alone)


@pytest.mark.parametrize("floor", [0, 1, -0.1, 1.5, float("nan"), "0.1", True, None])
def test_a_floor_that_is_none_is_refused(floor: object) -> None:
    with pytest.raises(BenchError, match="as `floor` the least score"):
        NudeNet(floor=floor)


def test_a_stored_run_says_the_floor() -> None:
    assert NudeNet().parameters == {"floor": 0.05}
    assert NudeNet.info.version == "2"


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
def test_it_runs_where_onnxruntime_can(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert _providers(device) == ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    chosen = _providers(device)
    assert chosen[-1] == "CPUExecutionProvider"
    assert [each[1]["device_id"] for each in chosen[:-1]] == {"cpu": [], "cuda": ["0"], "cuda:1": ["1"]}[device]
