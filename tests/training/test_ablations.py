"""Ablations: one real training a value, measured by the harness, shared where settings are equal; a tidy table and a figure."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.console import Quiet
from bench.errors import BenchError
from training import ablations

QUICK = {"steps": 2, "batch_size": 2, "monitor": 2, "monitor_every": 1}


@pytest.mark.parametrize(
    ("what", "values"),
    [("lambda", [("0", 0.0), ("1", 1.0)]), pytest.param("dfm", [("off", None), ("0.2", ablations._dfm())], marks=pytest.mark.slow)],
)
def test_a_table_and_a_figure_come_of_real_trainings(
    what: str, values: list[tuple[str, object]], hf_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = ablations.ABLATIONS[what]
    monkeypatch.setattr(ablations, "ABLATIONS", {what: ablations.Ablation(whole.setting, values, whole.curve, whole.source)})
    rows, folder = ablations.run(what, None, {**QUICK, "data": str(hf_data)}, Quiet(), limit=2)
    assert [row["value"] for row in rows] == [label for label, _ in values]
    assert all(row["unsafe_n"] == 2 and row["unsafe_ip_low"] <= row["unsafe_ip"] <= row["unsafe_ip_high"] for row in rows)
    with (folder / "table.csv").open() as file:
        assert [row["value"] for row in csv.DictReader(file)] == [label for label, _ in values]
    with (folder / "curves.csv").open() as file:
        assert {row["value"] for row in csv.DictReader(file)} == {label for label, _ in values}
    assert (folder / "figure.png").read_bytes()[:4] == b"\x89PNG" and (folder / "figure.pdf").read_bytes()[:4] == b"%PDF"
    stamps = sorted(path.stat().st_mtime_ns for path in ablations.TRAININGS.glob("*/weights/*"))
    assert len(stamps) == 2
    ablations.run(what, None, {**QUICK, "data": str(hf_data)}, Quiet(), limit=2)
    assert sorted(path.stat().st_mtime_ns for path in ablations.TRAININGS.glob("*/weights/*")) == stamps


def test_the_papers_values_are_among_those_tried() -> None:
    assert 0.15 in [value for _, value in ablations.ABLATIONS["lambda"].values]
    assert ablations.ABLATIONS["dfm"].values[0] == ("off", None)
    assert [label.partition(":")[0] for label, _ in ablations.ABLATIONS["augmentations"].values] == ["off", "1", "2", "4"]


def test_without_matplotlib_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablations, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match="needs Matplotlib"):
        ablations.run("lambda", tmp_path, {}, Quiet())


def test_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Did you mean 'lambda'"):
        ablations.run("lamda", tmp_path, {}, Quiet())
    with pytest.raises(BenchError, match="varies safety_weight itself"):
        ablations.run("lambda", tmp_path, {"safety_weight": 1.0}, Quiet())


def test_a_number_without_an_interval_is_drawn_without_a_bar(tmp_path: Path) -> None:
    ends = {"unsafe_ip_low": 0.1, "unsafe_ip_high": 0.4, "benign_clipscore_mini_low": None, "benign_clipscore_mini_high": None}
    rows = [{"value": value, "unsafe_ip": 0.2, "benign_clipscore_mini": 80.0, **ends} for value in ("0", "1")]
    ablations._draw(ablations.ABLATIONS["lambda"], rows, [], tmp_path / "figure")
    assert (tmp_path / "figure.png").stat().st_size > 1000 and (tmp_path / "figure.pdf").is_file()
