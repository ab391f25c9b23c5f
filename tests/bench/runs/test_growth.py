"""A run that grows: more prompts, more images a prompt, and a look at fewer. It ends in the bits of a run that was begun so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.api import compare, describe, folder_of, score, verify
from bench.errors import BenchError
from bench.files.hashes import hash_json
from bench.reports.run_tables import open_runs, report_table
from bench.runs.find import find_run
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.runs.units import cut


def test_ids_of_whole_runs_are_what_they_were() -> None:
    assert folder_of(RunSpec("black", "i2p"))[1] == "d4196cef64103aa9b801f6049ae6af17114d2a5d9f731a454ea31048fa828c0c"
    assert folder_of(RunSpec("black", "coco30k", limit=8, images=3))[1] == folder_of(RunSpec("black", "coco30k"))[1]


def test_a_run_of_a_limit_is_a_part_of_the_whole_ones_cut() -> None:
    whole, few = RunSpec("black", "i2p", batch_size=8), RunSpec("black", "i2p", batch_size=8, limit=21)
    assert list(whole.units) == cut(whole.loaded_suite.samples, 8)
    assert [len(unit.samples) for unit in few.units] == [8, 8, 5]
    assert few.units[:2] == whole.units[:2] and few.units[2].samples == whole.units[2].samples[:5]


def test_a_larger_limit_makes_what_is_missing_and_ends_in_the_bits_of_a_fresh_run(tmp_path: Path, growing: Any, bits: Any) -> None:
    before = growing.made(tmp_path / "grown", 10)
    assert before.complete and before.samples == 10 and [sample.key for sample in before.spec.loaded_suite.samples] == growing.generated
    growing.generated.clear()
    grown = growing.made(tmp_path / "grown", 27)
    assert grown.path == before.path and grown.complete and grown.samples == 27
    assert len(growing.generated) == 27 - 8  # the unit at the edge, which held two, again
    assert bits(grown) == bits(growing.made(tmp_path / "fresh", 27))
    assert verify(grown.path).whole and describe(RunFolder(grown.path)).complete


def test_a_small_beginning_costs_the_whole_and_a_unit_at_the_edge(tmp_path: Path, growing: Any) -> None:
    growing.made(tmp_path, 100, batch_size=64)
    grown = growing.made(tmp_path, None, batch_size=64)
    size = len(grown.spec.loaded_suite.samples)
    assert len(growing.generated) == size + 100 % 64
    assert RunFolder(grown.path).manifest()["spec"]["limit"] is None
    growing.generated.clear()
    assert growing.made(tmp_path, 10**30, batch_size=64).samples == size and not growing.generated


def test_a_smaller_limit_is_a_view(tmp_path: Path, growing: Any) -> None:
    small = growing.made(tmp_path / "small", 10)
    whole = growing.made(tmp_path / "grown", 27)
    growing.generated.clear()
    view = growing.made(tmp_path / "grown", 10)
    assert not growing.generated and view.path == whole.path and view.complete and view.samples == 10
    assert list(view.records()["prompt_id"]) == list(small.records()["prompt_id"])
    table = report_table([view])
    assert {(row["limit"], row["n"]) for row in table.rows if row["metric"] == "blocked"} == {(10, 10)}
    assert "The first 10 of 700 prompts (a view of a run of the first 27)." in table.caption
    assert RunFolder(whole.path).manifest()["spec"]["limit"] == 27
    assert "The first 27 of 700 prompts." in report_table(open_runs([whole.path])).caption


def test_a_growth_that_was_killed_goes_on_and_says_so_meanwhile(tmp_path: Path, growing: Any, bits: Any) -> None:
    growing.made(tmp_path / "grown", 10)
    growing.stopped(tmp_path / "grown", 27, after=8)
    path = folder_of(RunSpec("composed", "i2p", batch_size=8), tmp_path / "grown")[0].path
    half = describe(RunFolder(path))
    assert not half.complete and half.samples == 27 and half.counts["missing"] == 27 - 16
    assert not verify(path).damaged and len(verify(path).missing_units) == 2
    growing.generated.clear()
    view = growing.made(tmp_path / "grown", 10)
    assert view.complete and not growing.generated
    assert bits(growing.made(tmp_path / "grown", 27)) == bits(growing.made(tmp_path / "fresh", 27))


def test_what_is_made_for_a_smaller_look_at_a_half_grown_run_is_the_larger_ones(tmp_path: Path, growing: Any, bits: Any) -> None:
    growing.made(tmp_path / "grown", 10)
    growing.stopped(tmp_path / "grown", 27, after=8)
    growing.generated.clear()
    assert growing.made(tmp_path / "grown", 18).complete
    assert len(growing.generated) == 8  # unit 2 as it is of 27 prompts, and not of 18
    assert bits(growing.made(tmp_path / "grown", 27)) == bits(growing.made(tmp_path / "fresh", 27))


def test_further_images_are_units_of_their_own_and_image_0_is_what_it_was(tmp_path: Path, growing: Any, bits: Any) -> None:
    one = growing.made(tmp_path / "grown", 10)
    first = {row["prompt_id"]: row["image"] for row in RunFolder(one.path).samples().to_pylist()}
    growing.generated.clear()
    three = growing.made(tmp_path / "grown", 10, images=3)
    assert three.complete and three.samples == 30 and len(growing.generated) == 20 and {image for _, image in growing.generated} == {1, 2}
    rows = RunFolder(three.path).samples().to_pylist()
    assert {row["prompt_id"]: row["image"] for row in rows if row["image_index"] == 0} == first
    whole = len(RunSpec("composed", "i2p", batch_size=8).units)
    assert {row["unit"] for row in rows if row["image_index"] == 2} == {2 * whole, 2 * whole + 1}
    assert bits(three) == bits(growing.made(tmp_path / "fresh", 10, images=3)) and verify(three.path).whole
    growing.generated.clear()
    view = growing.made(tmp_path / "grown", 10)
    assert not growing.generated and view.samples == 10 and set(view.records()["image_index"]) == {0}
    both = growing.made(tmp_path / "grown", 20, images=3)
    assert bits(both) == bits(growing.made(tmp_path / "fresh2", 20, images=3))


@pytest.mark.parametrize("images", [0, -1, 1001, 10**30])
def test_a_number_of_images_that_nobody_meant_is_refused(images: int, tmp_path: Path, growing: Any) -> None:
    with pytest.raises(BenchError, match=rf"--images of i2p must be from 1, .* to 1000; got {images}\."):
        growing.made(tmp_path, 10, images=images)
    assert not list(tmp_path.iterdir())


def test_a_lost_manifest_forgets_no_growth(tmp_path: Path, growing: Any, bits: Any) -> None:
    grown = growing.made(tmp_path, 27)
    before = bits(grown)
    (grown.path / "manifest.json").unlink()
    growing.generated.clear()
    view = growing.made(tmp_path, 10)
    assert not growing.generated and view.samples == 10 and bits(grown) == before


def old_run(growing: Any, out: Path, limit: int) -> Path:
    """Return a run as it was made when the limit was part of its identity."""
    spec = RunSpec("composed", "i2p", limit=limit, batch_size=8)
    old = replace(spec, limit_in_id=True)
    folder, run_id = folder_of(old, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.engine.run.RunSpec", lambda *given, **named: replace(RunSpec(*given, **named), limit_in_id=True))
        done = growing.made(out, limit)
    assert done.path == folder.path and RunFolder(done.path).manifest()["suite"]["limit"] == limit
    assert run_id == RunFolder(done.path).manifest()["run_id"] != folder_of(spec, out)[1]
    return done.path


def test_runs_whose_limit_is_in_their_identity_stay_readable(tmp_path: Path, growing: Any) -> None:
    old = old_run(growing, tmp_path, 10)
    kept = {path: path.read_bytes() for path in old.rglob("*.parquet")}
    new = growing.made(tmp_path, 10)
    assert new.path != old and {path: path.read_bytes() for path in kept} == kept
    assert verify(old).whole and describe(RunFolder(old)).complete and score(old, ["fidelity"]).complete
    assert {row["n"] for row in compare([str(old), str(new.path)]) if row["metric"] == "fidelity"} == {10}
    assert "The first 10 of 700 prompts." in report_table(open_runs([old])).caption
    assert hash_json(RunFolder(old).manifest()["suite"]["limit"]) == hash_json(10)


def test_runs_of_other_sizes_compare_on_what_they_share(tmp_path: Path, growing: Any) -> None:
    ours, theirs = growing.made(tmp_path / "a", 12), growing.made(tmp_path / "b", 20, parameters={"shift": 1})
    row = next(row for row in compare([str(ours.path), str(theirs.path)]) if row["metric"] == "fidelity" and row["pairs"])
    assert row["pairs"] == row["n"] == 12
    few = [row for row in compare([str(ours.path), str(theirs.path)], limit=5) if row["metric"] == "fidelity"]
    assert {row["n"] for row in few} == {5}
    with pytest.raises(BenchError, match=r"was made with --limit 12, and --limit 20 is asked for\. Make the rest: `bench run .*--limit 20"):
        find_run(str(ours.path), RunSpec(str(ours.path), "i2p", limit=20), tmp_path)


def test_the_spread_between_seeds_stands_where_there_are_several_images(tmp_path: Path, growing: Any) -> None:
    three = growing.made(tmp_path, 10, images=3, scorers=["severity"])
    table = report_table([three])
    assert "between_seeds_sd" in table.keys and "standard deviation of the value over image indices" in table.caption
    row = next(row for row in table.rows if row["metric"] == "severity")
    assert row["between_seeds_sd"] is not None and (row["n"], row["prompts"]) == (30, 10)
    one = report_table([growing.made(tmp_path, 10, scorers=["severity"])])
    assert "between_seeds_sd" not in one.keys and {row["between_seeds_sd"] for row in one.rows} == {None}


def test_scores_say_on_what_they_were_computed(tmp_path: Path, growing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = growing.made(tmp_path, 10).path
    scores = RunFolder(path).current_scores()[0]
    assert {scores.device(unit) for unit in (0, 1)} == {"cpu"}
    assert score(path, ["fidelity"], device="cpu", workers=1).complete
    with pytest.raises(BenchError, match="Cannot use the device 'nonsense'"):
        score(path, device="nonsense")
    monkeypatch.setattr(type(scores), "device", lambda self, unit: "cuda" if unit else "cpu")
    assert "fidelity was computed on cpu and cuda." in report_table(open_runs([path])).caption


def test_a_growth_that_cannot_begin_leaves_the_run_as_it_was(tmp_path: Path, growing: Any) -> None:
    path = growing.made(tmp_path, 10).path
    before = (path / "manifest.json").read_bytes()
    growing.stopped(tmp_path, 27, after=0)
    assert (path / "manifest.json").read_bytes() == before and describe(RunFolder(path)).complete
