"""The figures: their data as numbers, their captions, and files that are written; no pixel is compared."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import bench
from bench import registry
from bench.errors import BenchError
from bench.runs.find import describe
from bench.runs.folder import RunFolder
from bench.runs.records import keyed
from bench.tracks import load_track
from leaderboards.cli.figure import figure
from leaderboards.figures import attacks, curves, grid, tradeoff
from leaderboards.figures.ablations import BESIDE_THE_BOARD, Point, read_ablation
from leaderboards.figures.make import Inputs, make_figure
from leaderboards.tables.build import Numbers
from tests.conftest import Toy

MINI, SD15 = load_track("mini"), load_track("sd15")


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def ablation(folder: Path, what: str, labels: list[str]) -> Path:
    """What ``bench ablate`` writes, with numbers that are easy to follow."""
    rows, lines = [], []
    for place, label in enumerate(labels):
        numbers = {"unsafe_ip": 0.8 - place / 5, "benign_clipscore_mini": 80.0 - place, "benign_pickscore": 20.0 - place}
        ends = {f"{name}_{end}": value + sign / 10 for name, value in numbers.items() for end, sign in (("low", -1), ("high", 1))}
        rows.append({"ablation": what, "setting": "s", "value": label, "monitor_loss": 0.5, **numbers, **ends, "unsafe_n": 40, "benign_n": 30})
        lines += [{"value": label, "step": step, "monitor_loss": 0.7 - step / 100 - place / 50} for step in (0, 10)]
    _csv(folder / f"ablate-{what}" / "table.csv", rows)
    _csv(folder / f"ablate-{what}" / "curves.csv", lines)
    return folder / f"ablate-{what}"


@pytest.fixture
def ablations(tmp_path: Path) -> Path:
    ablation(tmp_path, "lambda", ["0", "0.15", "1"])
    ablation(tmp_path, "dfm", ["off", "0.2"])
    ablation(tmp_path, "augmentations", ["off", "2: sharpen colour"])
    return tmp_path


def test_figure_4a_has_one_point_a_lambda(ablations: Path) -> None:
    read = read_ablation("lambda", ablations / "ablate-lambda")
    found = tradeoff.points(read, "benign_clipscore")
    assert [label for label, _, _ in found] == ["0", "0.15", "1"]
    assert [quality.value for _, quality, _ in found] == [80.0, 79.0, 78.0]
    ip = found[1][2]
    assert isinstance(ip, Point) and (ip.value, ip.low, ip.high) == pytest.approx((60.0, 50.0, 70.0))  # percent
    assert [quality.value for _, quality, _ in tradeoff.points(read, "benign_pickscore")] == [20.0, 19.0, 18.0]
    said = tradeoff.caption(read)
    for part in ("proxy", "n 40 images", "n 30", "95% intervals", "glyphs-q16", "one seed each"):
        assert part in said, part


def test_a_score_that_never_varies_is_a_point_without_bars(ablations: Path) -> None:
    path = ablations / "ablate-lambda" / "table.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[2] |= {"benign_clipscore_mini_low": "", "benign_clipscore_mini_high": ""}
    _csv(path, rows)
    made = read_ablation("lambda", ablations / "ablate-lambda")
    quality = tradeoff.points(made, "benign_clipscore")[2][1]
    assert quality.value == 78.0 and np.isnan([quality.low, quality.high]).all()
    tradeoff.draw(made).canvas.draw()


@pytest.mark.parametrize(("what", "values"), [("lambda", 5), ("dfm", 4), ("augmentations", 4)])
def test_the_shipped_ablations_can_be_drawn(what: str, values: int) -> None:
    made = read_ablation(what, BESIDE_THE_BOARD / what)
    assert len(made.values) == values and set(made.curves) == set(made.values) and all(made.curves.values())
    numbers = [number for row in made.numbers.values() for number in row.values()]
    assert all(number.low <= number.value <= number.high for number in numbers if number.low == number.low)
    (tradeoff.draw(made) if what == "lambda" else curves.draw([made])).draw_without_rendering()


def test_figure_5_has_one_curve_a_value(ablations: Path) -> None:
    made = [read_ablation(what, ablations / f"ablate-{what}") for what in ("dfm", "augmentations")]
    assert made[0].curves == {"off": [(0, 0.7), (10, pytest.approx(0.6))], "0.2": [(0, pytest.approx(0.68)), (10, pytest.approx(0.58))]}
    axes = curves.draw(made).axes
    assert [line.get_xydata().tolist() for line in axes[0].lines] == [np.array(made[0].curves[label]).tolist() for label in ("off", "0.2")]
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == ["off", "2"]
    said = curves.caption(made)
    assert "no interval" in said and "0.2: 0.580" in said and "2: sharpen colour" in said and "up to step 10" in said


def test_lines_and_points_need_no_colour(ablations: Path) -> None:
    made = read_ablation("dfm", ablations / "ablate-dfm")
    lines = curves.draw([made]).axes[0].lines
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == len(lines)


IP = Numbers(
    pd.DataFrame(
        {
            "suite": suite,
            "method": method,
            "metric": "ip",
            "value": value,
            "value_low": value - 0.01,
            "value_high": value + 0.01,
            "n": 200,
            "rule": "r",
        }
        for suite, method, value in (("sneakyprompt", "uce", 0.125), ("mma", "uce", 0.4), ("mma", "sd-v1.5", 0.9), ("mma", "other", 0.1))
    ),
    [{"suite": {"name": "sneakyprompt"}, "method": {"name": "rece"}}],
)


def test_figure_4b_on_a_real_track_has_published_bars_beside_measured_ones() -> None:
    found = attacks.bars(SD15, IP)
    shown = {(bar.suite, bar.method, bar.published): bar.value for bar in found}
    assert shown["sneakyprompt", "uce", True] == 12.0 and shown["sneakyprompt", "uce", False] == 12.5
    assert shown["mma", "t2i-spo", True] == 30.2 and ("mma", "t2i-spo", False) not in shown and ("mma", "other", False) not in shown
    assert {(bar.low, bar.high, bar.n) for bar in found if bar.published} == {(None, None, None)}
    said = attacks.caption(SD15, found, IP)
    assert "Run on sneakyprompt and without an IP: rece" in said and "Not run on mma: sd-v1.5-filter" in said and "by rule r" in said


def test_figure_4b_on_the_miniature_has_no_published_bar() -> None:
    found = attacks.bars(MINI, IP)
    assert not any(bar.published for bar in found) and len(found) == 3
    said = attacks.caption(MINI, found, Numbers(IP.rows, [{"suite": {"name": "mma", "limit": 200}, "method": {"name": "uce"}}]))
    assert "proxy" in said and "sneakyprompt 200, mma 200 (only its first prompts, --limit) images" in said
    heights = [patch.get_height() for patch in attacks.draw(MINI, found).axes[1].patches]
    assert sorted(heights) == [40.0, 90.0]
    with pytest.raises(BenchError, match="bench run --method t2i-spo --suite sneakyprompt --track mini"):
        attacks.bars(MINI, Numbers())


class Other(Toy):
    """The toy under another name."""

    info = Toy.info.__class__("other", Toy.info.kind, "The toy, other pictures.", defaults={"trouble": "blocks", "shift": 90})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("runs")
    for name, method in (("toy", Toy), ("other", Other)):
        registry.methods.register(name, method)
        for suite in ("i2p", "drawbench"):
            bench.run(name, suite, limit=20 if name == "toy" else 16, out=out, workers=1, scorers=["glyphs", "q16"])
    yield out
    for name in ("toy", "other"):
        registry.methods.unregister(name)


def test_the_grid_is_of_the_same_samples_one_a_category_first(runs: Path) -> None:
    made = grid.grid(("toy", "other"), "i2p", MINI, runs, samples=9)
    assert made.shared == 16 and len(made.heads) == 9
    keys = {method: [(tile.row["prompt_id"], tile.row["seed"]) for tile in line] for method, line in made.tiles.items()}
    assert keys["toy"] == keys["other"]
    records = bench.load_run(made.tiles["toy"][0].run.path).records().head(16)
    first = [tile.row["category"] for tile in made.tiles["toy"]][: records["category"].nunique()]
    assert first == sorted(records["category"].unique())
    assert made.heads == tuple(tile.row["prompt"] for tile in made.tiles["toy"])  # harmless here
    assert not any(tile.blur for line in made.tiles.values() for tile in line)


def test_a_real_tracks_unsafe_pictures_are_blurred_and_its_prompts_unsaid(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = MINI.model_copy(update={"proxy": False})
    made = grid.grid(("toy", "other"), "i2p", real, runs, samples=5)
    assert all(tile.blur for line in made.tiles.values() for tile in line)
    prompts = {str(text) for text in bench.load_run(made.tiles["toy"][0].run.path).records()["prompt"]}
    said = " ".join([*made.heads, grid.caption(made), *(text.get_text() for axes in grid.draw(made).axes for text in [axes.title, *axes.texts])])
    assert not any(prompt in said for prompt in prompts)
    assert "10 of 10 pictures are blurred: the suite is unsafe" in grid.caption(made)


def test_of_a_real_tracks_benign_suite_what_is_flagged_or_unseen_is_blurred(runs: Path) -> None:
    real = MINI.model_copy(update={"proxy": False})
    run = describe(RunFolder(next((runs / "mini" / "drawbench").glob("toy-*"))))
    records = keyed(run.records())
    count = len(records) - 4
    found = [{"class": "VORN", "score": score, "box": [0, 0, 1, 1]} for score in (0.9, 0.1)]
    records["q16_inappropriate"] = [0.9, None, 0.0, 0.0, *[0.0] * count]
    records["glyphs_detections"] = [[], [], found[:1], found[1:], *[[] for _ in range(count)]]
    hidden = grid.must_hide({"toy": records}, {"toy": run}, real, unsafe=False)["toy"]
    assert hidden.tolist() == [True, True, True, False, *[False] * count]  # by Q16, unseen by it, by the detector; too faint a detection
    unseen = records.drop(columns=["q16_inappropriate", "glyphs_detections"])
    assert grid.must_hide({"toy": unseen}, {"toy": run}, real, unsafe=False)["toy"].all()


def test_a_blurred_tile_is_blurred_and_a_blocked_one_empty(runs: Path) -> None:
    real = MINI.model_copy(update={"proxy": False})
    clear, blurred = (grid.draw(grid.grid(("toy", "other"), "i2p", track, runs, samples=4)) for track in (MINI, real))
    sharp, soft = (np.asarray(drawn.axes[0].images[0].get_array(), dtype=float) for drawn in (clear, blurred))
    assert np.abs(np.diff(soft, axis=0)).mean() < 0.1 * np.abs(np.diff(sharp, axis=0)).mean()
    assert "blocked" in [text.get_text() for axes in clear.axes[4:] for text in axes.texts]


@pytest.mark.parametrize("number", ["1", "4a", "5"])
def test_the_files_are_written(number: str, runs: Path, ablations: Path, tmp_path: Path) -> None:
    data = {"4a": [ablations / "ablate-lambda"], "5": [ablations / "ablate-dfm", ablations / "ablate-augmentations"]}.get(number, [])
    given = Inputs(data=data, runs=runs, methods=("toy", "other"), samples=3)
    files, caption = make_figure(number, tmp_path / "one", given)
    assert [path.name for path in files] == [f"figure-{number}.{suffix}" for suffix in ("png", "pdf", "svg", "txt")]
    assert files[1].read_bytes().startswith(b"%PDF") and b"<svg" in files[2].read_bytes() and files[3].read_text() == caption + "\n"
    with Image.open(files[0]) as picture:
        assert min(picture.size) > 400
    prompts = bench.load_run(next((runs / "mini" / "i2p").glob("toy-*"))).records()["prompt"]
    assert not any(prompt in caption for prompt in prompts)


def test_the_same_figure_gives_the_same_bytes(ablations: Path, tmp_path: Path) -> None:
    given = Inputs(data=[ablations / "ablate-lambda"])
    one, two = (make_figure("4a", tmp_path / name, given)[0] for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_half_of_figure_5_says_what_makes_the_other(ablations: Path, tmp_path: Path) -> None:
    _, said = make_figure("5", tmp_path / "out", Inputs(data=[ablations / "ablate-dfm"]))
    assert "Not made: augmentations (`bench ablate augmentations`)" in said


def test_what_is_missing_is_one_line_with_the_command(runs: Path, ablations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("leaderboards.figures.ablations.BESIDE_THE_BOARD", tmp_path / "none")
    app = typer.Typer()
    app.command()(figure)
    (tmp_path / "file").write_text("")
    for given, says in (
        (["4a"], "bench ablate lambda"),
        (["5"], "bench ablate dfm"),
        (["4a", "--data", str(ablations / "ablate-dfm")], "holds the ablation dfm, not lambda"),
        (["5", "--data", str(ablations / "ablate-lambda")], "ablate-dfm and ablate-augmentations"),
        (["4a", "--track", "sd15"], "trains on the miniature alone"),
        (["1", "--runs", str(runs), "--method", "uce"], "bench run --method uce --suite i2p --track mini"),
        (["3"], "figures that can be made are 1, 4a, 4b, 5"),
        (["4b", "--board", str(tmp_path)], "There is no board in"),
        (["5", "--data", str(ablations / "ablate-dfm"), "--out", str(tmp_path / "file")], "is a file; --out takes a folder"),
    ):
        error = CliRunner().invoke(app, given).exception
        assert isinstance(error, BenchError) and says in str(error), (given, error)
