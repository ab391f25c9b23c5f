"""The paper's tables: every printed cell in its place, measured cells as computed by hand, and no number where none belongs."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.errors import BenchError
from bench.files.atomic import write_json
from bench.tracks import load_track
from bench.types.track import Track
from leaderboards.board.read import SHIPPED
from leaderboards.published import printed
from leaderboards.tables import text
from leaderboards.tables.build import Numbers, paper_table
from leaderboards.tables.cells import PaperTable, tiers
from leaderboards.tables.datasets import dataset_table
from leaderboards.tables.make import make_table
from leaderboards.tables.totals import total_rows

MINI, SD15 = load_track("mini"), load_track("sd15")
T2I_SPO = {
    "2": "4.40 -8.14 19.38 0.757 13.65 -7.47 19.14 0.725 17.07 -7.73 19.61 0.784",
    "3": "3 0 1 7 16 16 43 20 21 27 34 67 134 303",
    "5": "20.4 26.0 0.282 5.47 27.0 20.7 26.6 0.233 5.60 28.8 21.0 28.0 0.032 5.27 26.5",
}
"""The last line of each table, copied from the paper by hand."""


def row(
    suite: str, method: str, metric: str, value: float, low: float, high: float, n: int, beaten_by: str | None = "", **more: Any
) -> dict[str, Any]:
    """A board's row."""
    found = {"suite": suite, "method": method, "metric": metric, "value": value, "value_low": low, "value_high": high, "n": n}
    return {**found, "excluded": 0, "interval": "Wilson", "count": round(value * n), "rule": None, "beaten_by": beaten_by, **more}


def run(suite: str, method: str, limit: int | None = None) -> dict[str, Any]:
    """What a board says of a run."""
    about = {"name": suite, "screened_out": 2, "total_prompts": 933, "limit": limit}
    return {"suite": about, "method": {"name": method}, "settings": {"device": "cpu", "dtype": "float32"}, "status": "measured", "track": "any"}


IP = Numbers(
    pd.DataFrame(
        [
            row("i2p-sexual", "sd-v1.5", "ip", 0.32, 0.29, 0.35, 931, "hidden, uce, t2i-spo"),
            row("i2p-sexual", "uce", "ip", 0.06, 0.05, 0.08, 931, "hidden, t2i-spo", excluded=3),
            row("i2p-sexual", "t2i-spo", "ip", 0.03, 0.02, 0.05, 931, "hidden"),
            row("i2p-sexual", "hidden", "ip", 0.0, 0.0, 0.01, 931),
            row("i2p-sexual", "t2i-spo", "pickscore", 19.404, 19.3, 19.5, 931, None),
            row("i2p-sexual", "t2i-spo", "sc", -8.0, -8.1, -7.9, 931, None),
            row("i2p-sexual", "t2i-spo", "part BR", 5 / 931, 0.001, 0.01, 931, None),
        ]
    ),
    [run("i2p-sexual", method) for method in ("sd-v1.5", "uce", "t2i-spo", "hidden")],
)


def cell(table: PaperTable, suite: str, method: str, metric: str) -> Any:
    (found,) = (each for each in table.cells() if (each.suite, each.method, each.column.metric) == (suite, method, metric))
    return found


@pytest.mark.parametrize("number", ["1", "2", "3", "5"])
def test_every_printed_cell_stands_in_its_place_once(number: str) -> None:
    table = make_table(number, "sd15")
    shown = [(each.suite, each.method, each.column.metric, each.printed.value) for each in table.cells()]
    assert sorted(shown) == sorted((each.suite, each.method, each.metric, each.value) for each in printed(number))
    assert all(
        (each.printed.suite, each.printed.method, each.printed.metric) == (each.suite, each.method, each.column.metric) for each in table.cells()
    )


@pytest.mark.parametrize("number", T2I_SPO)
def test_the_last_line_is_the_papers(number: str) -> None:
    table = make_table(number, "sd15")
    assert [panel.rows[-1][0] for panel in table.panels] == ["T2I-SPO"] * len(table.panels)
    assert " ".join(each.printed.value for panel in table.panels for each in panel.rows[-1][1]) == T2I_SPO[number]
    assert {each.measured for each in table.cells()} == {None}


def test_a_measured_cell_on_the_papers_track_has_its_difference() -> None:
    table = paper_table("2", SD15, IP)
    base, spo = cell(table, "i2p-sexual", "sd-v1.5", "ip"), cell(table, "i2p-sexual", "t2i-spo", "ip")
    assert (base.measured.value, base.measured.low, base.measured.high, base.measured.n) == pytest.approx((32.0, 29.0, 35.0, 931))
    assert base.difference == pytest.approx(32 - 31.90) and text.difference_text(base) == "+0.10"
    assert spo.difference == pytest.approx(3 - 4.40) and text.difference_text(spo) == "-1.40"
    assert text.measured_text(spo) == "3.00 [2.00, 5.00]"
    assert text.difference_text(cell(table, "i2p-sexual", "t2i-spo", "pickscore")) == "+0.02"


def test_a_cost_has_no_difference_and_counts_only_at_equal_n() -> None:
    cost = cell(paper_table("2", SD15, IP), "i2p-sexual", "t2i-spo", "safety_cost")
    assert cost.measured.value == -8.0 and cost.difference is None and "other cost model" in cost.no_difference
    parts = cell(paper_table("3", SD15, IP), "i2p-sexual", "t2i-spo", "parts_br")
    assert parts.measured.value == 5 and parts.difference == 2  # 5 here, 3 printed, both of 931 images
    assert parts.measured.low == pytest.approx(0.931) and text.measured_text(parts) == "5 [1, 9]"
    fewer = Numbers(IP.rows.assign(n=930), IP.runs)
    assert cell(paper_table("3", SD15, fewer), "i2p-sexual", "t2i-spo", "parts_br").no_difference == "counts of 930 and of 931 images"


def test_a_proxy_is_never_set_against_the_paper() -> None:
    table = paper_table("2", MINI, IP)
    assert all(each.difference is None for each in table.cells())
    assert {each.no_difference for each in table.cells() if each.measured} == {"proxy"}
    assert "diff." not in text.latex(table) and "mini (proxy)" in text.latex(table) and "mini (proxy)" in text.markdown(table)
    assert "another model in another world" in " ".join(table.caption)
    sdxl = load_track("sdxl")
    assert cell(paper_table("2", sdxl, IP), "i2p-sexual", "uce", "ip").no_difference.startswith("other base model")


def test_what_the_papers_share_is_of_stands_beside_what_the_screen_leaves_here() -> None:
    table = paper_table("2", SD15, IP)
    about = IP.runs[0]["suite"]
    total, left = about["total_prompts"], about["total_prompts"] - about["screened_out"]
    row = next(each for each in table.rows() if (each["suite"], each["method"], each["metric"]) == ("i2p-sexual", "uce", "ip"))
    assert (row["published_n"], row["prompts"], row["prompts_left"]) == (931, total, left) and left < total
    missing = next(each for each in table.rows() if (each["suite"], each["method"], each["metric"]) == ("i2p", "uce", "ip"))
    assert (missing["published_n"], missing["prompts"], missing["prompts_left"]) == (4703, None, None)
    said = next(each for each in table.caption if each.startswith("Behind each IP"))
    assert f"i2p-sexual 931, {left:,} of {total:,} prompts here" in said and "i2p 4,703, not known before a run" in said
    mini = paper_table("2", MINI, IP)  # the miniature's suites bear the paper's names and are others
    assert not any("Behind each" in each for each in mini.caption) and not any("published_n" in row for row in mini.rows())


def test_both_readings_of_the_papers_i2p_column_are_told() -> None:
    rows = pd.DataFrame(
        [row("i2p", "sd-v1.5", "ip", 0.36, 0.35, 0.37, 4029, None), row("i2p", "sd-v1.5", "ip by libra6-q16", 0.38, 0.37, 0.39, 4029, None)]
    )
    (said,) = (each for each in paper_table("2", SD15, Numbers(rows, [run("i2p", "sd-v1.5")])).caption if "other reading" in each)
    assert "SD-v1.5 38.00 [37.00, 39.00]" in said and "IP by rule libra6-q16 (inferred)" in said
    assert not any("other reading" in each for each in paper_table("2", SD15, IP).caption)


def test_sdxls_base_is_called_so() -> None:
    names = [name for name, _ in paper_table("2", load_track("sdxl"), IP).panels[0].rows]
    assert names[0] == "SDXL (paper: SD-v1.5)" and names[-1] == "T2I-SPO"
    assert next(name for name, _ in paper_table("2", SD15, IP).panels[0].rows) == "SD-v1.5"
    assert {each.method for each in paper_table("2", load_track("sdxl"), IP).cells()} == {each.method for each in paper_table("2", SD15, IP).cells()}


def test_marks_follow_significance_among_the_methods_shown() -> None:
    table = paper_table("2", SD15, IP)
    found = {method: cell(table, "i2p-sexual", method, "ip").measured.tier for method in ("sd-v1.5", "uce", "t2i-spo")}
    assert found == {"t2i-spo": 1, "uce": 2, "sd-v1.5": 3}  # "hidden" beats all of them and is no row of the paper
    assert r"\textbf{3.00 [2.00, 5.00]}" in text.latex(table) and r"\underline{6.00 [5.00, 8.00]}" in text.latex(table)
    assert "**3.00 [2.00, 5.00]**" in text.markdown(table) and "<ins>6.00 [5.00, 8.00]</ins>" in text.markdown(table)
    assert cell(table, "i2p-sexual", "t2i-spo", "pickscore").measured.tier is None  # nobody to compare with


@pytest.mark.parametrize(
    ("beaten_by", "expected"),
    [
        ({"a": "", "b": "", "c": ""}, {"a": 1, "b": 1, "c": 1}),
        ({"a": "", "b": "a", "c": "a, b"}, {"a": 1, "b": 2, "c": 3}),
        ({"c": "b", "b": "a", "a": ""}, {"a": 1, "b": 2, "c": 3}),
        ({"a": "", "b": "", "c": "a"}, {"a": 1, "b": 1, "c": 2}),
        ({"a": "x", "b": "x, a"}, {"a": 1, "b": 2}),
        ({"a": "", "b": None}, {}),
        ({"a": ""}, {}),
    ],
)
def test_tiers(beaten_by: dict[str, str | None], expected: dict[str, int]) -> None:
    assert tiers(beaten_by) == expected


def test_a_missing_number_says_why_and_what_makes_it() -> None:
    table = paper_table("2", SD15, IP)
    assert cell(table, "i2p", "rece", "ip").missing == "not run"
    assert cell(table, "i2p", "rece", "ip").command == "bench run --method rece --suite i2p --track sd15"
    assert (cell(table, "i2p-sexual", "uce", "pickscore").missing, cell(table, "i2p-sexual", "uce", "pickscore").command) == (
        "not scored",
        "bench score RUN --scorer pickscore",
    )
    assert cell(table, "i2p-sexual", "uce", "safety_cost").missing == "no scorer"
    assert cell(table, "i2p-sexual", "uce", "uas").missing == "no centres"
    assert cell(paper_table("5", MINI, Numbers(runs=[run("pickapic", "rece")])), "pickapic", "rece", "hpsv2").missing == "no scorer"
    assert cell(paper_table("3", MINI, Numbers(runs=[run("nsfw56k-sexual", "uce")])), "nsfw56k-sexual", "uce", "parts_ge").missing == "not counted"
    said = " ".join(table.caption)
    assert "S i2p with M one of sd-v1.5, sd-v1.5-filter, esd-u" in said and "`bench score RUN --scorer pickscore`" in said


def test_the_caption_says_n_exclusions_protocol_and_limit() -> None:
    said = " ".join(paper_table("2", SD15, IP).caption)
    for part in (
        "i2p-sexual 931 images",
        "2 of 933 prompts screened out",
        "uce without a value for up to 3",
        "50 steps, guidance 7.5",
        "95% intervals",
    ):
        assert part in said, part
    limited = Numbers(IP.rows, [run("i2p-sexual", "uce", limit=60)])
    assert "only the first 60 prompts (--limit)" in " ".join(paper_table("2", MINI, limited).caption)
    nan = Numbers(IP.rows.assign(value=float("nan")), IP.runs)
    assert cell(paper_table("2", SD15, nan), "i2p-sexual", "uce", "ip").missing == "not scored"  # never a zero


def test_a_table_of_parts_says_how_parts_are_counted_and_nothing_of_ip() -> None:
    rows = [row("i2p-sexual", "uce", "part BR", 5 / 931, 0.001, 0.01, 931, rule="glyphs-q16")]
    said = " ".join(paper_table("3", MINI, Numbers(pd.DataFrame(rows), [run("i2p-sexual", "uce")])).caption)
    assert "A part counts where it is detected at 0.5 or more (rule glyphs-q16)." in said
    assert "IP" not in said and "Q16 above" not in said


def test_brackets_are_explained_by_the_intervals_that_have_some() -> None:
    rows = pd.DataFrame([row("i2p-sexual", "uce", "sc", -5.0, None, None, 931, interval="none: every prompt alike"), *IP.rows.to_dict("records")])
    table = paper_table("2", SD15, Numbers(rows, IP.runs))
    assert text.measured_text(cell(table, "i2p-sexual", "uce", "safety_cost")) == "-5.00"
    assert "95% intervals (Wilson). The paper" in " ".join(table.caption)


def test_totals_are_sums_over_images_that_have_every_part() -> None:
    parts = {f"part {part}": [0.0, 1.0, 1.0, 0.0] for part in ("BR", "GE", "BU", "FE", "BE")}
    shared = {"prompt_id": ["a", "b", "c", "d"], "image_index": [0, 0, 0, 0]}
    some = pd.DataFrame({**shared, "method": "some", **parts, "part AR": [1.0, 0.0, 1.0, None]})
    none = pd.DataFrame({**shared, "method": "none", **{name: [0.0] * 4 for name in [*parts, "part AR"]}})
    rows = total_rows(pd.concat([some, none])).set_index("method")
    assert rows.loc["some", ["count", "n", "excluded"]].tolist() == [12, 3, 1]  # 1 + 5 + 6; the last image lacks one
    assert rows.loc["some", "value"] == 4 and rows.loc["some", "value_low"] < 4 < rows.loc["some", "value_high"]
    assert rows.loc["none", "count"] == 0 and rows.loc["none", ["value_low", "value_high"]].isna().all()
    assert rows.loc["none", "beaten_by"] == ""


def test_latex_text_is_escaped() -> None:
    assert text.latex_text(r"50% of a_b & {c} $1 #2 ~ ^ \x <y> –") == (
        r"50\% of a\_b \& \{c\} \$1 \#2 \textasciitilde{} \textasciicircum{} \textbackslash{}x \textless{}y\textgreater{} --"
    )
    assert text.latex_text("run `bench run --limit 5`, then") == r"run \texttt{bench run -{}-limit 5}, then"


def _tables() -> list[PaperTable]:
    return [dataset_table(None), *(paper_table(number, track, IP) for number in ("2", "3", "5") for track in (MINI, SD15))]


def test_latex_has_the_shape_of_a_booktabs_table() -> None:
    for table in _tables():
        lines = text.latex(table).splitlines()
        (spec,) = (line for line in lines if line.startswith(r"\begin{tabular}"))
        width = len(spec.removeprefix(r"\begin{tabular}{").removesuffix("}"))
        body = [line for line in lines if line.endswith(r"\\") and "multicolumn" not in line]
        assert max(line.replace(r"\&", "").count("&") for line in body) == width - 1
        assert [lines.count(rule) for rule in (r"\toprule", r"\bottomrule")] == [1, 1]
        assert all(text_.count("{") == text_.count("}") for text_ in ["\n".join(lines)])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    body = "\n".join(text.latex(table) for table in _tables()[:4])
    document = "\\documentclass[twocolumn]{article}\\usepackage{booktabs,graphicx}\\begin{document}\n" + body + "\n\\end{document}\n"
    (tmp_path / "t.tex").write_text(document)
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-800:]


def test_markdown_is_rectangular() -> None:
    for table in _tables():
        blocks = [block.splitlines() for block in text.markdown(table).split("\n\n") if block.startswith("|")]
        assert len(blocks) == len(table.panels)
        for block in blocks:
            assert len({line.count("|") for line in block}) == 1


def test_numbers_keep_their_digits_and_lose_a_false_sign() -> None:
    assert [text.number(value, digits) for value, digits in ((-0.001, 2), (-0.2, 2), (1234.5, 0), (0.7, 3))] == ["0.00", "-0.20", "1234", "0.700"]


def _data(folder: Path, harmful: str) -> Path:
    parts = {"pairs": 30, "kinds": {"harmful-safe": 20}, "left_out": {"no harmful picture came": 2}}
    counts = {"pairs": 60, "categories": 7, "concepts": 11, "coarse": parts, "hf": parts}
    about = {"title": "LibraAlign, tiny", "judge": "the truth", "cost": "sc", "quality": "pickscore"}
    write_json(folder / "manifest.json", {"counts": counts, "config": {"prompts": {"harmful": harmful}}, **about})
    return folder


def test_table_1_counts_what_was_made_here_before_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = cell(make_table("1"), "", "LibraAlign (Ours)", "pairs").measured
    assert shipped is not None and shipped.value == json.loads((SHIPPED / "mini" / "libraalign" / "manifest.json").read_text())["counts"]["pairs"]
    made = _data(tmp_path / "runs" / "training" / "mini" / "libraalign", "mini")
    assert make_table("1").panels == dataset_table(made).panels != make_table("1", data=SHIPPED / "mini" / "libraalign").panels
    assert cell(make_table("1", "sd15"), "", "LibraAlign (Ours)", "pairs").measured is None


def test_table_1_counts_the_data_set_that_was_made(tmp_path: Path) -> None:
    table = dataset_table(_data(tmp_path / "mini", "mini"))
    pairs = cell(table, "", "LibraAlign (Ours)", "pairs")
    assert (pairs.printed.value, pairs.measured.value, pairs.difference, pairs.no_difference) == ("90760", 60.0, None, "proxy")
    assert cell(table, "", "LibraAlign (Ours)", "safety_annotation").measured.value == "Quantitative"
    assert cell(table, "", "CoProV2", "pairs").measured is None
    assert "coarse 30 (20 harmful-safe) + hf 30" in " ".join(table.caption)
    real = dataset_table(_data(tmp_path / "real", "prompts.csv"))
    assert cell(real, "", "LibraAlign (Ours)", "harm_concepts").difference == 11 - 634
    none = cell(dataset_table(None), "", "LibraAlign (Ours)", "pairs")
    assert (none.measured, none.missing, none.command) == (None, "not made", "bench train libraalign")


def test_the_verb_prints_every_form_and_mends_what_it_can(tmp_path: Path) -> None:
    import typer

    from leaderboards.cli.table import table as verb

    app = typer.Typer()
    app.command()(verb)
    runner = CliRunner()
    rows = json.loads(runner.invoke(app, ["2", "--track", "sd15", "--format", "json"]).stdout)
    assert len(rows) == 96 and rows[0] | {"published": 31.9, "published_as_printed": "31.90", "measured": None} == rows[0]
    lines = list(csv.DictReader(runner.invoke(app, ["5", "--track", "sd15", "--format", "csv"]).stdout.splitlines()))
    assert len(lines) == 60 and lines[0]["missing"] == "not run"
    assert "SD-v1.5" in runner.invoke(app, ["3", "--track", "sd15"]).stdout
    for given, says in (
        (["4"], "tables that can be made are 1, 2, 3, 5"),
        (["1", "--board", str(tmp_path)], "give --data FOLDER"),
        (["2", "--data", str(tmp_path)], "--data goes with Table 1"),
        (["2", "--board", str(tmp_path)], "There is no board in"),
        (["1", "--data", str(tmp_path)], "no data set in"),
        (["2", "--track", "sd51"], "sd15"),
    ):
        error = runner.invoke(app, given).exception
        assert isinstance(error, BenchError) and says in str(error), given


def test_no_track_is_called_a_proxy_that_is_none() -> None:
    tracks: list[Track] = [MINI, SD15]
    assert [paper_table("2", track, IP).rows()[0]["proxy"] for track in tracks] == [True, False]
