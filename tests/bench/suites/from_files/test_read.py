"""What is no clean table is refused in one clear line, whatever it calls itself."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.suites.from_files.read import read_table


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("prompts.csv", "prompt\na red circle\n")
    return buffer.getvalue()


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.csv", b"", "the file is empty"),
    "blank": ("a.csv", b" \n\n ", "the file is empty"),
    "bom alone": ("a.csv", b"\xef\xbb\xbf", "the file is empty"),
    "not utf-8": ("a.csv", "prompt\ncafé\n".encode("latin-1"), "byte 10 is not UTF-8"),
    "utf-16": ("a.csv", "prompt\na\n".encode("utf-16"), "this is UTF-16"),
    "nul": ("a.csv", b"prompt\na\0b\n", "NUL byte at position 8"),
    "zip": ("a.csv", zipped(), "a zip archive"),
    "gzip": ("a.csv", b"\x1f\x8b\x08\0rest", "a gzip archive"),
    "login page": ("a.csv", b"<!DOCTYPE html>\n<html><body>Log in, please</body></html>", "a web page"),
    "lfs pointer": ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
    "long row": ("a.csv", b"prompt,n\na,1\nb,2,3\n", "line 3 has 3 fields and the header has 2"),
    "short row": ("a.csv", b"prompt,n\na,1\nb\n", "line 3 has 1 fields and the header has 2"),
    "open quote": ("a.csv", b'prompt,n\n"a,1\nb,2\n', "not a clean CSV"),
    "twice a column": ("a.csv", b"prompt,prompt\na,b\n", "two columns are called prompt"),
    "json": ("a.json", b'[{"prompt": "a"', "this is not JSON"),
    "deep json": ("a.json", b"[" * 100_000, "this is not JSON"),
    "json number": ("a.json", b"3", "no list of rows"),
    "json key twice": ("a.json", b'[{"prompt": "a", "seed": 1, "seed": 2}]', "an object has the key seed twice"),
    "jsonl key twice": ("a.jsonl", b'{"prompt": "a"}\n{"prompt": "a", "prompt": "b"}', "an object has the key prompt twice"),
    "semicolons, a comma in the header": ("a.csv", b"n;prompt, original;seed\n1;a;2\n", "separated by semicolons"),
    "json mixed": ("a.json", b'["a", {"prompt": "b"}]', "not all of one kind"),
    "parquet": ("a.parquet", b"PAR1 and nothing more", "Parquet file cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_clear_line(case: str, tmp_path: Path) -> None:
    name, content, says = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchError) as caught:
        read_table(tmp_path / name)
    assert says in str(caught.value) and str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    for path, says in [
        (tmp_path, "this is a folder"),
        (tmp_path / "none.csv", "No such file"),
        (tmp_path / "loop.csv", "symbolic links"),
        (tmp_path / "pipe.csv", "not a regular file"),
    ]:
        with pytest.raises(BenchError, match=says):
            read_table(path)


def test_a_bom_windows_lines_quotes_and_huge_fields_are_taken(tmp_path: Path) -> None:
    huge = "x" * 300_000  # more than Python's own csv module takes
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfprompt,n\r\n"one, ""two""\nthree",1\r\n' + huge.encode() + b",2\r\nNA,nan\r\n")
    table = read_table(tmp_path / "a.csv")
    assert table.columns == ("prompt", "n") and table.values == {"prompt": ['one, "two"\nthree', huge, "NA"], "n": ["1", "2", "nan"]}


def test_plain_lines_keep_their_text_and_blank_ones_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes('a, "red" circle\r\n\r\na\u2028line\n\n'.encode())
    table = read_table(tmp_path / "a.txt")
    assert (table.form, table.rows, table.values["prompt"]) == ("txt", 2, ['a, "red" circle', "a\u2028line"])


def test_of_a_parquet_file_only_the_wanted_columns_are_read(tmp_path: Path) -> None:
    pd.DataFrame({"caption": ["a red circle"], "jpg_0": [b"\xff\xd8"]}).to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", {"caption"})
    assert table.columns == ("caption", "jpg_0") and table.values == {"caption": ["a red circle"]}


def test_a_name_that_looks_like_a_prompt_is_not_repeated(tmp_path: Path, write: Callable[..., Path]) -> None:
    from bench.suites.from_files.add import add

    (tmp_path / "a.csv").write_text("a long line that is a prompt and no name,n\nanother,1\n")
    with pytest.raises(BenchError, match="no column for the prompt") as caught:
        add("p4d", [tmp_path / "a.csv"])
    assert "long line" not in str(caught.value) and "it has: ?, n" in str(caught.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=60), st.text('ab,"\n\r\t [{}]:1', max_size=40).map(str.encode), st.binary(max_size=30).map(b"PAR1".__add__)),
    ending=st.sampled_from(["csv", "tsv", "json", "jsonl", "txt", "parquet", "dat"]),
)
def test_any_bytes_are_a_table_or_one_clear_line(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    try:
        table = read_table(path)
    except BenchError as error:
        said = str(error).removeprefix(str(path))
        assert "\n" not in said
    else:
        assert len(set(table.columns)) == len(table.columns)
        assert all(len(values) == table.rows for values in table.values.values())
