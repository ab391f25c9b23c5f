"""The store: whole or absent, damage found and mended, other versions refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import bench
from bench import api
from bench.errors import BenchError
from bench.files import atomic as files
from bench.runs.folder import RunFolder
from bench.runs.images import ImageStore, hash_pixels


@pytest.fixture
def done(toy: object, tmp_path: Path) -> api.Run:
    """A finished run of 12 samples in 3 units."""
    return _run(tmp_path)


def _run(out: Path) -> api.Run:
    return bench.run("toy", "i2p", limit=12, batch_size=4, out=out, scorers=["fidelity"], workers=1)


def _first_image(run: api.Run) -> Path:
    return next(iter(sorted((run.path / "images").glob("*/*.png"))))


def test_an_image_comes_back_bit_for_bit(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(5, 7, 3), dtype=np.uint8)
    store = ImageStore(tmp_path)
    digest, size = store.put(pixels)
    assert digest == hash_pixels(pixels) and store.size(digest) == size
    assert np.array_equal(store.get(digest), pixels)


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_a_damaged_image_is_found_and_mended(done: api.Run, damage: str) -> None:
    path, before = _first_image(done), done.records()
    original = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(original[:-20])
    else:
        pixels = np.asarray(Image.open(path)).copy()
        pixels[0, 0, 0] ^= 1
        Image.fromarray(pixels).save(path)
    verdict = api.verify(done.path)
    assert not verdict.whole and len(verdict.damaged) == 1
    again = _run(done.path.parents[2])
    assert again.complete and api.verify(done.path).whole
    assert path.read_bytes() == original
    assert again.records().drop(columns="metadata").equals(before.drop(columns="metadata"))


def test_a_missing_image_is_made_again_even_without_verify(done: api.Run) -> None:
    _first_image(done).unlink()
    _run(done.path.parents[2])
    assert api.verify(done.path).whole


def test_a_half_written_table_never_counts(done: api.Run) -> None:
    table = done.path / "samples" / "00001.parquet"
    table.write_bytes(table.read_bytes()[:100])
    assert RunFolder(done.path).missing_units(done.spec.units) == [1]
    _run(done.path.parents[2])
    assert api.verify(done.path).whole


def test_leftovers_of_a_killed_process_are_swept(done: api.Run) -> None:
    leftover = done.path / "samples" / f"{files.TEMPORARY}abc"
    leftover.write_bytes(b"half")
    _run(done.path.parents[2])
    assert not leftover.exists()


def test_another_schema_version_is_one_clear_line(done: api.Run) -> None:
    table = done.path / "samples" / "00000.parquet"
    content = pq.read_table(table).replace_schema_metadata({"bench_schema": "99"})
    pq.write_table(content, table)
    with pytest.raises(BenchError, match="schema version 99; this bench reads version 1"):
        done.records()


def test_another_manifest_version_is_one_clear_line(done: api.Run) -> None:
    manifest = json.loads((done.path / "manifest.json").read_text())
    (done.path / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 99}))
    with pytest.raises(BenchError, match="manifest version 99"):
        bench.load_run(done.path)


def test_a_folder_that_is_no_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="not a run folder"):
        bench.load_run(tmp_path)


def test_a_full_disk_is_one_clear_line_and_loses_nothing(done: api.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (done.path / "units" / "00001.json").unlink()
    fsync = os.fsync

    def full(handle: int) -> None:
        if "samples" in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchError, match="The disk is full"):
        _run(done.path.parents[2])
    monkeypatch.undo()
    assert RunFolder(done.path).missing_units(done.spec.units) == [1]
    assert not list(done.path.rglob(f"{files.TEMPORARY}*"))


def test_two_processes_never_work_on_one_run(done: api.Run) -> None:
    with RunFolder(done.path).lock(), pytest.raises(BenchError, match="Another bench process"):
        _run(done.path.parents[2])


def test_other_numerics_do_not_mix(done: api.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (done.path / "units" / "00000.json").unlink()
    monkeypatch.setattr("bench.runs.manifest.versions", lambda: {"torch": "0.0", "diffusers": "0.0", "transformers": "0.0"})
    with pytest.raises(BenchError, match="was begun with torch"):
        _run(done.path.parents[2])


def test_duckdb_reads_a_run(done: api.Run) -> None:
    duckdb = pytest.importorskip("duckdb")
    count = duckdb.sql(f"select count(*), count(distinct image) from read_parquet('{done.path}/samples/*.parquet')").fetchall()
    assert count == [(12, 12)]
