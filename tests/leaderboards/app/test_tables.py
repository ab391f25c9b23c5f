"""The tables and charts that pages show, without Streamlit."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.formats import Format
from bench.metrics.composites import Constants
from bench.reports.comparison import compare_rows
from bench.stats import trade_offs
from bench.tracks import load_track
from leaderboards.app import charts, compared, frames, settings
from leaderboards.app.widgets import plain
from leaderboards.board.read import Board
from leaderboards.cli import leaderboard as cli
from tests.leaderboards.app.conftest import HOSTILE, QUALITY, Place, records

HEAD = {"track": "t", "suite": "s", "category": "all", "method_kind": "edit", "status": "measured", "date": "2026-01-01", "run_id": "r", "unit": "x"}


def numbers(*rows: tuple[str, str, float, float | None]) -> pd.DataFrame:
    """A board's rows: (method, metric, value, rank)."""
    found = [
        {**HEAD, "method": method, "metric": metric, "value": value, "value_low": value - 1, "value_high": value + 1, "n": 7, "excluded": 0}
        | {"rank": rank, "rank_low": rank, "rank_high": rank and rank + 1, "tier": rank}
        for method, metric, value, rank in rows
    ]
    return pd.DataFrame(found).astype(dict.fromkeys(("rank", "rank_low", "rank_high", "tier"), "float64"))


def test_a_score_that_was_not_made_is_missing_and_not_0() -> None:
    rows = numbers(("b", "ip", 0.2, 2), ("a", "ip", 0.1, 1), ("a", "sc", 5.0, None), ("c", "sc", 1.0, None))
    table = frames.board_table(rows, "t", "s", ranked_by="ip")
    assert table["method"].tolist() == ["a", "b", "c"]
    assert table["rank_interval"].tolist() == ["1 (1–2)", "2 (2–3)", ""]
    assert table["sc"].isna().tolist() == [False, True, False] and pd.isna(table["tier"][2])
    assert pd.isna(table["n"][2])


def test_parts_follow_ip_and_benign_suites_come_last() -> None:
    rows = numbers(("a", "sc", 5.0, None), ("a", "part BR", 0.5, None), ("a", "ip", 0.1, 1))
    benign = numbers(("a", "pickscore", 20.0, None), ("z", "pickscore", 1.0, None)).assign(suite="benign")
    table = frames.board_table(pd.concat([rows, benign]), "t", "s", ranked_by="ip", benign=["benign"])
    shown = [name for name in table if name in ("ip", "part BR", "sc", "pickscore on benign")]
    assert shown == ["ip", "part BR", "sc", "pickscore on benign"]
    assert table["method"].tolist() == ["a"] and table["pickscore on benign"].tolist() == [20.0]


@pytest.mark.parametrize(
    ("ends", "text"), [((0.1, 0.25), "0.100–0.250"), ((-1.5, 0.25), "-1.500 to 0.250"), ((14.0, 15.25), "14.00–15.25"), ((np.nan, 1.0), "")]
)
def test_an_interval_as_a_cell(ends: tuple[float, float], text: str) -> None:
    assert frames.interval_text(*ends) == text


def test_exports_hold_every_interval_and_no_published_number(place: Place) -> None:
    board = Board(place.board)
    table = frames.board_table(board.rows(), "mini", "i2p", ranked_by="ip")
    about = {"track": "mini", "suite": "i2p\n\\input{x}", "ranked_by": "ip"}
    lines = list(csv.DictReader(io.StringIO(frames.export(table, Format.CSV, about))))
    assert [line["method"] for line in lines] == table["method"].tolist()
    assert float(lines[1]["ip_low"]) == table["ip_low"][1] and "run_id" not in lines[0]
    assert {line["track"] for line in lines} == {"mini"} and {line["ranked_by"] for line in lines} == {"ip"}
    comment, latex = frames.export(table, Format.LATEX, about).split("\n", 1)
    assert comment.startswith("% track mini, suite i2p ") and "\\input" not in latex
    assert latex.isascii() and latex.splitlines()[2].startswith("Method & Tier & Rank & Kind & IP & ")
    hostile = HOSTILE.replace("<", r"\textless{}").replace(">", r"\textgreater{}")
    assert latex.count(r"\\") == 4 and hostile in latex
    assert f"{table['sc'][1]:.3f} [{table['sc_low'][1]:.3f}, {table['sc_high'][1]:.3f}]" in latex


def test_published_numbers_are_the_files_own() -> None:
    table, notes = frames.published(["i2p-sexual"])
    row = table.set_index("method").loc["rece"]
    assert row["IP (%)"] == "4.70" and row["Parts, total"] == "47" and any("no whole number of 931 images" in note for note in notes)
    assert frames.published(["no-such-suite"])[0].empty
    assert row["images"] == "931" and "after our screen" not in row
    screened = frames.published(["i2p-sexual", "i2p"], {"i2p-sexual": (900, 700)})[0].set_index(["suite", "method"])
    assert screened.loc[("i2p-sexual", "rece"), "after our screen"] == "700 of 900"
    assert (screened.loc[("i2p", "rece"), "images"], screened.loc[("i2p", "rece"), "after our screen"]) == ("4,703", "")


def test_differences_are_those_of_bench_compare(place: Place) -> None:
    board, track = Board(place.board), load_track("mini")
    runs = [(method, records("i2p", QUALITY[method], len(method))) for method in ("sd-v1.5", "uce")]
    expected = pd.DataFrame(compare_rows(runs, track, track.rule("i2p"), unsafe=True)).query("method == 'uce'").set_index("metric")
    units = {"ip": "of images", "sc": "cost", "uas": "of the means"}
    samples = board.samples(["ip", "sc", "pickscore"], track="mini", suite="i2p")
    found = compared.differences(samples, ["sd-v1.5", "uce"], units, board.constants("mini"))
    found = found.set_index("metric")
    for column in ("value", "difference", "difference_low", "difference_high", "p", "p_holm", "pairs"):
        np.testing.assert_allclose(found[column].astype(float), expected.loc[found.index, column].astype(float), rtol=1e-5, atol=1e-7)
    assert found["test"].tolist() == expected.loc[found.index, "test"].tolist()


def test_differences_by_category_take_a_sample_into_each_of_its_own(place: Place) -> None:
    samples = Board(place.board).samples(["ip"], track="mini", suite="i2p")
    found = compared.by_category(samples, ["sd-v1.5", "uce"], "ip", "of images", Constants({})).set_index("category")
    assert found["pairs"].to_dict() == {"hate": 6, "shocking": 6, "violence": 6}
    inside = samples[samples["category"] == "violence"]
    means = inside.groupby("method")["ip"].mean()
    assert found.loc["violence", "difference"] == pytest.approx(means["uce"] - means["sd-v1.5"])


def test_disagreements_leave_out_what_one_method_lacks() -> None:
    frame = pd.DataFrame(
        [
            ("a", "p0", 1.0),
            ("b", "p0", 0.0),
            ("a", "p1", 1.0),
            ("b", "p1", 1.0),
            ("a", "p2", np.nan),
            ("b", "p2", 1.0),
            ("a", "p3", 9.0),
            ("b", "p3", 1.0),
        ],
        columns=["method", "prompt_id", "x"],
    ).assign(image_index=0, category="c")
    found = compared.disagreements(frame, ["a", "b"], "x")
    assert found["prompt_id"].tolist() == ["p3", "p0"] and found["gap"].tolist() == [8.0, 1.0]
    assert compared.disagreements(frame, ["a", "nobody"], "x").empty


def test_an_ellipses_outline_lies_on_the_ellipse() -> None:
    generator = np.random.default_rng(3)
    safety = [generator.normal(size=40) for _ in range(3)]
    quality = [0.5 * each + generator.normal(size=40) for each in safety]
    points = trade_offs(safety, quality, np.arange(40), generator=generator, resamples=200)
    outline = charts.ellipse_frame(["a", "b", "c"], ["edit"] * 3, points)
    first, shape = outline[outline["method"] == "a"], points[0].ellipse
    assert shape is not None
    away = np.hypot(first["safety"] - points[0].safety, first["quality"] - points[0].quality)
    assert away.max() == pytest.approx(shape.semi_major) and away.min() == pytest.approx(shape.semi_minor, rel=0.01)
    longest = first.loc[away.idxmax()]
    slope = np.degrees(np.arctan2(longest["quality"] - points[0].quality, longest["safety"] - points[0].safety))
    assert (slope - shape.angle) % 180 == pytest.approx(0, abs=1e-6) or (slope - shape.angle) % 180 == pytest.approx(180, abs=1e-6)


def test_names_in_the_plot_do_not_stand_on_each_other() -> None:
    names = ["a-long-name", "b-long-name", "c-long-name", "far"]
    points = pd.DataFrame({"method": names, "safety": [0.0, 0.01, 0.02, 1.0], "quality": [1.0, 1.0, 0.999, 0.0]})
    placed = charts.placed_labels(points)
    assert placed.loc[3, "lines"] == 0 and placed.loc[3, "leftward"]
    assert not placed.loc[:2, "leftward"].any()  # there is no room
    heights = placed.loc[:2, "quality"] + 0.048 * placed.loc[:2, "lines"]
    assert min(np.diff(sorted(heights))) >= 0.035  # a line of text is as high


def test_names_in_the_plot_are_apart_on_a_phone() -> None:
    """Two near points at the right edge: a name of seven letters takes a sixth of a phone's plot."""
    points = pd.DataFrame({"method": ["sd-v1.5-filter", "sd-v1.5", "far"], "safety": [0.79, 0.91, 0.0], "quality": [1.0, 1.0, 0.0]})
    placed = charts.placed_labels(points)
    assert abs(placed.loc[0, "lines"] - placed.loc[1, "lines"]) >= 1


def test_a_name_in_the_plot_covers_no_other_point() -> None:
    points = pd.DataFrame({"method": ["left-and-long", "right", "far"], "safety": [0.0, 0.05, 1.0], "quality": [0.5, 0.5, 0.0]})
    placed = charts.placed_labels(points)
    assert placed.loc[1, "lines"] == 0 and placed.loc[0, "lines"] != 0


def test_times_stand_beside_the_numbers_and_are_missing_where_nobody_measured() -> None:
    rows = numbers(("b", "ip", 0.2, 2), ("a", "ip", 0.1, 1))
    speed = pd.DataFrame({"method": ["b", "elsewhere"], "ratio": [1.5, 9.0], "ratio_low": [1.4, 8.0], "ratio_high": [1.6, 10.0]})
    table = frames.board_table(rows, "t", "s", ranked_by="ip", speed=speed)
    assert table["method"].tolist() == ["a", "b"] and table["time"].isna().tolist() == [True, False]
    assert table.loc[1, ["time", "time_low", "time_high"]].tolist() == [1.5, 1.4, 1.6]
    assert "time" not in frames.board_table(rows, "t", "s", ranked_by="ip", speed=speed[1:])


def test_plain_text_has_no_markup() -> None:
    assert plain("a\n<b>*x*</b> :red[y] $z$ `c`") == r"a \<b\>\*x\*\<\/b\> \:red\[y\] \$z\$ \`c\`"


def test_the_page_is_served_to_this_machine_alone_and_tells_nobody() -> None:
    command = cli.command(Path("b"), Path("r"), 8600, show_clear=False)
    assert {"--server.address=127.0.0.1", "--browser.gatherUsageStats=false", "--server.port=8600"} <= set(command)
    read = settings.read(command[command.index("--") + 1 :])
    assert (read.board, read.runs, read.show_clear) == (Path("b"), Path("r"), False)
    assert settings.read(cli.command(None, Path("r"), 1, show_clear=True)[-3:]).show_clear


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(BenchError, match="from 1 to 65535; got 0"):
        cli.leaderboard(port=0)


def test_the_command_line_imports_no_streamlit() -> None:
    code = "import sys, leaderboards.cli.leaderboard; assert not {'streamlit', 'altair', 'duckdb', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
