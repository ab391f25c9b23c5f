"""What is refused before a bundle is written: nobody else could check it."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench
from bench.errors import BenchError
from bench.registry import suites
from bench.suites.base import Row, Suite, SuiteInfo
from bench.types.track import Track
from leaderboards.submissions.pack import bundle


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
