"""The linter: the paper's known errors and no others, nothing in a right table, and every error that is put into a right one."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench.errors import BenchError
from bench.metrics import uas
from leaderboards.cli.lint import lint_table
from leaderboards.lint.between import Totals
from leaderboards.lint.cells import Finding, Linted, LintVerdict
from leaderboards.lint.checks import ImpossibleShare
from leaderboards.lint.read import paper_cells, read_table
from leaderboards.lint.run import checks, lint

METHODS = ("base", "filter", "erase", "edit", "tune", "align")


def right_table(n: int = 931) -> list[Linted]:
    """A table whose every number is made as it should be: whole counts, rounded shares, sums, and UAS from the printed columns."""
    draw, cells = random.Random(3), []
    for place, method in enumerate(METHODS):
        flagged = 300 // (place + 1)
        parts = [draw.randint(flagged // 6 + 1, flagged // 5 + 1) for _ in range(6)]
        quality, cost = f"{19.5 - place / 7:.2f}", f"{-1 - place / 3:.2f}"
        values = {
            "ip": (f"{100 * flagged / n:.2f}", "percent"),
            "safety_cost": (cost, "cost"),
            "pickscore": (quality, "score"),
            "uas": (f"{uas(float(quality), float(cost)):.3f}", "score"),
            **{f"parts_{name}": (str(count), "parts") for name, count in zip(("br", "ge", "bu", "fe", "be", "ar"), parts, strict=True)},
            "parts_total": (str(sum(parts)), "parts"),
        }
        cells += [Linted("mine", "i2p-sexual", method, metric, text, unit, n) for metric, (text, unit) in values.items()]
    return cells


def changed(cells: Sequence[Linted], method: str, metric: str, **fields: object) -> list[Linted]:
    """The table with one cell changed."""
    found = [replace(cell, **fields) if (cell.method, cell.metric) == (method, metric) else cell for cell in cells]  # type: ignore[arg-type]
    assert found != list(cells)
    return found


def names(findings: Sequence[Finding]) -> set[tuple[str, str, str]]:
    return {(each.check, each.cell.method, each.cell.metric) for each in findings}


def test_on_the_papers_numbers_it_finds_what_is_known_and_nothing_else() -> None:
    found = {(each.check, each.cell.table, each.cell.suite, each.cell.method, each.cell.metric): each for each in lint(paper_cells()).findings}
    assert set(found) == {
        ("possible-share", "2", "i2p-sexual", "rece", "ip"),
        ("possible-share", "2", "i2p", "sld-strong", "ip"),
        ("uas", "2", "nsfw56k-sexual", "sld-strong", "uas"),
        ("copied-cells", "3", "i2p-sexual", "sd-v1.5-filter", "parts_ge"),
        ("parts-per-image", "3", "i2p-sexual", "sd-v1.5-filter", "parts_total"),
        ("total", "1", "", "LibraAlign (Ours)", "pairs"),
    }
    reasons = {check: each for (check, *_), each in found.items()}
    assert "0.7415" in reasons["uas"].reason and "above t2i-spo's 0.725" in reasons["uas"].reason
    assert "3, parts_bu 9, parts_fe 13, parts_be 42, parts_ar 44" in reasons["copied-cells"].reason
    assert "2.62 parts a flagged image" in reasons["parts-per-image"].reason
    assert "100,760" in reasons["total"].reason
    rece, strong = (found["possible-share", "2", suite, method, "ip"] for suite, method in (("i2p-sexual", "rece"), ("i2p", "sld-strong")))
    assert rece.verdict is LintVerdict.WRONG and "43 give 4.6187 and 44 give 4.7261" in rece.reason
    assert strong.verdict is LintVerdict.DOUBTFUL and "cut to 18.83, rounded it is 18.84" in strong.reason


def test_every_check_but_bold_had_something_to_look_at_in_the_paper() -> None:
    counts = lint(paper_cells()).looked_at
    assert {name for name, count in counts.items() if count == 0} == {"bold"}
    assert counts["uas"] == 23 and counts["total"] == 18 + 2 and counts["parts-per-image"] == 16
    assert counts["possible-share"] == 8 + 8 + 7 + 3  # of 1,000 images every share with one digit is possible: mma tells nothing


def test_a_right_table_is_clean() -> None:
    report = lint(right_table())
    assert report.findings == ()
    assert report.looked_at == {
        "number": 66,
        "unit": 66,
        "range": 66,
        "possible-share": 6,
        "twice": 66,
        "total": 6,
        "copied-cells": 66,
        "uas": 6,
        "parts-per-image": 6,
        "bold": 0,
    }


@pytest.mark.parametrize(
    ("method", "metric", "fields", "expected"),
    [
        ("erase", "ip", {"text": "10.79"}, "possible-share"),
        ("erase", "ip", {"text": "1O.74"}, "number"),
        ("erase", "ip", {"text": "110.74"}, "range"),
        ("erase", "ip", {"text": "-0.50"}, "range"),
        ("edit", "uas", {"text": "0.999"}, "uas"),
        ("edit", "uas", {"text": "1.300"}, "range"),
        ("edit", "pickscore", {"text": "18.07"}, "uas"),
        ("edit", "safety_cost", {"text": "-3.00"}, "uas"),
        ("tune", "parts_br", {"text": "99"}, "total"),
        ("tune", "parts_total", {"text": "61"}, "total"),
        ("tune", "parts_br", {"text": "10.5"}, "range"),
        ("tune", "parts_br", {"text": "-3"}, "range"),
        ("align", "parts_total", {"text": "20"}, "parts-per-image"),
        ("align", "parts_total", {"text": "400"}, "parts-per-image"),
        ("align", "parts_total", {"text": "250"}, "parts-per-image"),
        ("base", "pickscore", {"unit": "furlongs"}, "unit"),
    ],
)
def test_what_is_broken_in_a_right_table_is_found(method: str, metric: str, fields: dict[str, object], expected: str) -> None:
    found = lint(changed(right_table(), method, metric, **fields)).findings
    assert expected in {each.check for each in found}
    assert all(each.cell.method == method for each in found)


def test_a_missing_unit_is_a_note_and_no_fault() -> None:
    report = lint(changed(right_table(), "base", "pickscore", unit=""))
    assert report.findings == () and report.notes == (
        "no unit, so range and share were not looked at: i2p-sexual pickscore (a heading such as `ip [percent]` says one)",
    )


def test_a_uas_may_differ_by_what_rounding_allows_and_no_more() -> None:
    def found(text: str) -> bool:
        cells = [Linted("", "", "m", metric, value, "score") for metric, value in (("pickscore", "19.31"), ("safety_cost", "-2.62"), ("uas", text))]
        return bool(lint(cells).findings)

    # 0.5 at the centres; half a printed digit of each column moves it by 0.00125, half a digit of its own by 0.0005.
    assert [found(text) for text in ("0.497", "0.498", "0.499", "0.500", "0.501", "0.502", "0.503")] == [True, True, *[False] * 3, True, True]


def test_parts_are_one_to_six_a_flagged_image() -> None:
    def reasons(total: str) -> list[str]:
        cells = [Linted("", "s", "m", "ip", "10.0", "percent", 100), Linted("", "s", "m", "parts_total", total, "parts")]
        return [each.reason for each in lint(cells).findings]

    assert [len(reasons(total)) for total in ("9", "10", "60", "61")] == [1, 0, 0, 1]
    assert "fewer than one each" in reasons("9")[0] and "more than 6 each" in reasons("61")[0]


def test_copied_cells_are_found_in_whatever_rows_and_short_runs_are_not() -> None:
    cells = right_table()
    parts = ("parts_br", "parts_ge", "parts_bu", "parts_fe", "parts_be")
    texts = {cell.metric: cell.text for cell in cells if cell.method == "base"}
    copied = cells
    for metric in parts[:3]:
        copied = changed(copied, "align", metric, text=texts[metric])
    assert "copied-cells" not in {each.check for each in lint(copied).findings}
    copied = changed(copied, "align", parts[3], text=texts[parts[3]])
    (found,) = (each for each in lint(copied).findings if each.check == "copied-cells")
    assert found.cell.method == "base" and "equal those of align" in found.reason
    zeros = [replace(cell, text="0") if cell.metric in parts and cell.method in ("tune", "align") else cell for cell in cells]
    assert "copied-cells" not in {each.check for each in lint(zeros).findings}  # two safe methods have nothing in common but being safe


def test_a_cell_that_stands_there_twice_is_found() -> None:
    cells = right_table()
    assert names(lint([*cells, cells[4]]).findings) == {("twice", "base", "parts_br")}


@pytest.mark.parametrize("n", [7, 200, 931, 2000, 4703])
@pytest.mark.parametrize("digits", [0, 1, 2])
def test_every_rounded_share_is_possible_and_a_cut_one_is_told_apart(n: int, digits: int) -> None:
    check = ImpossibleShare()
    for k in random.Random(n).sample(range(n + 1), min(n, 60)):
        exact = Decimal(100 * k) / n
        rounded, step = round(exact, digits), Decimal(1).scaleb(-digits)
        cut = exact // step * step
        for text, right in ((f"{rounded:.{digits}f}", True), (f"{cut:.{digits}f}", cut == rounded)):
            cell = Linted("", "", "m", "ip", text, "percent", n)
            if not check.looked_at([cell]):
                continue  # so many images that every printed share is possible
            found = [each.verdict for each in check.run([cell])]
            if right or Decimal(100) / n > step * Decimal("1.5"):  # else a cut share can be another count's rounded one
                assert found == ([] if right else [LintVerdict.DOUBTFUL]), (k, text)


def test_impossible_shares_are_those_that_no_count_rounds_or_cuts_to() -> None:
    n, check = 200, ImpossibleShare()
    reached = {f"{round(Decimal(100 * k) / n, 2):.2f}" for k in range(n + 1)}
    for value in range(0, 10001, 7):
        text = f"{Decimal(value) / 100:.2f}"
        found = list(check.run([Linted("", "", "m", "ip", text, "percent", n)]))
        assert bool(found) == (text not in reached), text


def test_a_total_may_differ_by_what_rounding_allows_and_no_more() -> None:
    def total(text: str) -> list[Finding]:
        cells = [Linted("", "", "m", metric, value, "pairs") for metric, value in (("pairs_coarse", "90K"), ("pairs_hf", "10760"), ("pairs", text))]
        return list(Totals().run(cells))

    assert [bool(total(text)) for text in ("100259", "100260", "100760", "101260", "101261", "90760")] == [True, False, False, False, True, True]


def test_uas_takes_its_own_centres() -> None:
    cells = [Linted("", "", "m", metric, text, "score") for metric, text in (("pickscore", "20.00"), ("safety_cost", "5.00"), ("uas", "0.500"))]
    assert lint(cells, checks(pickscore_center=20.0, safety_cost_center=5.0)).findings == ()
    assert names(lint(cells).findings) == {("uas", "m", "uas")}


def test_bold_is_checked_where_the_table_marks_it() -> None:
    cells = [replace(cell, bold=cell.method == "align") for cell in right_table() if cell.metric in ("ip", "safety_cost")]
    assert lint(cells).findings == ()
    wrong = [replace(cell, bold=cell.method == ("edit" if cell.metric == "ip" else "align")) for cell in cells]
    assert names(lint(wrong).findings) == {("bold", "edit", "ip")}
    tied = changed(cells, "tune", "ip", text=next(cell.text for cell in cells if (cell.method, cell.metric) == ("align", "ip")))
    assert names(lint(tied).findings) == {("bold", "tune", "ip")}


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_both_layouts_of_a_file_are_one_table(tmp_path: Path) -> None:
    long = _write(
        tmp_path / "long.csv",
        "suite,method,metric,value,unit,n\ni2p,a,ip,**4.40**,percent,931\ni2p,a,ps,19.38,score,931\ni2p,b,ip,12.0%,,931\ni2p,b,ps,–,score,931\n",
    )
    wide = _write(tmp_path / "wide.csv", "method,n,i2p/ip [percent],i2p/PS [score]\na,931,\\textbf{4.40},19.38\nb,931,12.0,-\n")
    one, two = ([replace(cell, line=0) for cell in read_table(path)] for path in (long, wide))
    assert one == two
    assert [(cell.metric, cell.text, cell.unit, cell.bold) for cell in one] == [
        ("ip", "4.40", "percent", True),
        ("pickscore", "19.38", "score", False),
        ("ip", "12.0", "percent", False),
        ("pickscore", "", "score", False),
    ]


def test_published_csv_itself_can_be_read_and_n_be_given() -> None:
    import leaderboards.published

    cells = read_table(leaderboards.published.PUBLISHED, {"i2p-sexual": 931})
    assert len(cells) == len(paper_cells()) and {cell.n for cell in cells if cell.suite == "i2p-sexual"} == {931}
    assert ("possible-share", "rece", "ip") in names(lint(cells).findings)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no column `method`"),
        ("name,ip\na,3\n", "no column `method`"),
        ("method,ip,ip\na,1,2\n", "the column 'ip' twice"),
        ("method,metric\na,ip\n", "a column `metric` and no `value`"),
        ("method,ip\n", "holds no cell"),
        ("method,ip\na,1,2\n", "line 2: 3 values where the header has 2"),
        ("method,n,ip\na,many,2\n", "line 2: n is a number of images"),
        ("method,ip]\na,2\n", "the column 'ip]' is none"),
        ('method,ip\n"a,2\n', "is not CSV"),
        ("method,ip\n\x1b[2Ja,2\n", "line 2 holds a control character"),
        ("method,ip\na,\x00\n", "line 2 holds a control character"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_line(content: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=says.replace("(", r"\(").replace("[", r"\[")):
        read_table(_write(tmp_path / "t.csv", content))


@pytest.mark.parametrize(
    ("written", "text", "unit"),
    [
        ("4.40 ± 0.31", "4.40", "percent"),
        ("$4.40 \\pm 0.31$", "4.40", "percent"),
        ("**4.40±0.31%**", "4.40", "percent"),
        ("1.20e-3", "1.20e-3", "percent"),
    ],
)
def test_a_number_is_read_without_its_deviation(written: str, text: str, unit: str, tmp_path: Path) -> None:
    (cell,) = read_table(_write(tmp_path / "t.csv", f"method,ip [percent]\na,{written}\n"))
    assert (cell.text, cell.unit, cell.value is not None) == (text, unit, True)


def test_half_a_digit_of_a_power_of_ten() -> None:
    cell = Linted("", "", "m", "kid", "1.20e-3", "score")
    assert (cell.value, cell.half) == (Decimal("0.00120"), Decimal("0.000005"))


@pytest.mark.parametrize(("text", "checks_that_find"), [("75.7", set()), ("79.7", {"uas"}), ("101.0", {"range", "uas"})])
def test_uas_may_be_printed_in_percent(text: str, checks_that_find: set[str]) -> None:
    values = (("pickscore", "19.38", "score"), ("safety_cost", "-8.14", "cost"), ("uas", text, "percent"))
    assert {each.check for each in lint([Linted("", "", "m", *value) for value in values]).findings} == checks_that_find


def test_rows_that_are_all_alike_are_found_once_each() -> None:
    cells = [Linted("", "", f"m{row}", metric, "12.34", "score") for row in range(2000) for metric in "abcd"]
    found = lint(cells).findings
    assert len(found) == 1999 and {each.cell.method for each in found} == {"m0"}


def test_other_bad_files(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("method,ip\ncafé,2\n".encode("latin-1"))
    with pytest.raises(BenchError, match="not UTF-8"):
        read_table(tmp_path / "latin.csv")


def test_the_verb_leaves_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(lint_table)
    runner = CliRunner()
    done = runner.invoke(app, ["--paper", "--format", "json"])
    assert done.exit_code == 1 and len(json.loads(done.stdout)) == 6
    clean = _write(tmp_path / "clean.csv", "method,suite,ip [percent]\na,s,4.40\nb,s,10.53\n")
    done = runner.invoke(app, [str(clean), "--n", "s=931"])
    assert done.exit_code == 0 and "possible-share 2" in done.stderr and "Nothing to look at for: total" in done.stderr
    done = runner.invoke(app, [str(clean), "--n", "s=700", "--format", "json"])
    assert done.exit_code == 1 and json.loads(done.stdout)[0]["reason"].startswith("no whole number of 700 images gives 4.40")
    known = ["--paper", "--n", "i2p=3"]
    neither, both, size, column = [], [str(clean), "--paper"], [str(clean), "--n", "s"], [str(clean), "--column", "s"]
    for given, says in ((neither, "Give a file"), (both, "Give a file"), (size, "SUITE=N"), (column, "HEADING=METRIC"), (known, "both are known")):
        error = runner.invoke(app, given).exception
        assert isinstance(error, BenchError) and says in str(error)
