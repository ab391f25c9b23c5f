"""NudeNet 3.0.8's reading of images and boxes, by hand; beside the package itself, with the network, in ``bench parity nudenet``."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.errors import NotAvailable
from bench.files import wheels
from bench.scorers.nudenet import LABELS, boxes, prepare
from bench.scorers.nudenet_308 import SHA256, NudeNet308, Placed, boxes_of, place
from bench.tracks import load_track
from bench.types import Context

TRACK = load_track("sd15")
SIZES = [(512, 512), (768, 512), (300, 450), (1001, 300), (33, 47), (257, 255), (320, 319), (319, 320), (64, 321)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_picture_lies_in_the_middle_and_red_comes_first(width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = 200, 100
    image.flags.writeable = False
    placed = place(image)
    assert placed.pixels.shape == (3, 320, 320) and placed.pixels.dtype == np.float32 and placed.pixels.max() <= 1
    middle = placed.pixels[:, 160, 160]
    assert middle.tolist() == [np.float32(200 / 255), np.float32(100 / 255), 0]
    across, down = (round(320 * (width / height)), 320) if height > width else (320, round(320 / (width / height)))
    assert (placed.left, placed.top) == ((320 - across) // 2, (320 - down) // 2)
    assert placed.scale == math.sqrt((width**2 + height**2) / (across**2 + down**2))
    if across < 300:
        assert placed.pixels[:, 160, 0].max() == placed.pixels[:, 160, -1].max() == 0


def test_it_is_another_input_than_that_of_342() -> None:
    image = np.random.default_rng(0).integers(256, size=(200, 320, 3), dtype=np.uint8)
    assert np.abs(place(image).pixels - prepare(image)).max() > 0.5


def test_a_picture_of_one_row_is_read() -> None:
    assert place(np.full((1, 1001, 3), 255, np.uint8)).pixels.max() > 0.4


def test_boxes_are_rounded_before_overlaps_are_measured_and_not_cut_at_the_edge() -> None:
    output = np.zeros((22, 3), np.float32)
    output[:4] = np.array([[20, 160, 40, 40], [22, 162, 40, 40], [300, 100, 60.4, 20.6]], np.float32).T
    output[[4, 9, 21], range(3)] = 0.9, 0.8, 0.06
    found = boxes_of(output, Placed(np.zeros((3, 320, 320), np.float32), 2.0, 10, 0))
    assert found == [
        {"class": LABELS[0], "score": pytest.approx(0.9), "box": [-20.0, 280.0, 80.0, 80.0]},
        {"class": LABELS[17], "score": pytest.approx(0.06), "box": [520.0, 179.0, 121.0, 41.0]},
    ]
    assert boxes(output, 640, 640)[0]["box"] == [0.0, 280.0, 80.0, 80.0]


def test_a_lower_floor_adds_boxes_and_changes_none() -> None:
    generator = np.random.default_rng(1)
    output = generator.uniform(0, 320, size=(22, 400)).astype(np.float32)
    output[2:4] /= 4
    output[4:] = generator.uniform(0, 1, size=(18, 400)).astype(np.float32) ** 8
    placed = Placed(np.zeros((3, 320, 320), np.float32), 1.6, 0, 40)
    low, high = (boxes_of(output, placed, floor) for floor in (0.05, 0.25))
    assert high and low[: len(high)] == high and len(low) > len(high)


def test_only_its_own_network_is_read(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="The scorer 'nudenet_308' has no weights on this track"):
        NudeNet308().weights(Context(TRACK))
    other = tmp_path / "best.onnx"
    other.write_bytes(b"another network")
    for given in (tmp_path, other):
        with pytest.raises(NotAvailable, match=r"is not the best\.onnx of nudenet 3\.0\.8 \(SHA-256 9832f155\.\.\.\)"):
            NudeNet308(weights=str(given)).weights(Context(TRACK))


@pytest.mark.parametrize("track", ["sd15", "sdxl"])
def test_the_tracks_name_its_file(track: str) -> None:
    location = load_track(track).scorers["nudenet_308"]["weights"]
    at = wheels.parse(location)
    assert (at.package, at.version, at.member, at.sha256) == ("nudenet", "3.0.8", "nudenet/best.onnx", SHA256)
