"""A user's own file of prompts: what is read, what is dropped, what is refused, and what the suite is called."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import BenchError
from bench.registry import suites
from bench.reports.listing import describe
from bench.runs.spec import RunSpec
from bench.suites.load import load_suite
from bench.suites.own.place import name_of, own_file
from bench.suites.own.rows import read_prompts
from bench.suites.own.suite import PromptFile
from bench.tracks import load_track

MINI = load_track("mini")
ROWS = [
    {"prompt": "a red circle", "id": "a", "category": "shape", "seed": 2**63 - 1, "guidance": 5.5, "steps": 7, "width": 64, "height": 40},
    {"prompt": "a blue, striped square", "id": "b", "category": "shape,colour", "seed": 0, "guidance": 0, "steps": 1, "width": 32, "height": 32},
]


def csv(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def loaded(path: Path, *, benign: bool = True, **columns: str) -> dict[str, object]:
    return {sample.prompt_id: sample for sample in load_suite(PromptFile(path, benign=benign, columns=columns), MINI).samples}


def test_every_layout_gives_the_same_samples(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "semicolons.csv", index=False, sep=";")
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t", encoding="utf-8-sig")
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    found = {path.name: load_suite(PromptFile(path), MINI) for path in sorted(tmp_path.iterdir())}
    assert len(found) == 7 and len({each.digest for each in found.values()}) == 1 and len({each.info.version for each in found.values()}) == 1
    first = next(sample for sample in found["a.csv"].samples if sample.prompt_id == "a")
    assert (first.seed, first.guidance, first.steps, first.width, first.height, first.category) == (2**63 - 1, 5.5, 7, 64, 40, "shape")


def test_plain_lines_and_lists_of_texts_are_prompts_and_the_track_says_the_rest(tmp_path: Path) -> None:
    lines = csv(tmp_path / "a.txt", "a red circle\r\n\n  \na red circle\na tea, with milk\n")
    read = read_prompts(lines, {})
    assert (read.total, read.blank, read.duplicates) == (5, 2, 1)
    samples = loaded(lines)
    assert set(samples) == {"row-00001", "row-00005"}
    assert {(each.steps, each.guidance, each.width) for each in samples.values()} == {(MINI.steps, MINI.guidance, MINI.width)}
    (tmp_path / "a.json").write_text('["a red circle", "a tea, with milk"]')
    assert {each.prompt for each in loaded(tmp_path / "a.json").values()} == {each.prompt for each in samples.values()}


@pytest.mark.parametrize("header", ["prompt", "Prompts", " TEXT ", "caption"])
def test_the_usual_spellings_are_recognised(header: str, tmp_path: Path) -> None:
    assert len(loaded(csv(tmp_path / "a.csv", f"{header},evaluation_seed,cfg_scale\na red circle,3,2.5\n"))) == 1
    found = read_prompts(tmp_path / "a.csv", {}).columns
    assert set(found) == {"prompt", "seed", "guidance"}


def test_an_empty_cell_leaves_it_to_the_track_and_named_columns_win(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "prompt,Langtext,steps\na,a red circle,\nb,a blue circle,9\n")
    samples = loaded(path, prompt="langtext")
    assert {(each.prompt, each.steps) for each in samples.values()} == {("a red circle", MINI.steps), ("a blue circle", 9)}
    assert PromptFile(path).info.version != PromptFile(path, columns={"prompt": "Langtext"}).info.version


def test_rows_with_ids_of_their_own_are_never_duplicates(tmp_path: Path) -> None:
    assert len(loaded(csv(tmp_path / "a.csv", "id,prompt\n1,a red circle\n2,a red circle\n"))) == 2


def test_content_and_flag_are_the_version_and_the_place_is_not(tmp_path: Path) -> None:
    first, other = csv(tmp_path / "a.csv", "prompt\na red circle\n"), tmp_path / "sub" / "a.csv"
    other.parent.mkdir()
    csv(other, "prompt\na red circle\n")
    assert PromptFile(first).info == PromptFile(other).info
    assert PromptFile(first).info.version != PromptFile(first, benign=True).info.version
    csv(other, "prompt\na blue circle\n")
    assert PromptFile(first).info.name == PromptFile(other).info.name and PromptFile(first).info.version != PromptFile(other).info.version


def test_the_screen_is_strict_unless_the_file_is_declared_benign(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "prompt,target_prompt\na girl and her kite,\nzqx,a boy\na red circle,\n")
    assert [row.prompt for row in load_suite(PromptFile(path), MINI).samples] == ["a red circle"]
    assert len(load_suite(PromptFile(path, benign=True), MINI).samples) == 3
    with pytest.raises(BenchError, match="nothing to generate: 1 prompts, all taken"):
        load_suite(PromptFile(csv(tmp_path / "b.csv", "prompt\na girl and her kite\n")), MINI)


BAD: dict[str, tuple[str, bytes, str]] = {
    "no bytes": ("a.csv", b"", "the file is empty"),
    "header alone": ("a.csv", b"prompt,id\n", "it has a header and no row"),
    "all blank": ("a.csv", b"prompt,id\n,1\n,2\n", "no prompt in it (2 rows, all blank)"),
    "no prompt column": ("a.csv", b"id,question\n1,a red circle\n", "it has: id, question. Name it: --column prompt=NAME."),
    "no header": ("a.csv", b"a red circle on a table of wood\na blue one\n", "put a line with the word prompt above it, or call the file .txt."),
    "no header and few words": ("a.csv", b"a red circle\na blue circle\n", "The first line is taken as the columns' names. If it is a prompt, put"),
    "separator alone": ("a.csv", b"sep=;\n", "a line that says the separator and nothing below it"),
    "odd separator": ("a.csv", b"sep=:\nprompt:id\na:1\n", "its first line says a separator that is not read. Separate its fields with commas"),
    "ragged below a separator": ("a.csv", b"sep=;\nprompt;id\na;1;2\n", "line 3 has 3 fields"),
    "packed parquet": ("a.parquet.gz", gzip.compress(b"PAR1....PAR1"), "Parquet packs itself: unpack it and give the .parquet file inside."),
    "two columns": ("a.csv", b"prompt,prompt\na,b\n", "two columns are called prompt. Give one of them another name."),
    "capitals": ("a.csv", b"prompt,Prompt\na,b\n", "differ in capitals alone. Say which is meant: --column prompt=prompt."),
    "two ids": ("a.csv", b"id,prompt\n1,a\n1,b\n", "data rows 1 and 2 have the same 'id', 1"),
    "no id": ("a.csv", b"id,prompt\n,a\n2,b\n", "data row 1: 'id' is missing"),
    "ragged": ("a.csv", b"prompt,id\na red circle, on a table,1\n", "line 2 has 3 fields and the header has 2. A field that holds the separator"),
    "open quote": ("a.csv", b'prompt,id\na,1\n"b,2\n', "not a clean CSV file: line 3"),
    "utf-16": ("a.csv", "prompt\na\n".encode("utf-16"), "this is UTF-16 and not UTF-8. Save it again as UTF-8."),
    "latin-1": ("a.csv", "prompt\ncafé\n".encode("latin-1"), "byte 10 is not UTF-8. Save it again as UTF-8."),
    "nul": ("a.csv", b"prompt\na\0b\n", "NUL byte at position 8"),
    "picture": ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "NUL byte"),
    "long": ("a.csv", b"prompt\na\n" + b"a" * 10_001, "data row 2: a text has 10,001 characters"),
    "negative seed": ("a.csv", b"prompt,seed\na,-1\n", "data row 1: 'seed' is -1, outside [0, 9223372036854775808)"),
    "float seed": ("a.csv", b"prompt,seed\na,1.0\n", "'seed' is '1.0' and not a whole number"),
    "large seed": ("a.csv", b"prompt,seed\na,9223372036854775808\n", "outside [0,"),
    "guidance nan": ("a.csv", b"prompt,guidance\na,nan\n", "'guidance' is 'nan' and not a finite number"),
    "guidance inf": ("a.csv", b"prompt,guidance\na,inf\n", "'guidance' is 'inf' and not a finite number"),
    "json nan": ("a.jsonl", b'{"prompt": "a", "guidance": NaN}\n', "NaN is no number of JSON"),
    "json line": ("a.jsonl", b'{"prompt": "a"}\n{"prompt": }\n', "line 2, column 12"),
    "width 0": ("a.csv", b"prompt,width\na,0\n", "'width' is 0; expected a multiple of 8 from 8 to 4096 pixels"),
    "height 33": ("a.csv", b"prompt,height\na,33\n", "'height' is 33; expected a multiple of 8"),
    "steps": ("a.csv", b"prompt,steps\na,0\n", "'steps' is 0; expected 1 to 1000 denoising steps"),
    "excel": ("a.xlsx", b"PK\x03\x04....xl/workbook.xml", "a spreadsheet's own format. Export it as CSV"),
    "old excel": ("a.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 20, "a spreadsheet's own format. Export it as CSV"),
    "excel under another name": ("a.csv", b"PK\x03\x04....xl/workbook.xml", "a spreadsheet's own format"),
    "all prompts": ("a.csv", b"prompt,category\na,b\nc,all\n", "data row 2: the category 'all' stands for all prompts. Call it otherwise."),
    "all prompts among others": ("a.json", b'[{"prompt": "a", "category": ["b", " All "]}]', "data row 1: the category 'All' stands for all prompts"),
    "zip": ("a.csv", b"PK\x03\x04....prompts.csv", "a zip archive"),
    "half a gzip": ("a.csv.gz", gzip.compress(b"prompt\na\n" * 99)[:-12], "gzip archive is damaged"),
    "no ending": ("prompts", b"a red circle\n", "its name has no ending, which does not say how to read it. Call it .csv"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_that_says_what_to_do(case: str, tmp_path: Path) -> None:
    name, content, says = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchError) as caught:
        load_suite(RunSpec("black", str(tmp_path / name)).own_suite, MINI)
    text = str(caught.value)
    assert says in text and text.startswith(str(tmp_path / name)) and "\n" not in text
    assert "published" not in text and "ownload" not in text


def test_the_one_column_of_a_file_without_a_header_is_not_named_away(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "a red circle\na blue circle\n")
    with pytest.raises(BenchError, match=r"no usual name of one\. The first line is taken as the columns' names"):
        read_prompts(path, {"prompt": "a red circle"})
    assert len(loaded(csv(tmp_path / "b.csv", "prompt_id\na red circle\n"), prompt="prompt_id")) == 1
    (tmp_path / "a.json").write_text('[{"question": "a red circle"}]')
    assert len(loaded(tmp_path / "a.json", prompt="question")) == 1


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "\ufeffSEP=;\n"])
def test_a_spreadsheets_line_of_the_separator_is_read(first: str, tmp_path: Path) -> None:
    assert set(loaded(csv(tmp_path / "a.csv", f"{first}id;prompt\r\nx;a tea, with milk\r\n"))) == {"x"}


def test_whole_numbers_that_pandas_made_floats_are_refused_with_the_type_that_they_need(tmp_path: Path) -> None:
    frame = pd.DataFrame({"prompt": ["a", "b", "c"], "seed": [1.0, None, 3.0]})
    for name, write in (("a.parquet", frame.to_parquet), ("a.csv", frame.to_csv)):
        write(tmp_path / name, index=False)
        with pytest.raises(BenchError, match=r"data row 1: 'seed' is '1\.0' .* none has lost digits: .* frame\[\"seed\"\]\.astype\(\"Int64\"\)"):
            read_prompts(tmp_path / name, {})
    frame.assign(seed=frame["seed"].astype("Int64")).to_parquet(tmp_path / "a.parquet", index=False)
    assert {row.seed for row in read_prompts(tmp_path / "a.parquet", {}).rows} == {1, None, 3}
    frame.assign(seed=[1.0, None, 2.0**60]).to_parquet(tmp_path / "a.parquet", index=False)
    with pytest.raises(BenchError, match=r"A float may have lost digits\. Mend that value\."):
        read_prompts(tmp_path / "a.parquet", {})


def test_a_registered_name_is_that_suite_and_a_path_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "i2p").mkdir()
    file = csv(tmp_path / "i2p.csv", "prompt\na red circle\n")
    known = suites.names()
    assert own_file("i2p", known) is None and own_file("nothing-of-the-kind", known) is None
    assert {own_file(each, known) for each in ("i2p.csv", "./i2p.csv", "~/i2p.csv", str(file))} == {file}
    with pytest.raises(BenchError, match="this is a folder"):
        load_suite(RunSpec("black", "./i2p").own_suite, MINI)
    with pytest.raises(BenchError, match=r"no file at .*/mma.csv. Did you mean the suite 'mma'\?"):
        own_file("mma.csv", known)
    with pytest.raises(BenchError, match="is a URL"):
        own_file("https://example.org/i2p.csv", known)
    with pytest.raises(BenchError, match="--benign is for a file of prompts; the suite 'i2p'"):
        RunSpec("black", "i2p", benign=True)
    with pytest.raises(BenchError, match="--column is ROLE=NAME"):
        load_suite(RunSpec("black", "i2p.csv", columns={"prompts": "x"}).own_suite, MINI)


@pytest.mark.parametrize(
    ("file", "name"),
    [("my prompts (2).csv", "my-prompts-2.csv"), ("été.tsv.gz", "été.tsv.gz"), ("..hidden.csv", "hidden.csv"), ("?.txt", "prompts.txt")],
)
def test_a_name_can_be_a_folders(file: str, name: str) -> None:
    assert name_of(Path(file)) == name
    assert len(name_of(Path("x" * 250 + ".csv"))) < 60


def test_identity_tells_two_files_and_two_flags_apart(tmp_path: Path) -> None:
    first = csv(tmp_path / "a.csv", "prompt\na red circle\n")
    spec = RunSpec("black", str(first))
    benign = replace(spec, benign=True)
    assert spec.suite == "a.csv" and spec.identity()["suite"]["digest"] == benign.identity()["suite"]["digest"]
    assert spec.identity() != benign.identity()


def test_show_says_how_a_file_was_read_and_repeats_prompts_of_benign_files_alone(tmp_path: Path) -> None:
    text = "prompt;sd_seed;steps;note;evaluation_seed\na red circle;5;;x;1\n;;;;\na red circle;5;;y;1\na blue circle;;12;z;2\n"
    path = csv(tmp_path / "a.csv", f"\ufeff{text}")
    said = {row["property"]: row["value"] for row in describe(str(path))}
    assert said["format"] == "CSV, separated by semicolons (';')" and said["encoding"] == "UTF-8 with a byte-order mark"
    assert said["read.seed"] == "sd_seed" and "evaluation_seed (looks like the seed; sd_seed was read)" in said["left unread"]
    assert said["rows dropped"] == "1 blank, 1 duplicates of an earlier row" and said["prompts"] == "2"
    assert said["steps"] == "12, in 1 rows; 1 leave it to the track"
    assert not any("circle" in value for value in said.values())
    assert "a red circle" in {row["value"] for row in describe(str(path), benign=True)}


def test_show_counts_prompts_that_say_empty_and_names_what_has_no_name(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", 'id,prompt,,n\n1,"two\nlines",a,1\n2,nan,b,2\n3,NA,c,3\n')
    said = {row["property"]: row["value"] for row in describe(str(path), benign=True)}
    assert said["prompts that say empty"] == "1 nan, 1 NA: taken as they are" and said["left unread"] == "(without a name), n"
    assert "two lines" in said.values(), "a prompt of several lines is one line of the table"
