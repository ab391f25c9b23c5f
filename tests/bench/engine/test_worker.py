"""The worker records what a method does wrong as failed samples, with the reason, and never as an image."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import bench
from bench.errors import BenchError
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.scorers.miniature.fidelity import Fidelity
from bench.types import Sample

REASONS = {
    "raises": "RuntimeError: the toy broke",
    "nan": "the image holds NaN or infinite values",
    "size": "expected an image of shape (32, 32, 3), got (31, 32, 3)",
    "count": "the method returned 9 outcomes for 10 samples",
}


@pytest.mark.parametrize("trouble", REASONS)
def test_trouble_is_recorded_and_the_run_is_incomplete(toy: object, tmp_path: Path, trouble: str) -> None:
    done = bench.run("toy", "i2p", parameters={"trouble": trouble}, limit=10, out=tmp_path, scorers=["fidelity"], workers=1)
    assert not done.complete
    assert done.counts == {"generated": 0, "blocked": 0, "failed": 10, "missing": 0}
    assert done.failures().endswith(f": {REASONS[trouble]}")
    records = done.records()
    assert set(records["reason"]) == {REASONS[trouble]}
    assert records["image"].isna().all() and records["fidelity"].isna().all()


def test_failed_samples_are_tried_again(toy: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = toy.generate
    monkeypatch.setattr(toy, "generate", lambda self, samples: original(self, samples)[:-1])
    assert not bench.run("toy", "i2p", limit=10, out=tmp_path, scorers=["fidelity"], workers=1).complete
    monkeypatch.setattr(toy, "generate", original)
    again = bench.run("toy", "i2p", limit=10, out=tmp_path, scorers=["fidelity"], workers=1)
    assert again.complete and again.counts["generated"] == 10


def test_blocked_samples_are_counted_and_no_image_of_them_exists(toy: object, tmp_path: Path) -> None:
    done = bench.run("toy", "i2p", parameters={"trouble": "blocks"}, limit=20, out=tmp_path, scorers=["fidelity"], workers=1)
    assert done.complete
    assert done.counts["blocked"] > 0
    assert len(list((done.path / "images").glob("*/*.png"))) == done.counts["generated"]
    records = done.records()
    assert records.loc[records["status"] == "blocked", "image"].isna().all()
    assert set(records.loc[records["status"] == "blocked", "reason"]) == {"toy filter"}


def test_a_finished_run_is_not_made_again(toy: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.run("toy", "i2p", limit=10, out=tmp_path, scorers=["fidelity"], workers=1)
    before = {path: path.stat().st_mtime_ns for path in first.path.rglob("*") if path.is_file()}

    def refuse(self: object, context: object) -> None:
        raise AssertionError("a finished run loads nothing")

    monkeypatch.setattr(toy, "load", refuse)
    again = bench.run("toy", "i2p", limit=10, out=tmp_path, scorers=["fidelity"], workers=1)
    assert again.rows() == first.rows()
    assert {path: path.stat().st_mtime_ns for path in first.path.rglob("*") if path.is_file()} == before


def test_methods_that_differ_never_share_a_run(toy: object, tmp_path: Path) -> None:
    specs = [
        RunSpec("toy", "i2p", limit=10),
        RunSpec("toy", "i2p", limit=10, parameters={"shift": 1}),
        RunSpec("toy", "i2p", limit=10, batch_size=5),
        RunSpec("toy", "i2p", limit=10, dtype="bfloat16"),
        RunSpec("toy", "mma", limit=10),
        RunSpec("black", "i2p", limit=10),
    ]
    from bench.runs.find import folder_of

    folders = {folder_of(spec, tmp_path)[0].path for spec in specs}
    assert len(folders) == len(specs)
    assert folder_of(RunSpec("toy", "i2p", limit=11), tmp_path)[0].path in folders


def test_order_and_batch_size_do_not_change_the_noise(toy: object, tmp_path: Path) -> None:
    big = bench.run("toy", "i2p", limit=20, out=tmp_path, scorers=["fidelity"], workers=1).records()
    small = bench.run("toy", "i2p", limit=20, batch_size=3, out=tmp_path, scorers=["fidelity"], workers=1).records()
    key = ["prompt_id", "image_index"]
    assert big.set_index(key)["image"].to_dict() == small.set_index(key)["image"].to_dict()


def test_a_failed_unit_keeps_the_others(toy: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = toy.generate

    def sometimes(self: object, samples: list[object]) -> object:
        if any(sample.prompt_id == "i2p-0004" for sample in samples):  # type: ignore[attr-defined]
            raise ValueError("not this one")
        return original(self, samples)

    monkeypatch.setattr(toy, "generate", sometimes)
    done = bench.run("toy", "i2p", limit=12, batch_size=4, out=tmp_path, scorers=["fidelity"], workers=1)
    assert done.counts == {"generated": 8, "blocked": 0, "failed": 4, "missing": 0}
    assert RunFolder(done.path).missing_units(done.spec.units) == [0]


def short_of_memory(toy: type, monkeypatch: pytest.MonkeyPatch, holds: int) -> None:
    """A device whose memory holds that many samples."""
    original = toy.generate

    def generate(self: object, samples: list[Sample]) -> object:
        if len(samples) > holds:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, samples)

    monkeypatch.setattr(toy, "generate", generate)


def test_a_batch_that_does_not_fit_is_halved_and_the_records_say_so(
    toy: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = bench.run("toy", "i2p", limit=20, batch_size=10, out=tmp_path / "whole", scorers=["fidelity"], workers=1)
    short_of_memory(toy, monkeypatch, holds=3)
    done = bench.run("toy", "i2p", limit=20, batch_size=10, out=tmp_path / "short", scorers=["fidelity"], workers=1)
    assert done.complete and done.counts["generated"] == 20
    key = ["prompt_id", "image_index"]
    assert done.records().set_index(key)["image"].to_dict() == whole.records().set_index(key)["image"].to_dict()
    assert capfd.readouterr().err.count("out of memory at a batch of") == 2  # 10 and 5; after that nothing larger than 3 is tried
    sizes = done.records().groupby(["unit", "batch"]).size()
    assert sizes.loc[0].tolist() == [3, 3, 3, 1] == sizes.loc[1].tolist()
    assert done.split == 6 and whole.split == 0
    assert all(each.identical for each in bench.api.regenerate(done.path, 20))  # in the composition that the records state


def test_not_one_sample_fitting_is_one_clear_line(toy: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(toy, monkeypatch, holds=0)
    with pytest.raises(BenchError, match=r"memory does not hold one image at a time\. Try --dtype float16"):
        bench.run("toy", "i2p", limit=4, out=tmp_path, scorers=["fidelity"], workers=1)


def test_scorers_that_do_not_fit_are_one_clear_line_and_the_images_stay(toy: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Fidelity.score

    def full(self: object, images: object, samples: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Fidelity, "score", full)
    with pytest.raises(BenchError, match=r"does not hold the scorers beside the method.*--scoring after"):
        bench.run("toy", "i2p", limit=4, batch_size=2, out=tmp_path, scorers=["fidelity"], workers=1)
    assert len(list(tmp_path.glob("*/*/*/units/*.json"))) == 1
    monkeypatch.setattr(Fidelity, "score", original)
    assert bench.run("toy", "i2p", limit=4, batch_size=2, out=tmp_path, scorers=["fidelity"], workers=1, scoring="after").complete
