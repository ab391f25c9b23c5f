"""What the operating system does not give is not damaged: one line with the cause, and nothing is marked to be made again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import bench
from bench import api
from bench.errors import BenchError, Damaged, Unreachable
from bench.files.atomic import Doing, mendable
from bench.reports.listing import verdict_rows
from bench.runs.folder import RunFolder
from bench.runs.verify import verify

CAUSES = {
    errno.EACCES: "Permission denied. Have it made readable for you",
    errno.EIO: "Input/output error. The device gives errors",
    errno.EMFILE: "Too many open files. Close what holds files open",
}


@pytest.fixture
def run(toy: object, tmp_path: Path) -> api.Run:
    """A finished run of two units."""
    return bench.run("toy", "i2p", limit=2, batch_size=1, scorers=["fidelity"], out=tmp_path, workers=1)


@pytest.mark.parametrize("number", CAUSES)
@pytest.mark.parametrize("what", ["images/*/*.png", "samples/00000.parquet", "units/00000.json", "scores/*/00000.parquet", "manifest.json"])
def test_it_is_no_damage(what: str, number: int, run: api.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    place = next(run.path.glob(what))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == place:
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", refused)
        with pytest.raises(Unreachable) as found:
            verify(run.path)
        assert str(found.value).startswith(f"Cannot read {place}: {CAUSES[number]}") and "--out" not in str(found.value)
        if "images" not in what:  # `bench run` does not decode what is finished
            with pytest.raises(BenchError, match="Cannot read"):
                bench.run("toy", "i2p", limit=2, batch_size=1, scorers=["fidelity"], out=run.path.parents[2], workers=1)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    assert verify(run.path).whole


def test_what_is_missing_is_damage_still(run: api.Run) -> None:
    next(run.path.glob("images/*/*.png")).unlink()
    assert verify(run.path).damaged
    with pytest.raises(Damaged):
        RunFolder(run.path).images.get("0" * 64)


@pytest.mark.parametrize(("doing", "says"), [(Doing.READ, "Have it made readable"), (Doing.REMOVE, "Remove it as"), (Doing.WRITE, "with --out")])
def test_each_remedy_is_of_what_is_done(doing: Doing, says: str, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=rf"^Cannot {doing} .*Permission denied\. .*{says}"), mendable(tmp_path, doing):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_verify_says_what_it_does_not_read(run: api.Run) -> None:
    (current,) = RunFolder(run.path).current_scores()
    older = current.folder.with_name("fidelity-00000000")
    older.mkdir()
    proof = verify(run.path)
    assert proof.whole and proof.older == [older.name]
    assert {"check": "scores that are not current, not read and not proven", "result": older.name} in verdict_rows(proof, [])
