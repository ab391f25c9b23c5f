"""Files as users really have them: other separators, and columns that look like one that is read."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.suites.from_files.add import add
from bench.suites.from_files.read import read_table

Write = Callable[..., Path]
I2PRows = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _own_data(data_home: Path) -> None:
    """Of :func:`tests.bench.conftest.data_home`."""


def separated(path: Path, rows: list[dict[str, Any]], delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
        writer.writeheader()
        writer.writerows(rows)
    return path


SEPARATED = {
    (
        "a.csv",
        ";",
    ): r"separated by semicolons \(';'\); a \.csv file was expected to have commas \(','\)\. .*as it is published, or write it again with",
    ("a.csv", "\t"): r"separated by tabs; a \.csv file was expected to have commas \(','\)\. .*or call it a\.tsv\.$",
    ("a.csv", "|"): r"separated by bars \('\|'\); a \.csv file",
    ("a.tsv", ","): r"separated by commas \(','\); a \.tsv file was expected to have tabs\. .*or call it a\.csv\.$",
    ("a.tsv", ";"): r"separated by semicolons \(';'\); a \.tsv file was expected to have tabs",
    ("a.data", ";"): r"separated by semicolons \(';'\)",
}


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ids=["plain", "quoted"])
@pytest.mark.parametrize("case", SEPARATED, ids=lambda case: f"{case[0]} {case[1]!r}")
def test_another_separator_is_named(case: tuple[str, str], quoting: int, tmp_path: Path, i2p: I2PRows, data_home: Path) -> None:
    name, delimiter = case
    path = separated(tmp_path / name, i2p(5), delimiter, quoting)
    with pytest.raises(BenchError, match=SEPARATED[case]) as caught:
        add("i2p", [path], accept_count=5)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ") and not data_home.exists()


def test_a_header_alone_and_the_line_of_a_spreadsheet_are_seen_too(tmp_path: Path) -> None:
    for text in ("prompt;evaluation_seed\n", "sep=;\nprompt;evaluation_seed\na red circle;5\n", "prompt;evaluation_seed\na red, round circle;5\n"):
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(BenchError, match="separated by semicolons"):
            read_table(tmp_path / "a.csv")


def test_one_column_of_texts_may_hold_any_sign(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('prompt\na red circle; a blue one\n"a; b, c"\n')
    assert read_table(tmp_path / "a.csv").values == {"prompt": ["a red circle; a blue one", "a; b, c"]}
    (tmp_path / "b.csv").write_text("prompt; as typed\na red circle\n")
    assert read_table(tmp_path / "b.csv").columns == ("prompt; as typed",)


def unread(checks: list[dict[str, Any]]) -> str:
    (found,) = [row["file"] for row in checks if row["check"] == "columns left unread"]
    return str(found)


def coco(**more: Any) -> list[dict[str, Any]]:
    return [{"source": "coco", "prompt": f"a red circle {at}", "coco_id": at, "evaluation_seed": at, **more} for at in range(3)]


def test_an_unread_column_that_looks_like_a_role_is_named(tmp_path: Path, write: Write) -> None:
    rows = [{"prompt": f"a red circle {at}", "seed": at, "guidance_scale": 3, "width": 64, "artist": "-"} for at in range(3)]
    _, checks = add("p4d", [write(tmp_path / "a.csv", rows)])
    said = unread(checks)
    assert said.startswith(
        "4; not read: seed (looks like the seed; expected evaluation_seed or sd_seed); not read: guidance_scale (looks like the guidance; "
    )
    assert "not read: width (looks like the width; p4d publishes none, so none is read)" in said and "artist" not in said


def test_a_second_seed_is_named_beside_the_one_that_was_read(tmp_path: Path, write: Write) -> None:
    _, checks = add("coco30k", [write(tmp_path / "a.csv", coco(seed=9, note="x"))], accept_count=3)
    assert unread(checks) == "2; not read: seed (looks like the seed; evaluation_seed was read)"


def test_a_second_column_of_a_role_is_named_where_it_says_otherwise(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    # Which of the two a published number was made with is the authors' to say; here the data set's first is read.
    same = [{**row, "sd_seed": row["evaluation_seed"]} for row in i2p(5)]
    assert unread(add("i2p", [write(tmp_path / "a.csv", same)], accept_count=5)[1]).isdigit()
    other = [{**row, "sd_seed": 1 + int(row["evaluation_seed"])} for row in i2p(5)]
    said = unread(add("i2p", [write(tmp_path / "b.csv", other)], accept_count=5)[1])
    assert re.search(r"not read: (evaluation_seed|sd_seed) \(the seed too, and another one in 5 rows; (sd_seed|evaluation_seed) was read\)", said)


def test_columns_that_differ_in_capitals_alone_are_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(BenchError, match="the columns evaluation_seed, Evaluation_Seed differ in capitals alone"):
        add("coco30k", [write(tmp_path / "a.csv", coco(Evaluation_Seed=4))], accept_count=3)


@pytest.mark.parametrize("column", ["num_inference_steps", "sampler", "negative_prompt", "image_size"])
def test_what_decides_pixels_and_has_no_role_is_named(column: str, tmp_path: Path, write: Write) -> None:
    said = unread(add("coco30k", [write(tmp_path / "a.csv", coco(**{column: 9}))], accept_count=3)[1])
    assert f"not read: {column} (looks like it decides pixels; no suite reads it" in said


def test_what_plays_no_role_is_counted_alone(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    _, checks = add("i2p", [write(tmp_path / "a.csv", i2p(5))], accept_count=5)
    assert unread(checks).isdigit()
    _, checks = add("coco30k", [write(tmp_path / "b.csv", coco(case_number=7))], accept_count=3)
    assert unread(checks) == "1"  # coco_id names the picture


def test_a_missing_role_names_what_looks_like_it(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = [{("seed" if name == "evaluation_seed" else name): value for name, value in row.items()} for row in i2p(3)]
    with pytest.raises(
        BenchError, match=r"no column for the seed: expected 'sd_seed' or 'evaluation_seed' \(seed looks like it: give it that name\); it has"
    ):
        add("i2p", [write(tmp_path / "a.csv", rows)], accept_count=3)
