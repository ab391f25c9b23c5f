"""Shares of a run that several machines made, and what joins them: the bits of a run that one machine made, or one line and nothing touched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.api import folder_of, merge, run, verify
from bench.cli import app
from bench.errors import BenchError
from bench.reports.run_tables import report_table
from bench.runs.find import survey
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.runs.units import Share


def files(folder: Path) -> dict[Path, bytes]:
    """Return every file under a folder, with its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def test_shares_are_joined_to_the_bits_of_one_run(tmp_path: Path, growing: Any, bits: Any) -> None:
    shares = [growing.made(tmp_path / str(number), 37, shard=f"{number}/3") for number in (1, 2, 3)]
    assert [share.samples for share in shares] == [8 + 8, 8 + 5, 8] and all(share.complete for share in shares)
    assert sorted(growing.generated) == sorted(RunSpec("composed", "i2p", limit=37).loaded_suite.samples[at].key for at in range(37))
    assert "Share 2/3 of the run's units alone; `bench merge` joins shares." in report_table([shares[1]]).caption
    growing.generated.clear()
    assert growing.made(tmp_path / "2", 37, shard="2/3").complete and not growing.generated
    before = files(tmp_path)
    done = merge([share.path for share in shares], tmp_path / "whole")
    assert done.complete and done.samples == 37 and bits(done) == bits(growing.made(tmp_path / "fresh", 37))
    assert verify(done.path).whole and files(tmp_path).items() >= before.items()
    assert len(RunFolder(done.path).manifest()["merged"]) == 3


def test_a_run_grows_by_what_is_merged_into_it(tmp_path: Path, growing: Any, bits: Any) -> None:
    small = growing.made(tmp_path / "here", 10)
    there = growing.made(tmp_path / "there", 27, shard="2/2")
    half = merge([there.path], tmp_path / "here")
    assert half.path == small.path and half.counts["missing"] == 8  # unit 1 came whole, unit 2 was in no share
    assert not verify(half.path).damaged
    growing.generated.clear()
    assert growing.made(tmp_path / "here", 10).complete and not growing.generated
    assert bits(growing.made(tmp_path / "here", 27)) == bits(growing.made(tmp_path / "fresh", 27))


def test_limits_and_images_are_joined_and_the_larger_unit_counts(tmp_path: Path, growing: Any) -> None:
    few, more = growing.made(tmp_path / "a", 10, images=2), growing.made(tmp_path / "b", 27)
    done = merge([few.path, more.path], tmp_path / "c")
    manifest = RunFolder(done.path).manifest()
    assert (manifest["spec"]["limit"], manifest["spec"]["images"], done.samples, done.counts["missing"]) == (27, 2, 54, 17)
    growing.generated.clear()
    assert growing.made(tmp_path / "c", 27).complete and growing.made(tmp_path / "c", 10, images=2).complete and not growing.generated


def test_a_merge_that_is_killed_leaves_nothing_that_counts(tmp_path: Path, growing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = [growing.made(tmp_path / str(number), 20, shard=f"{number}/2").path for number in (1, 2)]
    with monkeypatch.context() as killed:
        killed.setattr(RunFolder, "take_unit", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        killed.setattr("shutil.rmtree", lambda *given, **named: None)  # a kill tidies nothing
        with pytest.raises(KeyboardInterrupt):
            merge(shares, tmp_path / "whole")
    assert any((tmp_path / "whole").rglob("manifest.json")) and survey(tmp_path / "whole") == ([], [])
    assert merge(shares, tmp_path / "whole").complete
    assert len(list((tmp_path / "whole/mini/i2p").iterdir())) == 1


def other_bits(path: Path) -> None:
    """Make a unit of a run anew with other pictures, as another processor would."""
    folder = RunFolder(path)
    rows = folder.unit_rows(0)
    picture = folder.images.get(rows[0]["image"]) ^ 1
    digest, size = folder.images.put(picture)
    folder.commit_unit(0, [{**rows[0], "image": digest, "image_bytes": size}, *rows[1:]], 1.0)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"batch_size": 4}, r"is another run than .*: its settings differs in 'batch_size'\. Nothing was merged\."),
        ({"parameters": {"shift": 1}}, r"is another run than .*: its method differs in 'parameters'"),
    ],
)
def test_another_identity_is_refused(second: dict[str, Any], says: str, tmp_path: Path, growing: Any) -> None:
    paths = [growing.made(tmp_path / "a", 10).path, growing.made(tmp_path / "b", 10, **second).path]
    before = files(tmp_path)
    with pytest.raises(BenchError, match=says):
        merge(paths, tmp_path / "c")
    assert files(tmp_path) == before and not (tmp_path / "c").exists()


def test_of_two_suites_or_methods_both_are_named(tmp_path: Path, growing: Any) -> None:
    one = growing.made(tmp_path / "a", 10).path
    two = run("composed", "dev-benign", limit=10, scorers=["fidelity"], workers=1, out=tmp_path / "b").path
    with pytest.raises(BenchError, match=r": its suite is dev-benign \(version \S+\) and not i2p \(version \S+\)\. Nothing was merged\.$"):
        merge([one, two], tmp_path / "c")
    other = tmp_path / "d" / one.relative_to(tmp_path / "a")
    shutil.copytree(one, other)
    manifest = RunFolder(other).manifest()
    method = {**manifest["method"], "name": "another"}
    RunFolder(other).write_manifest({**manifest, "run_id": "0" * 64, "method": method, "spec": {**manifest["spec"], "method": "another"}})
    with pytest.raises(BenchError, match=r": its method is another \(version \S+\) and not composed \(version \S+\)\. "):
        merge([one, other], tmp_path / "c")


def test_what_cannot_be_joined_is_one_line_and_nothing_is_touched(tmp_path: Path, growing: Any) -> None:
    one = growing.made(tmp_path / "a", 10).path
    two = tmp_path / "b" / one.relative_to(tmp_path / "a")
    shutil.copytree(one, two)
    other_bits(two)
    refused = {
        r"have other images of .* \(image 0, unit 0\): they were made on machines that round otherwise\.": ([one, two], tmp_path / "c"),
        r"takes at least two folders of one run, .*; got 1\. Nothing was merged\.": ([one], tmp_path / "a"),
        r"A folder is named twice\. Nothing was merged\.": ([one, one], tmp_path / "c"),
        r"is not a run folder": ([one, tmp_path], tmp_path / "c"),
        r"other images of .*": ([two], tmp_path / "a"),
    }
    for says, (paths, out) in refused.items():
        before = files(tmp_path)
        with pytest.raises(BenchError, match=says):
            merge(paths, out)
        assert files(tmp_path) == before and not (tmp_path / "c").exists()


def test_a_damaged_folder_is_refused(tmp_path: Path, growing: Any) -> None:
    one, two = (growing.made(tmp_path / str(number), 20, shard=f"{number}/2").path for number in (1, 2))
    image = next(two.glob("images/*/*.png"))
    image.write_bytes(image.read_bytes()[:-20])
    before = files(tmp_path)
    with pytest.raises(BenchError, match=rf"The run {two} is damaged \(unit 1: .*\)\. Run `bench verify` on it .* Nothing was merged\."):
        merge([one, two], tmp_path / "c")
    (two / "manifest.json").unlink()
    with pytest.raises(BenchError, match=r"manifest"):
        merge([one, two], tmp_path / "c")
    assert {path: content for path, content in before.items() if path.name != "manifest.json"} == {
        path: content for path, content in files(tmp_path).items() if path.name != "manifest.json"
    }


def test_other_versions_are_refused(tmp_path: Path, growing: Any) -> None:
    one, two = (growing.made(tmp_path / str(number), 20, shard=f"{number}/2").path for number in (1, 2))
    folder = RunFolder(two)
    folder.update_manifest(versions={**folder.manifest()["versions"], "torch": "1.0"})
    with pytest.raises(BenchError, match=r"was made with torch 1\.0 and .* with .*, whose images may differ"):
        merge([one, two], tmp_path / "c")


@pytest.mark.parametrize("text", ["9/8", "0/8", "8", "1/0", "a/b", "-1/8", "1/8/2", "1/10000000", "1.5/2", ""])
def test_a_share_that_is_none_is_refused(text: str, tmp_path: Path, growing: Any) -> None:
    with pytest.raises(BenchError, match=r"--shard must be a share such as 2/8, from 1/8 to 8/8; got "):
        growing.made(tmp_path, 10, shard=text)
    assert not list(tmp_path.iterdir())


def test_an_empty_share_is_refused_and_shares_take_every_unit_once(tmp_path: Path, growing: Any) -> None:
    with pytest.raises(BenchError, match=r"The run has 2 unit\(s\), so that the share 7/8 is empty"):
        growing.made(tmp_path, 10, shard="7/8")
    assert sorted(unit for number in range(1, 9) for unit in range(30) if unit in Share(number, 8)) == list(range(30))


def test_an_address_is_no_folder() -> None:
    for command in (["report", "s3://bucket/run"], ["show", "gs://bucket/run"], ["status", "--out", "s3://bucket/runs"]):
        found = CliRunner().invoke(app, command)
        assert isinstance(found.exception, BenchError) and "is an address; runs are locked" in str(found.exception)
    assert not RunFolder.is_run(Path("unet:/somewhere/weights"))


def test_the_command_says_what_is_left_to_make(tmp_path: Path, growing: Any) -> None:
    one, two = (growing.made(tmp_path / str(number), 30, shard=f"{number}/4").path for number in (1, 2))
    found = CliRunner().invoke(app, ["merge", str(one), str(two), "--out", str(tmp_path / "c"), "--quiet"])
    assert found.exit_code == 1 and "incomplete: 14 missing, 0 failed. Make the rest: `bench run --method composed" in found.output
    assert "--limit 30`" in found.output and folder_of(RunSpec("composed", "i2p", batch_size=8), tmp_path / "c")[0].exists()
