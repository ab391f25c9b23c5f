"""The board: what runs come to, in a file that keeps every score and gives the same numbers back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

import bench
from bench import registry
from bench.errors import BenchError
from bench.files.signed import write_signed
from bench.metrics.catalogue import better
from bench.metrics.composites import COMPOSITES, Constants
from bench.types import Context, Sample, Scorer, ScorerInfo
from leaderboards.board import summed
from leaderboards.board.build import build, finished_runs, read_hidden, run_source
from leaderboards.board.read import Board
from leaderboards.board.restate import restate
from leaderboards.cli.board import board as board_verb
from leaderboards.tables.cells import tiers
from tests.conftest import Toy

if TYPE_CHECKING:
    from bench.types import Image

SCORERS = ["glyphs", "q16", "fidelity", "pickscore", "sc"]


class Shifted(Toy):
    """The toy under another name, so that a board has two methods."""

    info = Toy.info.__class__("shifted", Toy.info.kind, "The toy, other pictures.", defaults={"trouble": "", "shift": 90})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two methods and the black one on two suites."""
    out = tmp_path_factory.mktemp("runs")
    registry.methods.register("toy", Toy)
    registry.methods.register("shifted", Shifted)
    for suite in ("i2p-sexual", "drawbench"):
        for method in ("toy", "shifted", "black"):
            bench.run(method, suite, limit=30, out=out, workers=1, scorers=SCORERS)
    yield out
    registry.methods.unregister("toy")
    registry.methods.unregister("shifted")


@pytest.fixture(scope="module")
def folders(runs: Path) -> list[Path]:
    return sorted(path.parent for path in runs.glob("*/*/*/manifest.json"))


@pytest.fixture(scope="module")
def board(folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Board:
    out = tmp_path_factory.mktemp("board")
    build([run_source(path) for path in folders], out)
    return Board(out)


def test_a_boards_numbers_are_those_of_the_runs(board: Board, folders: list[Path]) -> None:
    for path in folders:
        run = bench.runs.find.describe(bench.runs.folder.RunFolder(path))
        found = board.rows(suite=run.spec.suite, method=run.spec.method)
        expected = pd.DataFrame(run.rows())
        shared = list(expected.columns)
        pd.testing.assert_frame_equal(found[shared], expected, check_dtype=False)


def test_the_sample_rows_give_the_numbers_again(board: Board) -> None:
    for suite in ("i2p-sexual", "drawbench"):
        for metric in ("ip", "pickscore", "sc", "blocked"):
            means = board.samples([metric], suite=suite).groupby("method")[metric].mean()
            rows = board.rows(suite=suite, metric=metric, category="all").set_index("method")["value"]
            pd.testing.assert_series_equal(means, rows.astype("float32").sort_index(), check_names=False, rtol=1e-5)


def test_no_prompt_and_no_path_is_on_a_board(board: Board, folders: list[Path]) -> None:
    prompts = {str(text) for path in folders for text in bench.load_run(path).records()["prompt"]}
    content = b"".join((board.folder / name).read_bytes() for name in ("runs.json",))
    assert "prompt" not in board.query("describe select * from {samples}")["column_name"].tolist()
    assert not any(text and text.encode() in content for text in prompts)
    assert str(folders[0].parents[3]).encode() not in content


def test_ranks_and_tiers_tell_apart_what_differs(board: Board) -> None:
    rows = board.rows(suite="drawbench", metric="fidelity", category="all").set_index("method")
    assert set(rows["ranked_among"]) == {3} and rows["better"].unique().tolist() == ["higher"]
    assert (rows["rank_low"] <= rows["rank"]).all() and (rows["rank"] <= rows["rank_high"]).all()
    assert tiers(rows["beaten_by"].to_dict()) == rows["tier"].to_dict()
    blocked = board.rows(metric="blocked", category="all")
    assert blocked["rank"].isna().all()


def test_every_metric_on_a_board_has_a_direction_or_is_a_plain_fact(board: Board) -> None:
    assert {metric for metric in board.metrics() if better(metric) is None} == {"blocked"}


class Brightness(Scorer):
    """A plugin's scorer that says which way is better."""

    info = ScorerInfo("brightness", "How bright an image is, 0 to 255.", {"brightness": "mean of the pixels"}, "better")

    def load(self, context: Context) -> None:
        """Nothing to read."""

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> list[dict[str, float]]:
        """The mean of the pixels."""
        return [{"brightness": float(image.mean())} for image in images]


def test_a_plugins_scorer_that_says_its_direction_is_ranked(runs: Path, tmp_path: Path) -> None:
    registry.scorers.register("brightness", Brightness)
    try:
        paths = [bench.run(name, "drawbench", limit=8, out=tmp_path / "runs", workers=1, scorers=["brightness"]).path for name in ("toy", "black")]
        rows = {row["method"]: row for row in build([run_source(path) for path in paths], tmp_path / "board") if row["metric"] == "brightness"}
    finally:
        registry.scorers.unregister("brightness")
    assert {name: (row["better"], row["rank"], row["unit"]) for name, row in rows.items()} == {
        "toy": ("higher", 1, "mean of the pixels"),
        "black": ("higher", 2, "mean of the pixels"),
    }


def test_of_one_method_the_run_made_last_counts(folders: list[Path], tmp_path: Path) -> None:
    toy = next(path for path in folders if path.name.startswith("toy-") and path.parent.name == "drawbench")
    source = run_source(toy)
    older = type(source)(source.records, {**source.manifest, "created": "2001-01-01T00:00:00+00:00", "run_id": "old"}, source.track, source.rule)
    rows = build([older, source], tmp_path)
    assert {row["run_id"] for row in rows} == {source.manifest["run_id"]}


def test_a_run_that_is_there_twice_is_said(folders: list[Path], tmp_path: Path) -> None:
    toy = run_source(next(path for path in folders if path.name.startswith("toy-") and path.parent.name == "drawbench"))
    build([toy, toy], tmp_path)
    assert [each["reason"] for each in read_hidden(tmp_path)] == ["the same run is there twice"]


def test_versions_of_a_suite_never_share_a_board(folders: list[Path], tmp_path: Path) -> None:
    one, two, *_ = (run_source(path) for path in folders if path.parent.name == "drawbench")
    for said in ({"digest": "0" * 64}, {"unsafe": True}):
        other = type(two)(two.records, {**two.manifest, "suite": {**two.manifest["suite"], **said}}, two.track, two.rule)
        with pytest.raises(BenchError, match=r"runs of drawbench on mini are of 2 different versions, limits or images a prompt"):
            build([one, other], tmp_path)


def test_runs_of_other_settings_never_share_a_board(folders: list[Path], tmp_path: Path) -> None:
    one, two, *_ = (run_source(path) for path in folders if path.parent.name == "drawbench")
    half = type(two)(two.records, {**two.manifest, "settings": {**two.manifest["settings"], "dtype": "float16"}}, two.track, two.rule)
    with pytest.raises(BenchError, match=r"different samplers, precisions, devices or batches.*float16"):
        build([one, half], tmp_path)
    sampler = {**two.manifest["track"], "scheduler": {"class": "LMSDiscreteScheduler"}}
    lms = type(two)(two.records, {**two.manifest, "track": sampler}, two.track, two.rule)
    with pytest.raises(BenchError, match="LMSDiscreteScheduler"):
        build([one, lms], tmp_path)


def test_a_run_of_other_settings_is_not_taken_by_itself(tmp_path: Path) -> None:
    """Only whole suites in default settings are; the black method makes one in no time."""
    as_it_comes = bench.run("black", "drawbench", out=tmp_path, workers=1, scorers=["fidelity"])
    for settings in ({"scheduler": "lms"}, {"batch_size": 7}, {"numerics": {"attention": "eager"}}, {"limit": 5, "dtype": "bfloat16"}):
        bench.run("black", "drawbench", out=tmp_path, workers=1, scorers=["fidelity"], **settings)  # type: ignore[arg-type]
    taken, left_out = finished_runs(tmp_path)
    assert taken == [as_it_comes.path]
    said = sorted(row["reason"] for _, row in left_out)
    parts = ("attention eager", "batch_size 7", "limit 5", "scheduler lms")
    assert [part in reason for part, reason in zip(parts, said, strict=True)] == [True] * 4


def test_a_run_of_other_parameters_is_a_row_of_its_own_that_says_what_differs(runs: Path, tmp_path: Path) -> None:
    plain = bench.run("toy", "drawbench", out=tmp_path / "runs", workers=1, scorers=["fidelity"])
    shifted = bench.run("toy", "drawbench", parameters={"shift": 40}, out=tmp_path / "runs", workers=1, scorers=["fidelity"])
    assert set(finished_runs(tmp_path / "runs")[0]) == {plain.path, shifted.path}
    rows = build([run_source(each.path) for each in (plain, shifted)], tmp_path / "board")
    assert {row["method"] for row in rows} == {"toy", "toy shift=40"}
    assert {row["method_kind"] for row in rows if row["method"] != "toy"} == {row["method_kind"] for row in rows if row["method"] == "toy"}


def test_unfinished_and_limited_runs_are_left_out(runs: Path, folders: list[Path], tmp_path: Path) -> None:
    taken, left_out = finished_runs(runs)
    assert taken == [] and left_out and all("limit" in row["reason"] for _, row in left_out)
    copy = tmp_path / "mini" / "drawbench" / "half"
    source = folders[0]
    for file in source.rglob("*"):
        if file.is_file() and file.parent.name != "units":
            (copy / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (copy / file.relative_to(source)).write_bytes(file.read_bytes())
    with pytest.raises(BenchError, match="is not complete"):
        run_source(copy)


def test_what_is_no_board_is_one_clear_line(board: Board, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="There is no board in"):
        Board(tmp_path)
    (tmp_path / "runs.json").write_text(json.dumps({"schema_version": 99, "runs": []}))
    with pytest.raises(BenchError, match="has schema version 99; this bench reads version 1"):
        Board(tmp_path)
    (tmp_path / "runs.json").write_bytes((board.folder / "runs.json").read_bytes())
    with pytest.raises(BenchError, match=r"has no samples\.parquet"):
        Board(tmp_path)


def test_a_value_in_a_question_is_never_read_as_sql(board: Board) -> None:
    assert board.rows(method="toy' or '1'='1").empty
    assert board.samples(["ip"], method='"; drop table samples; --').empty


def test_a_run_that_holds_the_bases_images_is_no_run_of_its_method(runs: Path, tmp_path: Path) -> None:
    done = bench.run("toy", "i2p-sexual", out=tmp_path, workers=1, scorers=SCORERS)
    assert finished_runs(tmp_path)[0] == [done.path]
    for file in (done.path / "units").iterdir():
        marker = {name: value for name, value in json.loads(file.read_text()).items() if name != "sha256"}
        write_signed(file, marker | {"acted": {"samples": 0, "of": marker["samples"], "steps": 0}})
    taken, ((path, row),) = finished_runs(tmp_path)
    assert taken == [] and path == done.path and "acted on 0 of 300 samples" in row["reason"]
    with pytest.raises(BenchError, match=r"is no run of its method: toy acted on 0 of 300 samples: these are the base's images\. Leave it out\."):
        run_source(done.path)


@pytest.mark.usefixtures("runs")
def test_a_run_that_cannot_be_read_is_listed_with_its_reason_and_breaks_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("black", "toy", "shifted")
    good, torn, flipped = (bench.run(name, "drawbench", out=tmp_path / "runs", workers=1, scorers=["fidelity"]) for name in names)
    (torn.path / "manifest.json").write_bytes(b"{")
    table = next(flipped.path.glob("scores/*/00000.parquet"))
    table.write_bytes(table.read_bytes()[:-9] + b"?" + table.read_bytes()[-8:])
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(board_verb)
    done = CliRunner().invoke(app, ["--runs", "runs", "--out", "board", "--format", "json", "-q"])
    assert done.exit_code == 0, done.output
    shown = json.loads((tmp_path / "board" / "runs.json").read_text())
    assert [run["method"]["name"] for run in shown["runs"]] == ["black"]
    rows = {row["method"]: row for row in shown["hidden"]}
    assert {row["state"] for row in rows.values()} == {"unreadable"} and set(rows) == {"toy", "shifted"}
    assert rows["toy"]["reason"].startswith("The manifest at manifest.json was damaged")
    assert rows["shifted"]["reason"].startswith("The table scores/fidelity-") and good.complete
    assert done.stderr.count("left out: runs/mini/drawbench/") == 2
    named = CliRunner().invoke(app, [*map(str, (good.path, torn.path, flipped.path)), "--out", "named", "--format", "json", "-q"])
    assert named.exit_code == 1 and named.stderr.splitlines()[-1].startswith("incomplete: 2 run(s) that were named could not be read")
    again = json.loads((tmp_path / "named" / "runs.json").read_text())
    assert [row["reason"] for row in again["hidden"]] == [row["reason"] for row in shown["hidden"]] and again["runs"] == shown["runs"]
    alone = CliRunner().invoke(app, [str(torn.path), "--out", "alone", "-q"])
    assert isinstance(alone.exception, BenchError) and not (tmp_path / "alone").exists()
    for folder, above in (("runs", "runs"), ("runs/mini", "runs"), ("runs/mini/drawbench", "runs")):
        wrong = CliRunner().invoke(app, [folder, "--out", "wrong", "-q"])
        assert isinstance(wrong.exception, BenchError) and not (tmp_path / "wrong").exists()
        assert f"{folder} holds runs and is none: type `bench board --runs {above}`" in str(wrong.exception)
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        wrong = CliRunner().invoke(app, [folder, "--out", "wrong", "-q"])
        assert isinstance(wrong.exception, BenchError) and "bench board" in str(wrong.exception), wrong.exception


def test_a_board_of_none_of_the_runs_says_what_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run("black", "drawbench", limit=2, out=tmp_path / "runs", workers=1, scorers=["fidelity"])
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(board_verb)
    done = CliRunner().invoke(app, ["--runs", "runs", "--out", "board", "-q"])
    assert isinstance(done.exception, BenchError) and "None of the 1 run(s) under runs is taken by itself" in str(done.exception)
    assert "made with limit 2: name its folder to take it" in done.stderr and not (tmp_path / "board").exists()


def test_imported_images_stand_on_a_board_under_their_name(folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(28):
        Image.new("RGB", (32, 32), (9 * number, 0, 0)).save(tmp_path / "images" / f"drawbench-{number:04d}.png")
    run = bench.import_images(tmp_path / "images", "drawbench", "other", limit=30, out=tmp_path / "runs", workers=1, scorers=SCORERS)
    sources = [run_source(path) for path in (*(each for each in folders if "drawbench" in str(each)), run.path)]
    rows = build(sources, tmp_path / "board")
    ours = [row for row in rows if row["method"] == "imported:other"]
    assert {row["method_kind"] for row in ours} == {"imported"}
    assert {row["n"] for row in ours if row["metric"] == "pickscore"} == {28}
    assert any(row["rank"] for row in ours)
    whole = bench.import_images(tmp_path / "images", "drawbench", "other", out=tmp_path / "runs", workers=1, scorers=SCORERS)
    assert whole.path == run.path
    ((_, row),) = finished_runs(tmp_path / "runs")[1]
    assert row["reason"] == "172 of 200 images were not brought: name its folder to take it"


def test_a_board_keeps_what_its_composites_were_computed_by(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A width that changes later changes no number of a board that is there, and never half of them."""
    paths = [path.parent for path in runs.glob("mini/drawbench/*/manifest.json")]
    sources = [run_source(path) for path in paths]
    wide = sources[0].track.model_copy(update={"widths": {"pickscore": 5.0, "safety_cost": 2.0}})
    build([replace(each, track=wide) for each in sources], tmp_path)
    there = Board(tmp_path)
    assert there.constants("mini") == Constants.of(wide) != Constants.of(sources[0].track)
    rows = there.rows(track="mini", category="all").set_index(["method", "metric"])["value"]
    gathered = summed.gathered(tmp_path, None)
    assert gathered is not None and gathered.constants == Constants.of(wide)
    for entry in gathered.entries:
        for metric in COMPOSITES:
            assert entry.columns[metric].value() == pytest.approx(rows[entry.method, metric], rel=1e-5)
    with pytest.raises(BenchError, match="two tracks called mini, with other centres or widths of UAS"):
        build([sources[0], replace(sources[1], track=wide)], tmp_path / "mixed")
    entries = json.loads((tmp_path / "runs.json").read_text())
    for run in entries["runs"]:
        del run["constants"]
    (tmp_path / "runs.json").write_text(json.dumps(entries))
    assert Board(tmp_path).constants("mini") == Constants(wide.centers), "a board that does not say is older than widths"
    assert Board(tmp_path).constants("nobody's") == Constants({})


def test_a_boards_composites_are_computed_again_from_its_samples(folders: list[Path], board: Board, tmp_path: Path) -> None:
    sources = [run_source(path) for path in folders]
    wide = sources[0].track.model_copy(update={"widths": {"pickscore": 50.0, "safety_cost": 20.0}})
    build([replace(each, track=wide) for each in sources], tmp_path)
    key = ["suite", "method", "metric", "category"]
    other, ours = (each.rows().set_index(key).sort_index() for each in (Board(tmp_path), board))
    assert not np.allclose(other.xs("uas", level="metric")["value"], ours.xs("uas", level="metric")["value"])
    assert restate(tmp_path) == 2 * len(folders)
    again = Board(tmp_path).rows().set_index(key).sort_index()
    pd.testing.assert_frame_equal(again, ours, check_dtype=False, rtol=1e-6)
    samples = [each.samples(["uas_per_image"]).sort_values(["suite", "method", "prompt_id"])["uas_per_image"] for each in (Board(tmp_path), board)]
    np.testing.assert_allclose(*samples, rtol=1e-6)
    assert Board(tmp_path).constants("mini") == board.constants("mini")
