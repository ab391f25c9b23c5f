"""Every page on a small board, as Streamlit runs it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from leaderboards.board.read import SHIPPED
from tests.leaderboards.app.conftest import HOSTILE, PROMPT, PROMPTS, Place

PAGES = ("board", "trade_off", "compare", "run", "method", "suite")


def table(app: AppTest, index: int = 0) -> pd.DataFrame:
    return app.dataframe[index].value


def texts(app: AppTest) -> str:
    """All text of a page that is shown as Markdown."""
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error, app.success, app.header, app.subheader, app.title)
    return "\n".join(str(each.value) for kind in kinds for each in kind)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_a_choice(place: Place, name: str) -> None:
    app = place.page(name)
    assert not app.exception
    assert PROMPT not in texts(app)


def test_the_board_has_one_row_a_method_the_best_first(place: Place) -> None:
    shown = table(place.page("board", track="mini"))
    assert shown["method"].tolist() == [HOSTILE, "uce", "sd-v1.5"]
    assert {"tier", "rank_interval", "kind", "ip", "ip_interval", "sc", "pickscore", "uas", "uas_per_image", "pickscore on drawbench"} <= set(shown)
    rows = pd.read_parquet(place.board / "rows.parquet")
    value = rows.query("track == 'mini' and suite == 'i2p' and method == 'uce' and metric == 'sc'")["value"].item()
    assert shown.set_index("method").loc["uce", "sc"] == value


def test_filters_stand_in_the_url(place: Place) -> None:
    app = place.page("board", track="mini", suite="drawbench", kind=["edit"], by="pickscore")
    assert table(app)["method"].tolist() == ["uce"]
    assert [box.value for box in app.selectbox] == ["mini", "drawbench", "pickscore"]
    assert "fidelity" in table(place.page("board", track="mini", suite="drawbench", by="fidelity"))  # what ranks is shown
    app = place.page("board", track="mini", status=["community"])
    assert table(app)["method"].tolist() == [HOSTILE]


def test_what_is_hidden_says_why(place: Place) -> None:
    app = place.page("board", track="mini", suite="drawbench", kind=["edit"])
    why = table(app, 1).set_index("method")["reason"]
    assert why["sd-v1.5"] == "the filter leaves out the kind base"
    assert why[HOSTILE] == "it has no run of drawbench on mini"
    assert why["withdrawn-one"] == "withdrawn: asked by its author"


def test_an_unknown_value_in_the_url_is_left_out_with_a_word(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    app = place.page("board", track="nowhere", suite="<script>", kind=["x"])
    assert not app.exception and len(table(app)) == 3
    said = [each.value for each in app.warning]
    assert [text.split(":")[0] for text in said] == ["Track", "Suite", "Kinds"] and "there is no nowhere here" in said[0]
    monkeypatch.setattr(sys, "argv", ["main.py", "--board", str(place.board), "--runs", str(place.runs)])
    app.selectbox[0].set_value("sd15").run()  # what was said of the link is not said again of a choice
    assert not app.warning


def test_an_unknown_track_is_named_once_where_there_is_one_alone(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "board"
    shutil.copytree(place.board, copy)
    rows = pd.read_parquet(copy / "rows.parquet")
    rows[rows["track"] == "mini"].to_parquet(copy / "rows.parquet")
    app = place.page("board", board=copy, track="nowhere")
    assert len(app.warning) == 1 and not app.exception
    monkeypatch.setattr(sys, "argv", ["main.py", "--board", str(copy)])
    assert not app.run().warning


ODD = "</script><img src=x onerror=alert(1)>](javascript:1)**\x00" + "\N{GRINNING FACE}" * 200


@pytest.mark.parametrize("name", ["board", "trade_off", "compare", "run", "method", "suite", "ablations", "submit"])
def test_hostile_parameters_are_a_line_of_text_at_most(place: Place, name: str) -> None:
    keys = ("track", "suite", "by", "kind", "status", "more", "intervals", "published", "safety", "quality", "safety_suite", "quality_suite")
    keys += ("methods", "method", "metric", "every", "page", "category", "flagged", "clear", "ablation", "bundle")
    app = place.page(name, **{key: [ODD, "-1", ODD] for key in keys})
    assert not app.exception and not app.error
    assert "<img" not in texts(app).replace("\\<img", "") and not any(each.allow_html for each in app.markdown)


def test_published_numbers_stand_apart(place: Place) -> None:
    app = place.page("board", track="mini", published="true")
    tables = [each.value for each in app.dataframe]
    assert any("IP (%)" in each for each in tables)
    measured = tables[0]
    assert not any("%" in column for column in measured) and "alignguard" not in set(measured["method"])


def test_proxy_numbers_say_so_and_real_ones_do_not(place: Place) -> None:
    assert "is a proxy" in texts(place.page("board", track="mini"))
    assert "is a proxy" not in texts(place.page("board", track="sd15"))


def test_a_hostile_name_is_shown_as_text(place: Place) -> None:
    app = place.page("method", method=HOSTILE)
    assert not app.exception
    assert "<img" not in texts(app) and not any(each.allow_html for each in app.markdown)
    app = place.page("compare", track="mini", methods=[HOSTILE, "uce"])
    assert "<img" not in texts(app).replace("\\<img", "") and "**bold**" not in texts(app)
    assert set(table(app)["method"]) == {"uce"}


def test_compare_shows_where_methods_disagree(place: Place) -> None:
    app = place.page("compare", track="mini", methods=["sd-v1.5", "uce"])
    found = table(app).set_index("metric")
    assert found.loc["IP ↓", "difference"] < 0
    assert found.loc["IP ↓", "value"] - found.loc["IP ↓", "baseline"] == pytest.approx(found.loc["IP ↓", "difference"])
    assert {"IP yes", "IP no"} <= {each.value.rpartition(" · ")[2] for each in app.caption if " · IP " in each.value}
    assert len(app.image) > 0
    assert "samples differ in IP" in texts(app)


def test_one_method_is_too_few_to_compare(place: Place) -> None:
    app = place.page("compare", track="mini", methods=["uce"])
    assert "Choose two to four methods" in texts(app)


def test_trade_off_places_every_method_scored_on_both_sides(place: Place) -> None:
    app = place.page("trade_off", track="mini", quality="pickscore")
    assert set(table(app)["method"]) == {"sd-v1.5", "uce"}
    assert "Not placed, because scored on one side alone" in texts(app)
    assert table(app)["front_probability"].between(0, 1).all()


def test_the_gallery_turns_pages_and_filters(place: Place) -> None:
    app = place.page("run", track="mini", suite="i2p", method="uce")
    assert f"{PROMPTS} of {PROMPTS} samples" in texts(app)
    assert len(app.image) == PROMPTS - 1  # one was blocked
    app = place.page("run", track="mini", suite="i2p", method="uce", category="hate")
    assert f"{PROMPTS // 2} of {PROMPTS} samples" in texts(app)


def test_a_run_that_is_not_here_says_how_to_make_it(place: Place) -> None:
    app = place.page("run", track="mini", suite="i2p", method=HOSTILE)
    assert not app.image
    assert app.code[0].value == f"bench run --method '{HOSTILE}' --suite i2p --track mini"


def test_the_suite_card_has_hash_exclusions_and_licence(place: Place) -> None:
    app = place.page("suite", track="mini", suite="i2p")
    known = table(app).set_index("property")["value"]
    assert known["sha-256 of all that decides the samples"] == "0" * 64 and known["licence of the prompts"] == "Apache-2.0"
    assert [each.value for each in app.metric] == [str(PROMPTS), str(PROMPTS), "1", "3"]
    assert table(app, 1)["sha-256"].tolist() == ["ab" * 32]


def test_ablations_are_shown_where_there_are_any(place: Place, tmp_path: Path) -> None:
    assert "There is no ablation here yet" in texts(place.page("ablations"))
    copy = tmp_path / "board"
    shutil.copytree(place.board, copy)
    (copy / "ablations" / "lambda").mkdir(parents=True)
    rows = {"ablation": "lambda", "value": ["0", "1"], "unsafe_ip": [0.5, 0.1], "unsafe_ip_low": [0.4, 0.0], "unsafe_ip_high": [0.6, 0.2]}
    rows |= {f"benign_clipscore_mini{end}": [80.0, 81.0] for end in ("", "_low", "_high")} | {"unsafe_n": 40, "benign_n": 50}
    pd.DataFrame(rows).to_csv(copy / "ablations" / "lambda" / "table.csv", index=False)
    app = place.page("ablations", board=copy)
    assert table(app)["unsafe_ip"].tolist() == [0.5, 0.1] and "every number is a proxy" in texts(app)
    assert [plot.proto.alt for plot in app.get("vega_lite_chart")] == [
        "IP ↓ (unsafe) over Safety weight (lambda), with intervals",
        "CLIPScore (mini) ↑ (benign) over Safety weight (lambda), with intervals",
    ]
    assert "n = 40 unsafe and 50 benign images" in texts(app)


def test_the_shipped_ablations_are_on_their_page(place: Place) -> None:
    app = place.page("ablations", board=SHIPPED / "mini")
    assert app.selectbox[0].options == ["Safety weight (lambda)", "DFM threshold", "Augmentations"]  # as in the paper
    assert table(app)["value"].tolist() == ["0", "0.15", "0.5", "1", "2"]
    assert "Loss on fixed probes over steps" in [plot.proto.alt for plot in app.get("vega_lite_chart")]


def test_a_bundle_that_is_none_is_refused_on_the_page(place: Place) -> None:
    app = place.page("submit")
    app.get("file_uploader")[0].upload("../x.zip", b"no archive at all")
    app.run()
    assert "is refused" in texts(app) and table(app)["verdict"].iloc[0] == "failed"


def with_speed(place: Place, tmp_path: Path, content: str) -> Path:
    copy = tmp_path / "board"
    shutil.copytree(place.board, copy)
    (copy / "speed.csv").write_text(content)
    return copy


def test_the_board_says_what_a_method_costs_and_where_that_was_measured(place: Place, tmp_path: Path) -> None:
    head = "track,method,seconds,ratio,ratio_low,ratio_high,device,dtype,batch,rounds,base\n"
    board = with_speed(place, tmp_path, head + "mini,uce,0.5,1.25,1.2,1.3,cpu x86_64,float32,64,10,sd-v1.5\n")
    app = place.page("board", board=board, track="mini")
    shown = table(app).set_index("method")
    assert shown.loc["uce", "time"] == 1.25 and shown.loc["uce", "time_interval"] == "1.200–1.300"
    assert pd.isna(shown.loc["sd-v1.5", "time"])
    columns = json.loads(app.dataframe[0].proto.columns)
    assert columns["time"]["label"] == "Time × base ↓" and "cpu x86" in columns["time"]["help"].replace("\\", "")
    assert "Time × base was measured on cpu x86_64 (float32, batches of 64, 10 rounds)" in texts(app).replace("\\", "")
    assert "time" not in table(place.page("board", board=board, track="sd15"))


def test_a_damaged_table_of_speeds_costs_that_column_alone(place: Place, tmp_path: Path) -> None:
    app = place.page("board", board=with_speed(place, tmp_path, "a,b\n1,2\n"), track="mini")
    assert "is no table of speeds" in app.warning[0].value and len(table(app)) == 3


def test_no_board_is_one_line(started: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboards.app.settings.SHIPPED", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    app = started()
    assert not app.exception and len(app.warning) == 1
    assert "bench board" in app.warning[0].value.replace("\\", "")


def test_the_board_here_is_found(started: Callable[..., AppTest], place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboards.app.settings.SHIPPED", tmp_path / "none")
    monkeypatch.chdir(place.board.parent)
    app = started()
    assert not app.exception and app.header[0].value == "Text-to-image safety leaderboard"
    assert len(table(app)) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("runs.json", b"{", "is not readable JSON"),
        ("runs.json", json.dumps({"schema_version": 99, "runs": []}).encode(), "has schema version 99"),
        ("rows.parquet", b"PAR1 and nothing", "is damaged"),
        ("rows.parquet", None, "has no rows.parquet"),
    ],
)
def test_a_damaged_board_is_one_line(
    started: Callable[..., AppTest], place: Place, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    copy = tmp_path / "board"
    shutil.copytree(place.board, copy)
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    app = started("--board", copy)
    assert not app.exception and len(app.warning) == 1
    assert said in app.warning[0].value.replace("\\", "")


def test_damaged_sample_rows_are_one_line_and_leave_the_board(place: Place, tmp_path: Path) -> None:
    copy = tmp_path / "board"
    shutil.copytree(place.board, copy)
    (copy / "samples.parquet").write_bytes(b"PAR1")
    app = place.page("compare", board=copy, track="mini")
    assert not app.exception and "is damaged" in app.warning[0].value
    assert len(table(place.page("board", board=copy, track="mini"))) == 3
