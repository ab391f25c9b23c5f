"""The trade-off figure of a sweep: its numbers, its words, its files; and the verb that draws it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

import bench
from bench.errors import BenchError
from bench.formats import Format
from bench.runs.sweeps import Sweep
from leaderboards.cli.sweep import sweep as verb
from leaderboards.cli.sweep import swept_values
from leaderboards.figures.ablations import Point
from leaderboards.figures.style import drawing, save
from leaderboards.figures.sweep import caption, draw, file_name, panels, together
from tests.conftest import Toy

SCORERS = ["glyphs", "q16", "pickscore"]


@pytest.fixture
def made(toy: type[Toy], tmp_path: Path) -> Sweep:
    """Two values on an unsafe and a benign suite; of a third value nothing could be made."""
    asked = {"shift": [0, 90], "trouble": ["", "count"]}
    return bench.sweep("toy", ["i2p", "drawbench"], asked, limit=4, out=tmp_path, scorers=SCORERS, workers=1, announce=lambda text: None)


def test_points_are_the_runs_own_numbers_and_the_files_say_what_they_show(made: Sweep, tmp_path: Path) -> None:
    (panel,) = panels(made)
    assert (panel.safety.title, panel.quality.title) == ("IP on i2p, % (← better)", "PickScore on drawbench (better →)")
    assert [name for name, _, _ in panel.points] == ["shift=0 trouble=", "shift=90 trouble="]
    rows = {(row["suite"], row["shift"], row["metric"]): row for row in made.rows() if row["category"] == "all"}
    for shift, (_, x, y) in zip((0, 90), panel.points, strict=True):
        ip, quality = rows["i2p", shift, "ip"], rows["drawbench", shift, "pickscore"]
        assert y == Point(100 * ip["value"], 100 * ip["value_low"], 100 * ip["value_high"])
        assert (x.value, x.low, x.high) == (quality["value"], quality["value_low"], quality["value_high"])
    said = caption(made, [panel])
    assert "IP on i2p (n 4 images, Wilson); PickScore on drawbench (n 4 images, " in said and "95% intervals" in said and "a proxy" in said
    assert "Not drawn: shift=0 trouble=count on i2p, which is not complete." in said and "rule glyphs-q16" in said
    with drawing():
        figure = draw(made, [panel])
        assert [each.get_text() for each in figure.axes[0].texts] == [text for text, _, _ in together(panel.points)]
        files = save(figure, tmp_path / "figures", file_name(made), said)
    assert {path.suffix for path in files} == {".png", ".pdf", ".svg", ".txt"} and files[0].stem.startswith("sweep-toy-shift-trouble-")
    assert Image.open(files[0]).size[0] > 600 and "shift=90" in files[2].read_text()


def test_points_that_lie_on_each_other_share_their_words() -> None:
    def at(value: float) -> Point:
        return Point(value, value - 1, value + 1)

    points = [("0", at(20), at(80)), ("500", at(7), at(60)), ("1000", at(7.01), at(60))]
    assert together(points) == [("0", 20, 80), ("500, 1000", 7, 60)]


def test_no_figure_without_both_safety_and_quality(toy: type[Toy], tmp_path: Path) -> None:
    done = bench.sweep("toy", "drawbench", {"shift": [0]}, limit=2, out=tmp_path, scorers=["pickscore"], workers=1, announce=lambda text: None)
    with pytest.raises(BenchError, match="There is no trade-off to draw"):
        panels(done)


def test_the_verb_prints_rows_and_ends_with_1_where_a_point_failed(
    toy: type[Toy], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process = bench.sweep
    # In this process: another one would know no toy.
    monkeypatch.setattr("bench.engine.sweep.sweep", lambda *given, isolate, **more: in_process(*given, **more))
    given: dict[str, Any] = {"limit": 2, "workers": 1, "out": tmp_path, "figures": tmp_path / "f", "form": Format.JSON, "quiet": True}
    with pytest.raises(typer.Exit) as left:
        verb("toy", ["i2p"], ['trouble="",count'], scorer=["fidelity"], **given)
    out, err = capfd.readouterr()
    assert left.value.exit_code == 1 and {row["trouble"] for row in json.loads(out)} == {"", "count"}
    assert "sweep: 2 points, 2 runs, 4 samples." in err
    assert "incomplete: trouble=count on i2p: " in err and "no figure: " in err


def test_one_value_is_the_same_for_all_unless_nothing_varies() -> None:
    assert swept_values("sld-medium", "mini", ["scale=1,2", "warmup=3"]) == ({"scale": [1, 2]}, {"warmup": 3})
    assert swept_values("sld-medium", "mini", ["warmup=3"]) == ({"warmup": [3]}, {})
    for sets, says in ((["scale=1", "scale=2"], "given twice"), (["7"], "NAME=V1,V2")):
        with pytest.raises(BenchError, match=says):
            swept_values("sld-medium", "mini", sets)
