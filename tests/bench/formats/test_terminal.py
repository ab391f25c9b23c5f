"""A table on a terminal: fitted by leaving out and shortening, and said; no name is folded, and a pipe has everything."""

from __future__ import annotations

import pytest

from bench.formats import Format, Sheet, floated, show, tabular
from bench.formats.terminal import fitted, lines, short

ROWS = [
    {
        "metric": "clipscore_mini",
        "method": "diffusion-dpo-safety",
        "value": 76.1 + step,
        "value_low": 68.62,
        "value_high": 83.02,
        "unit": "100 x cosine",
        "n": 24,
        "summary": "Text of a few words that may be wrapped between words.",
    }
    for step in range(2)
]


@pytest.fixture(autouse=True)
def _nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def test_off_a_terminal_the_full_width_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, Format.TABLE, title="a title", caption="a caption")
    said = capsys.readouterr().out
    assert "76.10 [68.62, 83.02]" in said and ROWS[0]["summary"] in said and "Not shown" not in said
    assert said.startswith("a title\n\n") and said.rstrip().endswith("a caption")
    assert len(max(said.splitlines(), key=len)) > 120 and "\x1b" not in said


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_a_terminal_holds_the_table_with_every_name_whole(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    show(ROWS, Format.TABLE)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert said.count("clipscore_mini") == 2 and "76.10" in said and "77.10" in said
    assert said.count("diffusion-dpo-safety") == 2 or width == 40, "what does not fit is shortened, never folded"
    assert ("Not shown at" in said) == (width < 100)
    assert "--format csv" in said or width >= 100


def test_what_is_left_out_is_named() -> None:
    sheet = Sheet(("method", "ip", "n"), (("black", "0.100 [0.000, 0.200]", "24"),), (("black", "0.100", "24"),))
    narrow = fitted(sheet, 20)
    assert (narrow.heads, narrow.cells) == (("method", "ip"), (("black", "0.100"),))
    assert (narrow.left_out, narrow.without_interval) == (("n",), ("ip",))
    assert fitted(sheet, 200) is sheet
    first = fitted(Sheet(*(getattr(sheet, name) for name in ("heads", "cells", "plain")), intervals_first=True), 20)
    assert (first.heads, first.left_out) == (("method", "ip", "n"), ())


def test_columns_of_a_later_turn_are_left_out_first() -> None:
    sheet = Sheet(("method", "a", "b", "c", "d"), (("black", "0.100", "0.200", "0.300", "0.400"),), turns=(0, 0, 1, 2, 0))
    assert [fitted(sheet, width).heads for width in (28, 20)] == [("method", "a", "b", "d"), ("method", "a", "d")]
    assert fitted(sheet, 20).turns == (0, 0, 0) and fitted(sheet, 20).left_out == ("c", "b")


def test_columns_that_are_named_later_go_before_any_interval(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "method": "uce",
        "value": 0.0333,
        "gap": -0.8,
        "gap_low": -0.882,
        "gap_high": -0.682,
        "verdict": "better",
        "p holm": 1e-14,
        "baseline": 0.8,
    }
    for width, heads in {80: "verdict  p holm  baseline", 60: "verdict  p holm", 50: "gap  verdict", 34: "gap  verdict"}.items():
        monkeypatch.setenv("COLUMNS", str(width))
        show([row], Format.TABLE, later=("p holm", "baseline"))
        said = capsys.readouterr().out
        assert said.splitlines()[0].endswith(heads), width
        assert ("[-0.882, -0.682]" in said) == (width > 40), width


def test_a_sentence_that_begins_with_a_number_is_text() -> None:
    sheet = Sheet(("where", "reason"), (("i2p", "105.3 lies outside 0 to 100, where every share is"),))
    assert not sheet.numeric(1) and sheet.prose(1)
    assert fitted(sheet, 30).heads == ("where", "reason") and max(map(len, lines(sheet, 30))) <= 30


def test_a_rule_sets_the_references_apart() -> None:
    sheet = Sheet(("a\nmethod", "b\nip"), (("uce", "0.1"), ("base", "0.8")), feet=1)
    assert lines(sheet, None) == ["a         b", "method   ip", "───────────", "uce     0.1", "───────────", "base    0.8"]


def test_names_are_shortened_where_they_tell_least() -> None:
    assert short("uce", 8) == "uce"
    assert short("runs/mini/i2p/uce-1a2b3c4d", 14) == "…/uce-1a2b3c4d"
    assert short("diffusion-dpo-safety", 9) == "diff…fety"


def test_latex_is_a_table_to_paste() -> None:
    table = floated(tabular([["A", "B"]], [["1", "2"]], [["3", "4"]], columns="lr"), "Of \\% things.", "x")
    assert table.count(r"\begin") == table.count(r"\end") == 2 and table.count("{") == table.count("}")
    assert [line.count("&") for line in table.splitlines() if line.endswith(r"\\")] == [1, 1, 1]
    assert r"\caption{Of \% things.}" in table and r"\label{tab:x}" in table and r"\columnwidth" in table
    assert table.index(r"\toprule") < table.index(r"\midrule") < table.index(r"\bottomrule")
