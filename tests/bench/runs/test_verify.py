"""A run is verified against the suite that it was made of: where the suite has changed since, nothing is touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import bench
from bench import api
from bench.errors import BenchError, Damaged
from bench.registry import suites
from bench.runs.find import describe
from bench.runs.folder import RunFolder
from bench.runs.verify import verify
from bench.suites.base import Row, Suite, SuiteInfo
from bench.types.track import Track


class Theirs(Suite):
    """A suite of a plugin."""

    def __init__(self, version: str, rows: Sequence[Row]) -> None:
        self.info = SuiteInfo(name="theirs", version=version, summary="A suite of others.", unsafe=False)
        self._rows = rows

    def tracks(self) -> tuple[str, ...]:
        return ("mini",)

    def rows(self, track: Track) -> Sequence[Row]:
        return self._rows


@pytest.fixture
def run(toy: object, tmp_path: Path) -> Iterator[api.Run]:
    """A finished run of the toy on three prompts of a plugin's suite."""
    suites.register("theirs", Theirs("1", [Row(f"row-{number}", f"a red circle {number}", "plain") for number in range(3)]))
    yield bench.run("toy", "theirs", scorers=["fidelity"], out=tmp_path, workers=1)
    suites.unregister("theirs")


def change(version: str, rows: Sequence[Row]) -> None:
    suites.unregister("theirs")
    suites.register("theirs", Theirs(version, rows))


@pytest.mark.parametrize("names", ["same ids", "other ids"])
def test_a_run_of_another_version_is_refused_and_left_alone(run: api.Run, names: str) -> None:
    assert api.verify(run.path).whole
    change("2", [Row(f"{'row' if names == 'same ids' else 'line'}-{number}", "a blue circle", "plain") for number in range(3)])
    for refused in (lambda: api.verify(run.path), lambda: api.regenerate(run.path, 1)):
        with pytest.raises(BenchError, match=r"was made of theirs 1 \([0-9a-f]{8}\); here it is theirs 2 \([0-9a-f]{8}\).* Bring the old one back"):
            refused()
    assert api.describe(RunFolder(run.path)).complete


def test_a_run_whose_manifest_or_units_are_anothers_is_named_and_mended(tmp_path: Path) -> None:
    def made(name: str, out: str) -> Path:
        return bench.run(name, "i2p", limit=2, workers=1, scorers=["fidelity"], out=tmp_path / out).path

    black, base = made("black", "runs"), made("sd-v1.5", "runs")
    wanted = bench.load_run(black).records().drop(columns="metadata")
    for part in ("manifest.json", "units"):
        if part == "units":  # and all that goes with them
            for name in ("units", "samples", "images", "scores"):
                shutil.rmtree(black / name, ignore_errors=True)  # it has no images
                shutil.copytree(base / name, black / name)
        else:
            shutil.copy(base / part, black / part)
        for reader in (bench.load_run, lambda path: describe(RunFolder.open(path))):
            with pytest.raises(Damaged, match="is of another run than the manifest"):
                reader(black)
        assert not verify(black).whole
        assert made("black", "runs") == black and verify(black).whole
        assert bench.load_run(black).records().drop(columns="metadata").equals(wanted)
