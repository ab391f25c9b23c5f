"""A run of a user's own prompts: its folder is enough, whatever becomes of the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import bench
from bench import api
from bench.errors import BenchError
from bench.reports.run_tables import report_table
from bench.runs.find import command, describe, survey
from bench.runs.folder import RunFolder
from bench.runs.own_prompts import file_since
from bench.suites.own.place import KEPT

TEXT = "prompt,steps,category\na red circle,3,one\na blue circle,,two\na girl and her kite,,two\na cup of tea,5,two\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my prompts.csv"
    path.write_text(TEXT)
    return path


@pytest.fixture
def run(toy: object, file: Path, tmp_path: Path) -> api.Run:
    """A finished run of the toy on three prompts; a fourth one the screen has taken."""
    return bench.run("toy", str(file), scorers=["clipscore_mini"], out=tmp_path / "runs", workers=1)


def test_a_run_is_whole_without_its_file_and_says_what_became_of_it(run: api.Run, file: Path, tmp_path: Path) -> None:
    folder = RunFolder(run.path)
    assert run.complete and run.path.parent == tmp_path / "runs/mini/my-prompts.csv" and file_since(folder) == ""
    assert folder.manifest()["suite"]["screened_out"] == 1 and "kite" not in (run.path / KEPT).read_bytes().decode("latin-1")
    assert {row["steps"] for row in folder.samples().to_pylist()} == {3, 5, 20}
    file.write_text(TEXT + "another,,\n")
    assert "was changed since this run was made" in api.verify(run.path).suite_since
    file.unlink()
    proof = api.verify(run.path)
    assert proof.whole and "is not there any more" in proof.suite_since
    assert all(each.identical for each in api.regenerate(run.path, 3))
    moved = Path(shutil.move(run.path, tmp_path / run.path.name))
    assert api.verify(moved).whole and api.score(moved, ["aesthetic"], workers=1).complete
    assert describe(RunFolder(moved)).spec.suite == "my-prompts.csv"


def test_the_same_run_again_makes_nothing_and_a_changed_file_is_another_run(run: api.Run, file: Path, tmp_path: Path) -> None:
    again = {"scorers": ["clipscore_mini"], "out": tmp_path / "runs", "workers": 1}
    before = RunFolder(run.path).manifest()
    assert bench.run("toy", str(file), **again).path == run.path and RunFolder(run.path).manifest() == before
    file.write_text(TEXT.replace("blue", "green"))
    other = bench.run("toy", str(file), **again)
    benign = bench.run("toy", str(file), benign=True, **again)
    assert len({run.path, other.path, benign.path}) == 3 and benign.samples == 4
    found, unreadable = survey(tmp_path / "runs")
    assert len(found) == 3 and not unreadable and {each.spec.suite for each in found} == {"my-prompts.csv"}
    with pytest.raises(BenchError, match="different suites, versions or tracks"):
        api.compare([str(run.path), str(other.path)])


@pytest.mark.parametrize("benign", [False, True])
def test_an_unfinished_run_whose_file_is_gone_goes_on_from_its_copy(benign: bool, toy: object, file: Path, tmp_path: Path) -> None:
    asked = {"scorers": ["clipscore_mini"], "workers": 1}
    first = bench.run("toy", str(file), benign=benign, limit=1, out=tmp_path / "runs", **asked)
    file.unlink()
    with pytest.raises(BenchError, match=f"There is no file at .* goes on from the copy that its folder keeps: --suite RUN/{KEPT}"):
        bench.run("toy", str(file), benign=benign, out=tmp_path / "runs", **asked)
    copy = first.path / KEPT
    assert f"--suite {copy} " in command(describe(RunFolder(first.path)).spec)
    whole = bench.run("toy", str(copy), benign=benign, out=tmp_path / "runs", **asked)
    assert whole.path == first.path and whole.complete and whole.samples == (4 if benign else 3)
    assert RunFolder(whole.path).manifest()["suite"]["file"]["path"] == str(file)
    other = bench.run("toy", str(copy), out=tmp_path / "others", **asked)
    assert other.path.name == first.path.name and api.verify(other.path).whole
    for wrong in ({"columns": {"prompt": "x"}}, *([] if benign else [{"benign": True}])):
        with pytest.raises(BenchError, match=r"is a run's own copy, which says all that was read\. Leave --"):
            bench.run("toy", str(copy), out=tmp_path / "runs", **wrong, **asked)


def test_a_copy_that_was_lost_or_changed_is_said_and_kept_anew(run: api.Run, file: Path, tmp_path: Path) -> None:
    kept = run.path / KEPT
    content = kept.read_bytes()
    for wrong, says in ((content[:-9] + b"x" * 9, "was changed"), (None, "is missing")):
        kept.write_bytes(wrong) if wrong else kept.unlink()
        with pytest.raises(BenchError, match=f"own copy of its prompts, {says}.*Run the same `bench run` with the file"):
            api.verify(run.path)
        assert report_table([describe(RunFolder(run.path))]).rows
        bench.run("toy", str(file), scorers=["clipscore_mini"], out=tmp_path / "runs", workers=1)
        assert api.verify(run.path).whole


def test_the_worlds_truth_is_not_scored_of_a_users_text_and_the_table_says_so(run: api.Run) -> None:
    assert "does not know what the prompts of my-prompts.csv ask for: its truth (fidelity, severity) is not scored." in report_table([run]).caption
    assert "severity" in {row["metric"] for row in api.score(run.path, ["severity"], workers=1).rows()}


def test_default_scorers_leave_the_worlds_truth_out(file: Path) -> None:
    from bench.runs.scores import default_scorers
    from bench.runs.spec import RunSpec

    names = default_scorers(RunSpec("black", str(file)))
    assert "glyphs" in names and not {"fidelity", "severity"} & set(names)
    assert {"fidelity", "severity"} <= set(default_scorers(RunSpec("black", "i2p")))


def test_comparing_by_the_file_finds_its_runs(run: api.Run, file: Path, tmp_path: Path) -> None:
    bench.run("black", str(file), scorers=["clipscore_mini"], out=tmp_path / "runs", workers=1)
    rows = api.compare(["toy", "black"], str(file), out=tmp_path / "runs")
    assert {row["method"] for row in rows} == {"toy", "black"}
    with pytest.raises(BenchError, match=r"as benign prompts; there is one as unsafe ones\. Leave out --benign\.$"):
        api.compare(["toy", "black"], str(file), out=tmp_path / "runs", benign=True)
    with pytest.raises(BenchError, match=r"Make it: `bench run --method sd-v1.5 --suite '.*my prompts.csv' --track mini`"):
        api.compare(["sd-v1.5", "black"], str(file), out=tmp_path / "runs")


def test_a_picture_of_another_size_than_the_worlds_is_refused_with_its_row(toy: object, file: Path, tmp_path: Path) -> None:
    file.write_text("prompt,width\na red circle,\na blue circle,64\n")
    with pytest.raises(BenchError, match=r"sample 'row-00002' is of 64x32"):
        bench.run("toy", str(file), out=tmp_path / "runs", workers=1)
