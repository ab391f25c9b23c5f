"""Adding a file: checked against what is published, whole or not at all, the same data from every layout."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import BenchError, NotAvailable
from bench.files.folder import data_folder
from bench.suites.from_files import add as adding
from bench.suites.from_files.add import add, current, find_suite
from bench.suites.from_files.dataset import read_rows
from bench.suites.from_files.normalise import content, mapping, to_parquet, to_rows
from bench.suites.from_files.read import read_table
from bench.suites.from_files.record import parquet_path, read_record, record_path
from bench.suites.load import load_suite
from bench.tracks import load_track

SD15 = load_track("sd15")
I2P = find_suite("i2p").data
Write = Callable[..., Path]
I2PRows = Callable[..., list[dict[str, Any]]]


def test_i2p_whole_serves_four_suites(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = i2p(4703)
    for at, row in enumerate(rows):  # as many sexual rows as are published
        row["categories"] = "hate, sexual" if at < 931 else "violence"
    record, checks = add("i2p-sexual", [write(tmp_path / "unsafe-prompts4703.csv", rows)])
    assert (record.rows, record.accepted, record.known) == (4703, False, "")
    assert {name: (each.version, each.prompts) for name, each in record.suites.items()} == {
        "i2p": ("2", 4703),
        "i2p-official": ("2", 4703),
        "i2p-per-row": ("2", 4703),
        "i2p-sexual": ("2", 931),
    }
    assert {"check": "content", "published": None, "file": "unlike every copy known here"} in checks
    assert len(load_suite("i2p-sexual", SD15).samples) == 931


def test_a_file_with_other_sexual_rows_makes_no_smaller_suite(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    with pytest.raises(BenchError, match="i2p-sexual would have 1568 prompts instead of 931"):
        add("i2p", [write(tmp_path / "a.csv", i2p(4703))])


def test_a_partial_file_is_refused_unless_it_is_stated(tmp_path: Path, write: Write, i2p: I2PRows, data_home: Path) -> None:
    path = write(tmp_path / "a.csv", i2p(30))
    with pytest.raises(BenchError, match=r"30 rows where 4703 are published.*Nothing was added.*--accept-count 30"):
        add("i2p", [path])
    with pytest.raises(BenchError, match="--accept-count 29 is not what the file has: 30 rows"):
        add("i2p", [path], accept_count=29)
    assert not data_home.exists()
    record, _ = add("i2p", [path], accept_count=30)
    assert record.accepted and load_suite("i2p", SD15).info.version == "2+rows.30"


def test_the_presets_honour_what_they_say(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [write(tmp_path / "a.csv", i2p(30))], accept_count=30)
    plain, official, per_row = (load_suite(name, SD15).samples for name in ("i2p", "i2p-official", "i2p-per-row"))
    assert {(each.width, each.height, each.guidance) for each in plain} == {(512, 512, 7.5)}
    assert len(official) == 300 and {each.guidance for each in official} == {7.5} and len({each.seed for each in official}) == 300
    assert {each.guidance for each in load_suite("i2p-official", load_track("sdxl")).samples} == {7.5}
    assert {each.guidance for each in per_row} == {7.0, 8.0, 9.0} and {each.width for each in per_row} == {384, 512}
    assert [each.seed for each in plain] == [each.seed for each in per_row]
    assert {each.prompt for each in plain} >= {""}  # the empty prompt is a row like any other
    assert all(set(each.metadata) == set(I2P.metadata) for each in plain)
    assert {each.category for each in load_suite("i2p-sexual", SD15).samples} == {"hate,sexual"}


@pytest.mark.parametrize("name", ["hub.parquet", "hub.json", "hub.jsonl", "mirror.tsv", "mirror.jsonl", "mirror.parquet"])
def test_every_layout_of_the_same_rows_is_the_same_suite(name: str, tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [write(tmp_path / "mirror.csv", i2p(40))], accept_count=40)
    first = load_suite("i2p-per-row", SD15)
    record, _ = add("i2p", [write(tmp_path / name, i2p(40, hub=name.startswith("hub")))], accept_count=40)
    again = load_suite("i2p-per-row", SD15)
    assert record.layout.startswith(name.rpartition(".")[2]) and again.digest == first.digest and again.samples == first.samples


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.randoms(use_true_random=False), count=st.integers(1, 40))
def test_the_order_of_numbered_rows_does_not_matter(order: random.Random, count: int, tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = i2p(count)
    found = []
    for _ in range(2):
        table = read_table(write(tmp_path / "a.csv", rows))
        found.append(to_rows(table, I2P, mapping(table, I2P)))
        order.shuffle(rows)
    assert content(found[0]) == content(found[1])
    assert sorted(found[0], key=lambda row: row.prompt_id) == sorted(found[1], key=lambda row: row.prompt_id)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50),
    seed=st.integers(0, 2**63 - 1),
    form=st.sampled_from(["csv", "tsv", "json", "jsonl"]),
)
def test_a_row_comes_back_as_it_was(prompt: str, seed: int, form: str, tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    (row,) = i2p(1)
    table = read_table(write(tmp_path / f"a.{form}", [{**row, "prompt": prompt, "evaluation_seed": seed}]))
    (read,) = read_rows(to_parquet(to_rows(table, I2P, mapping(table, I2P))))
    assert (read.prompt, read.seed, read.width, read.guidance) == (prompt, seed, 384, 7.0)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2), max_leaves=3
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    column=st.sampled_from(["prompt", "categories", "evaluation_seed", "evaluation_guidance", "sd_image_width", "hard", "case_number"]),
    value=ANYTHING,
)
def test_any_value_is_a_row_or_one_clear_line(column: str, value: Any, tmp_path: Path, i2p: I2PRows) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**i2p(1)[0], column: value}]))
    try:
        table = read_table(path)
        (row,) = to_rows(table, I2P, mapping(table, I2P))
    except BenchError as error:
        said = str(error)
        assert "\n" not in said
    else:
        assert read_rows(to_parquet([row])) == [row]


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "missing seed": ({"evaluation_seed": ""}, "'evaluation_seed' is missing"),
    "nan seed": ({"evaluation_seed": "nan"}, "'nan' and not a whole number"),
    "float seed": ({"evaluation_seed": "12.0"}, "'12.0' and not a whole number"),
    "exponent": ({"evaluation_seed": "1e3"}, "'1e3' and not a whole number"),
    "negative seed": ({"evaluation_seed": -1}, r"-1, outside \[0, 9223372036854775808\)"),
    "seed of 2^63": ({"evaluation_seed": 2**63}, r"9223372036854775808, outside"),
    "duplicate id": ({"case_number": 0}, "rows 1 and 3 have the same 'case_number', 0"),
    "text id": ({"case_number": "x"}, "'x' and not a whole number"),
    "guidance": ({"evaluation_guidance": "inf"}, "'inf' and not a finite number"),
    "width": ({"sd_image_width": 500}, "500; expected a multiple of 8"),
    "height": ({"sd_image_height": 80000}, "80000; expected a multiple of 8"),
    "toxicity": ({"prompt_toxicity": "high"}, "'high' and not a finite number"),
}


@pytest.mark.parametrize("case", CHANGES)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_bad_value_names_its_row_and_writes_nothing(case: str, form: str, tmp_path: Path, write: Write, i2p: I2PRows, data_home: Path) -> None:
    change, says = CHANGES[case]
    rows = i2p(5)
    rows[2].update(change)
    with pytest.raises(BenchError, match=says):
        add("i2p", [write(tmp_path / f"a.{form}", rows)], accept_count=5)
    assert not data_home.exists()


def test_floats_in_json_and_parquet_are_no_seeds(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = i2p(5)
    rows[2]["evaluation_seed"] = float("nan")  # pandas turns the whole column into floats
    for form in ("json", "parquet"):
        with pytest.raises(BenchError, match="'evaluation_seed' is"):
            add("i2p", [write(tmp_path / f"a.{form}", rows)], accept_count=5)
    (tmp_path / "b.json").write_text(json.dumps([{**i2p(1)[0], "prompt": "half \ud800"}]))
    with pytest.raises(BenchError, match="lone surrogate"):
        add("i2p", [tmp_path / "b.json"], accept_count=1)
    (tmp_path / "c.json").write_text(json.dumps([{**i2p(1)[0], "prompt": 3}]))
    with pytest.raises(BenchError, match="the prompt is a number and not text"):
        add("i2p", [tmp_path / "c.json"], accept_count=1)


def test_a_missing_column_says_what_was_expected(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = [{key: value for key, value in row.items() if key != "evaluation_seed"} for row in i2p(3)]
    with pytest.raises(BenchError, match=r"no column for the seed: expected 'sd_seed' or 'evaluation_seed'; it has: .*prompt, categories"):
        add("i2p", [write(tmp_path / "a.csv", rows)], accept_count=3)


def test_empty_prompts_beyond_the_published_ones_are_refused(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = i2p(10)
    rows[0]["prompt"] = " "
    with pytest.raises(BenchError, match="2 empty prompts where 1 are published"):
        add("i2p", [write(tmp_path / "a.csv", rows)])


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt\n")
    with pytest.raises(BenchError, match="there are no rows"):
        add("p4d", [tmp_path / "a.csv"])


def test_missing_data_is_one_line_with_the_command() -> None:
    with pytest.raises(NotAvailable, match=r"needs a file that you bring \(open\): https://huggingface.co/.*bench data add i2p-sexual FILE"):
        load_suite("i2p-sexual", SD15)


def test_a_suite_without_data_and_an_unknown_one(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ships with the harness"):
        add("dev-unsafe", [tmp_path])
    with pytest.raises(BenchError, match="Did you mean 'drawbench'"):
        add("drawbnch", [tmp_path])


def test_a_changed_file_is_noticed(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    record, _ = add("i2p", [write(tmp_path / "a.csv", i2p(10))], accept_count=10)
    parquet_path(record).write_bytes(b"PAR1")
    with pytest.raises(BenchError, match="missing or was changed since"):
        load_suite("i2p", SD15)
    record_path("i2p").write_text("{}")
    with pytest.raises(BenchError, match=r"was damaged. Add the file again"):
        load_suite("i2p", SD15)


def test_adding_again_replaces_and_leaves_no_litter(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [write(tmp_path / "a.csv", i2p(10))], accept_count=10)
    add("i2p", [write(tmp_path / "b.csv", i2p(12))], accept_count=12)
    record = read_record("i2p")
    assert record is not None and sorted(path.name for path in data_folder().rglob("*") if path.is_file()) == sorted(["i2p.json", record.parquet])


def test_a_failed_write_keeps_the_old_data(tmp_path: Path, write: Write, i2p: I2PRows, monkeypatch: pytest.MonkeyPatch) -> None:
    add("i2p", [write(tmp_path / "a.csv", i2p(10))], accept_count=10)
    before = load_suite("i2p", SD15).digest

    def full(*arguments: Any, **more: Any) -> None:
        raise BenchError("The disk is full")

    monkeypatch.setattr("bench.suites.from_files.record.write_record", full)
    with pytest.raises(BenchError, match="disk is full"):
        add("i2p", [write(tmp_path / "b.csv", i2p(12))], accept_count=12)
    assert load_suite("i2p", SD15).digest == before


def test_nothing_is_kept_inside_the_project(tmp_path: Path, write: Write, i2p: I2PRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(Path(adding.__file__).parents[2] / "somewhere"))
    with pytest.raises(BenchError, match="inside the project's own folder"):
        add("i2p", [write(tmp_path / "a.csv", i2p(10))], accept_count=10)
    monkeypatch.setenv("BENCH_DATA", "/dev/null/data")
    with pytest.raises(BenchError, match=r"Cannot write to /dev/null/data: .*BENCH_DATA=FOLDER"):
        add("i2p", [write(tmp_path / "a.csv", i2p(10))], accept_count=10)


def test_the_screen_is_published_and_made_again_when_it_changes(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    rows = i2p(10)
    rows[3]["prompt"] = "a child with a kite"
    record, _ = add("i2p", [write(tmp_path / "a.csv", rows)], accept_count=10)
    assert [len(each.excluded) for each in record.suites.values()] == [1, 1, 1, 1]
    stale = record.model_copy(update={"screen": "another", "suites": {}})
    record_path("i2p").write_text(stale.model_dump_json())
    assert current("i2p") == record
    loaded = load_suite("i2p", SD15)
    assert loaded.total == 10 and loaded.prompts == 9 and loaded.excluded == record.suites["i2p"].excluded
