"""One run has one name everywhere: its method and what differs of it, or the label that its user gave."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench
from bench.api import Run, find_runs
from bench.errors import BenchError
from bench.reports.comparison import compare
from bench.reports.listing import status_rows
from bench.reports.run_tables import report_table
from bench.runs.folder import RunFolder
from bench.runs.labels import checked_label, labels_of, named, shown_value
from bench.runs.spec import RunSpec, as_taken, digest
from tests.conftest import Toy

SET = {"scorers": ["fidelity"], "workers": 1}


@pytest.fixture
def runs(toy: type[Toy], tmp_path: Path) -> list[Run]:
    """Four runs of the toy: as it is, with another parameter, of another batch size, and with a label."""
    return [
        bench.run("toy", "i2p", limit=4, out=tmp_path, **SET),
        bench.run("toy", "i2p", limit=4, out=tmp_path, parameters={"shift": 3}, **SET),
        bench.run("toy", "i2p", limit=4, out=tmp_path, batch_size=2, **SET),
        bench.run("toy", "i2p", limit=4, out=tmp_path, parameters={"shift": 5}, label="mine", **SET),
    ]


def test_every_table_calls_a_run_alike_and_no_two_alike(runs: list[Run], tmp_path: Path) -> None:
    wanted = ["toy batch_size=64", "toy shift=3", "toy batch_size=2", "mine"]
    assert [run.label for run in runs] == ["toy", "toy shift=3", "toy", "mine"]
    assert labels_of(runs) == wanted
    assert {row["label"] for row in status_rows(find_runs(tmp_path))} == set(wanted)
    assert {row["label"] for row in report_table(runs).rows} == set(wanted)
    paths = [str(run.path) for run in runs]
    assert {row["method"] for row in compare(paths)} == set(wanted)
    named = compare(paths, labels={paths[0]: "as it is"})
    assert {row["method"] for row in named} == {"as it is", *wanted[1:]} - {"toy batch_size=2"} | {"toy"}  # nobody else is called toy then
    with pytest.raises(BenchError, match="is for none of the runs compared"):
        compare(paths, labels={"nobody": "x"})


def test_a_number_is_one_value_however_it_is_typed(tmp_path: Path) -> None:
    ids = {digest(RunSpec("sld-medium", "i2p", parameters=as_taken("sld-medium", {"scale": each})).identity()) for each in (500, 500.0, 5e2)}
    assert len(ids) == 1
    assert digest(RunSpec("sld-medium", "i2p", parameters=as_taken("sld-medium", {"scale": 1000})).identity()) == digest(
        RunSpec("sld-medium", "i2p").identity()
    ), "the default, given"
    assert as_taken("sld-medium", {"warmup": 7, "scale": True}) == {"warmup": 7, "scale": True}, (
        "a whole number stays one, and what is wrong is refused later"
    )
    assert as_taken("sld-medium", {"scale": 10**400}) == {"scale": 10**400}
    assert named("sld-medium", {"scale": 500.0}, "mini") == "sld-medium scale=500"
    assert named("sld-medium", {"scale": 1000}, "mini") == "sld-medium", "as a run of before wrote it"


def test_a_label_is_kept_outlives_a_run_without_one_and_decides_no_image(runs: list[Run], tmp_path: Path) -> None:
    folder = RunFolder.open(runs[3].path)
    before = folder.manifest()
    again = bench.run("toy", "i2p", limit=4, out=tmp_path, parameters={"shift": 5}, **SET)
    assert again.path == runs[3].path and again.label == "mine" and folder.manifest() == before
    unnamed = bench.run("toy", "i2p", limit=4, out=tmp_path, parameters={"shift": 5}, label="", **SET)
    assert unnamed.path == again.path and unnamed.label == "toy shift=5" and unnamed.records().equals(again.records())


def test_a_run_whose_method_or_track_is_not_here_is_called_by_its_name(runs: list[Run]) -> None:
    folder = RunFolder.open(runs[1].path)
    folder.write_manifest(folder.manifest() | {"method": {**folder.manifest()["method"], "name": "gone"}})
    assert bench.load_run(runs[1].path).label == "gone"


@pytest.mark.parametrize("text", ["two\nlines", " spaces ", "x" * 81, "\x1b[31mred"])
def test_a_label_is_one_line_that_a_terminal_prints(text: str) -> None:
    with pytest.raises(BenchError, match="A label is one line of at most 80 printable characters"):
        checked_label(text)


def test_no_label_says_where_a_file_lies() -> None:
    assert shown_value("/mnt/someone/weights.safetensors") == "weights.safetensors"
    assert shown_value("x" * 60) == "x" * 37 + "..."
