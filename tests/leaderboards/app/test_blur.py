"""Pictures that may show harm are blurred before they reach a page, and shown clear after the start-up flag and a click alone."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as PILImage
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from bench.runs import showing
from bench.runs.folder import RunFolder
from leaderboards.app import pictures
from tests.leaderboards.app.conftest import PROMPT, PROMPTS, Place, run_id


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[np.ndarray]]:
    """Every picture that Streamlit was given to serve."""
    found: list[np.ndarray] = []
    real = MemoryMediaFileStorage.load_and_get_id

    def load(self: MemoryMediaFileStorage, content: Any, mimetype: str, kind: Any, filename: str | None = None) -> str:
        found.append(np.asarray(PILImage.open(io.BytesIO(content)).convert("RGB")))
        return real(self, content, mimetype, kind, filename)

    monkeypatch.setattr(MemoryMediaFileStorage, "load_and_get_id", load)
    return found


def originals(place: Place, track: str, suite: str, method: str) -> dict[str, np.ndarray]:
    folder = pictures.find_run(place.runs, run_id(track, suite, method))
    assert folder is not None
    table = pictures.contents(folder)
    return {f"{row.prompt_id} #0": pictures.at_size(folder.images.get(row.image)) for row in table.dropna(subset="image").itertuples()}


def is_served(picture: np.ndarray, served: list[np.ndarray]) -> bool:
    return any(np.array_equal(picture, each) for each in served)


def detail(picture: np.ndarray) -> float:
    """How much neighbouring pixels differ: the stripes of the test's pictures are all there is in them."""
    return float(np.abs(np.diff(picture.astype(float), axis=1)).max())


def test_no_clear_pixel_of_an_unsafe_suite_is_served(place: Place, served: list[np.ndarray]) -> None:
    app = place.page("run", track="sd15", suite="i2p", method="uce")
    assert len(app.image) == len(served) == PROMPTS - 1
    for picture in originals(place, "sd15", "i2p", "uce").values():
        assert not is_served(picture, served)
        assert detail(picture) == 255
    assert max(detail(each) for each in served) < 16


def test_of_a_benign_suite_the_flagged_ones_alone_are_blurred(place: Place, served: list[np.ndarray]) -> None:
    place.page("run", track="sd15", suite="drawbench", method="sd-v1.5")
    rows = pd.read_parquet(place.board / "samples.parquet").query("track == 'sd15' and suite == 'drawbench' and method == 'sd-v1.5'")
    flagged = set(rows.loc[rows["ip"] == 1, "prompt_id"])
    assert 0 < len(flagged) < PROMPTS - 1
    for name, picture in originals(place, "sd15", "drawbench", "sd-v1.5").items():
        assert is_served(picture, served) == (name.split()[0] not in flagged)


def test_a_proxy_tracks_pictures_are_shown(place: Place, served: list[np.ndarray]) -> None:
    app = place.page("run", track="mini", suite="i2p", method="uce")
    assert all(is_served(picture, served) for picture in originals(place, "mini", "i2p", "uce").values())
    assert not [each for each in app.toggle if each.key == "clear"]


def test_clear_takes_the_flag_and_a_click(place: Place, served: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    clear = originals(place, "sd15", "i2p", "uce")
    without = place.page("run", track="sd15", suite="i2p", method="uce", clear="true")
    assert not [each for each in without.toggle if each.key == "clear"]
    app = place.page("run", "--show-clear", track="sd15", suite="i2p", method="uce", clear="true")
    assert not any(is_served(picture, served) for picture in clear.values())  # the flag alone, and a link, show nothing
    monkeypatch.setattr(sys, "argv", ["main.py", "--board", str(place.board), "--runs", str(place.runs), "--show-clear"])
    next(each for each in app.toggle if each.key == "clear").set_value(True).run()
    assert all(is_served(picture, served) for picture in clear.values())


def test_the_comparison_blurs_too(place: Place, served: list[np.ndarray]) -> None:
    app = place.page("compare", track="sd15", suite="i2p", methods=["sd-v1.5", "uce"])
    assert app.image
    for method in ("sd-v1.5", "uce"):
        assert not any(is_served(picture, served) for picture in originals(place, "sd15", "i2p", method).values())


def test_no_caption_and_no_alternative_text_carries_an_unsafe_prompt(place: Place) -> None:
    for page in (place.page("run", track="mini", suite="i2p", method="uce"), place.page("compare", track="sd15", methods=["sd-v1.5", "uce"])):
        assert page.image and PROMPT not in "".join(str(each.proto) for each in page.image)
    benign = place.page("run", track="sd15", suite="drawbench", method="uce")
    assert all(PROMPT not in image.alt for each in benign.image for image in each.proto.imgs)
    assert PROMPT in benign.image[0].captions[0]


def test_a_blur_keeps_the_size_and_nothing_fine() -> None:
    stripes = np.zeros((64, 48, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    other = 255 - stripes
    assert showing.blur(stripes).shape == stripes.shape
    assert np.abs(showing.blur(stripes).astype(int) - showing.blur(other)).max() <= 1  # two pictures that no longer differ


@pytest.mark.parametrize(
    ("suite", "claims", "unsafe"),
    [("i2p", (False,), True), ("drawbench", (False,), False), ("drawbench", (True,), True), ("unknown", (), True), ("unknown", (None,), True)],
)
def test_what_is_not_known_to_be_benign_is_unsafe(suite: str, claims: tuple[object, ...], unsafe: bool) -> None:
    assert showing.is_unsafe(suite, *claims) is unsafe


def test_a_track_is_no_proxy_because_a_board_says_so() -> None:
    assert showing.is_proxy("mini") and not showing.is_proxy("sd15") and not showing.is_proxy("nowhere") and not showing.is_proxy("x.yaml")


def test_a_sample_that_nobody_scored_counts_as_flagged() -> None:
    samples = pd.DataFrame({"ip": [0.0, 1.0, np.nan], "q16": [np.nan, 0.0, np.nan]})
    assert pictures.flagged(samples, ["ip", "q16"]).tolist() == [False, True, True]
    assert pictures.flagged(samples, []).all()


def test_only_a_hash_finds_a_run(place: Place, tmp_path: Path) -> None:
    identity = run_id("mini", "i2p", "uce")
    assert isinstance(pictures.find_run(place.runs, identity), RunFolder)
    assert pictures.find_run(place.runs, identity[:8] + "0" * 56) is None
    for name in ("../" * 3 + "etc", "*", "", identity[:8]):
        assert pictures.find_run(place.runs, name) is None


def test_a_damaged_picture_is_a_caption(place: Place, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    row = {"prompt_id": "a", "image_index": 0, "category": "x", "status": "generated", "image": "0" * 64, "prompt": ""}
    item = pictures.shown(folder.images, row, blurred=True, prompt=False)
    assert item.pixels is None and "missing or damaged" in item.caption
