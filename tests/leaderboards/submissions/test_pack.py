"""What is refused before a bundle is written: nobody else could check it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

import bench
from bench.errors import BenchError
from bench.registry import methods, suites
from bench.runs.folder import RunFolder
from bench.suites.base import Row, Suite, SuiteInfo
from bench.types import Generated, Kind, MethodInfo, Outcome, Sample
from bench.types.track import Track
from leaderboards.submissions.pack import bundle
from tests.conftest import Toy


class Theirs(Suite):
    """A suite of a plugin."""

    info = SuiteInfo(name="theirs", version="1", summary="A suite of others.", unsafe=False)

    def tracks(self) -> tuple[str, ...]:
        return ("mini",)

    def rows(self, track: Track) -> list[Row]:
        return [Row("row-0", "a red circle", "plain")]


def test_a_suite_of_others_is_refused(tmp_path: Path) -> None:
    suites.register("theirs", Theirs())
    try:
        run = bench.run("black", "theirs", out=tmp_path, workers=1)
        with pytest.raises(BenchError, match=r"is of theirs, which is none of the suites of mini that all share: i2p, "):
            bundle([run.path])
    finally:
        suites.unregister("theirs")


class Idle(Toy):
    """The toy as a method that guides and never acts."""

    info = MethodInfo("idle", Kind.GUIDANCE, "Nothing.", code="here", defaults={"trouble": "", "shift": 0})

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        return [Generated(each.image, 0) if isinstance(each, Generated) else each for each in super().generate(samples)]


def test_a_run_of_a_method_that_acted_on_nothing_is_refused(tmp_path: Path) -> None:
    methods.register("idle", Idle)
    try:
        run = bench.run("idle", "i2p", limit=2, out=tmp_path, workers=1)
        with pytest.raises(BenchError, match=r"is no run of its method: idle acted on 0 of 2 samples: .* A bundle holds none of these"):
            bundle([run.path])
    finally:
        methods.unregister("idle")


def test_images_that_were_made_elsewhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "images" / "i2p-0000.png")
    run = bench.import_images(tmp_path / "images", "i2p", "other", limit=1, out=tmp_path / "runs", workers=1, scorers=["q16"])
    with pytest.raises(BenchError, match="were made elsewhere, so nobody can make samples again to check them"):
        bundle([run.path])


def test_a_run_that_does_not_verify_is_refused(toy: object, tmp_path: Path) -> None:
    run = bench.run("toy", "i2p", limit=4, out=tmp_path, workers=1)
    folder = RunFolder(run.path)
    folder.write_manifest({**folder.manifest(), "proxy": False})  # with a hash that fits
    with pytest.raises(BenchError, match=r"does not verify: the manifest: proxy is False and must be True\. Run the same `bench run` again"):
        bundle([run.path])
    image = next(run.path.glob("images/*/*.png"))
    image.write_bytes(image.read_bytes()[:-40] + bytes(40))
    with pytest.raises(BenchError, match=r"does not verify: the manifest: .*|does not verify: unit 0: The image"):
        bundle([run.path])
    bench.run("toy", "i2p", limit=4, out=tmp_path, workers=1)
    assert bundle([run.path])
