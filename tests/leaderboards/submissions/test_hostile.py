"""The pile: archives, documents and tables that nobody honest makes. Each is refused in one line; nothing is written, nothing breaks."""

from __future__ import annotations

import io
import json
import stat
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import BenchError
from leaderboards.submissions import validate
from leaderboards.submissions.archive import pack, unpack
from leaderboards.submissions.limits import BUNDLE_BYTES, MEMBER_BYTES
from leaderboards.submissions.samples import read
from leaderboards.submissions.strict_json import loads
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict, Refused
from tests.leaderboards.submissions.conftest import Made, failed, member, rehashed, with_json

Checked = Callable[[bytes], list[CheckResult]]


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            # A ZipInfo has a fixed date, where a name would get the time of day: processes that share the tests must see the same bytes.
            archive.writestr(name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name), content, compress_type=method)
    return buffer.getvalue()


def link(name: str, target: str) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped((info, target.encode()))


def encrypted() -> bytes:
    raw = bytearray(zipped(("bundle.json", b"{}")))
    at = raw.index(b"PK\x01\x02")
    raw[at + 8] |= 1
    return bytes(raw)


def renamed(before: bytes, after: bytes) -> bytes:
    return zipped((before.decode(), b"{}")).replace(before, after)


GOOD = "runs/a/method.json"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "does not begin with a member"),
        (b"\x89PNG\r\n", "does not begin with a member"),
        (b"PK\x05\x06" + bytes(18), "does not begin with a member"),
        (zipped(("bundle.json", b"{}"))[:-1], "cut off"),
        (zipped(("bundle.json", b"{}"))[:40], "cut off"),
        (zipped(("../bundle.json", b"{}")), "a place outside"),
        (zipped(("runs/../../bundle.json", b"{}")), "a place outside"),
        (zipped(("/etc/passwd", b"{}")), "a place outside"),
        (renamed(b"runs____a.json", b"runs\\..\\a.json"), "a place outside"),
        (zipped(("C:/bundle.json", b"{}")), "a place outside"),
        (renamed(b"bundle.jsonx", b"bundle.json\0"), "does not belong"),
        (renamed(b"bundle.jsonx", b"bundle.json\n"), "does not belong"),
        (renamed(b"bundle.jsonx", b"<b>dle.jsonx"), "does not belong"),
        (zipped((GOOD.replace("runs/a", "runs/a/b"), b"{}")), "does not belong"),
        (zipped(("runs/Con/method.json", b"{}")), "cannot be unpacked on Windows"),
        (zipped(("runs/a./method.json", b"{}")), "cannot be unpacked on Windows"),
        (zipped(("runs/ä/method.json", b"{}")), "does not belong"),
        (zipped(("inner.zip", zipped(("bundle.json", b"{}")))), "does not belong"),
        (link("bundle.json", "/etc/passwd"), "is a link or folder"),
        (zipped(("runs/", b"")), "is a link or folder"),
        (zipped((GOOD, b"{}"), (GOOD, b"{}")), "is there twice"),
        (zipped((GOOD, b"{}"), (GOOD.replace("a/", "A/"), b"{}")), "is there twice, once as"),
        (zipped(("bundle.json", b"0" * 10**6), method=zipfile.ZIP_DEFLATED), "is compressed"),
        (zipped(("bundle.json", b"{}"), method=zipfile.ZIP_BZIP2), "is compressed"),
        (encrypted(), "is encrypted"),
        (zipped(*((f"runs/{index}/method.json", b"") for index in range(300))), "holds 300 members"),
        (zipped(("bundle.json", b"{}")), "bytes, dates or fields that do not belong"),  # the date of today
        (pack({"bundle.json": b"{}"})[:-2] + b"\x01\x00!", "cut off"),  # a comment
        (b"PK\x03\x04" + pack({"bundle.json": b"{}"}), "bytes, dates or fields that do not belong"),
        (pack({"bundle.json": b"{}"}).replace(b"{}", b"{]"), "not a whole zip file"),  # another checksum
    ],
)
def test_an_archive_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        unpack(raw)
    assert reason in str(caught.value) and str(caught.value).isascii() and "\n" not in str(caught.value)


def test_members_that_share_their_bytes_are_refused() -> None:
    raw = bytearray(pack({GOOD: b"{}", "runs/b/method.json": b"{}"}))
    second = raw.rindex(b"PK\x01\x02")
    raw[second + 42 : second + 46] = struct.pack("<I", 0)  # the second entry of the directory now points at the first member
    with pytest.raises(Refused):
        unpack(bytes(raw))


def test_sizes_are_bounded_before_anything_is_read(tmp_path: Path) -> None:
    raw = bytearray(pack({"bundle.json": b"{}"}))
    at = raw.index(b"PK\x01\x02")
    raw[at + 20 : at + 28] = struct.pack("<II", MEMBER_BYTES + 1, MEMBER_BYTES + 1)
    with pytest.raises(Refused, match="at most"):
        unpack(bytes(raw))
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(BUNDLE_BYTES + 1)
    (result,) = validate(huge)
    assert result.verdict is CheckVerdict.FAILED and "at most" in result.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": 1e999}', "beyond every float"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
        (b'{"a": 9223372036854775808}', "an integer of 19 digits"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "the key 'a' twice"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "byte order mark"),
        ('{"a": 1}'.encode("utf-16-le"), "is not JSON"),
        ('{"a": "ä"}'.encode("latin-1"), "is not UTF-8"),
        (b'{"a": "\\ud800"}', "control or invisible"),
        (b'{"a": "\\u0000"}', "control or invisible"),
        (b'{"a\\u202e": 1}', "control or invisible"),
        (b'{"a": "<img src=x onerror=alert(1)>"}', "HTML"),
        (b'{"a": "' + b"x" * 2001 + b'"}', "a text of 2001 characters"),
        (b'{"a": ' * 100_000, "nested deeper"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
        (b'{"a":' + b"[" * 13 + b"]" * 13 + b"}", "nested deeper"),
        (b" " * (1 << 20) + b"{}", "at most 1048576"),
        (b"[]", "is not a JSON object"),
        (b"", "is not JSON"),
        (b"{} {}", "is not JSON"),
        (b"{'a': 1}", "is not JSON"),
    ],
)
def test_a_document_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        loads(content, "it")
    assert reason in str(caught.value) and str(caught.value).isprintable()


def test_a_document_of_many_keys_is_refused_at_once() -> None:
    keys = ",".join(f'"{index}":0' for index in range(90_000))
    start = time.process_time()
    with pytest.raises(Refused, match="the key '89999' twice"):
        loads(f'{{{keys},"89999":1}}'.encode(), "it")
    assert time.process_time() - start < 5


def test_an_ordinary_document_is_read() -> None:
    assert loads('{"a": ["ü", 9223372036854775807, -1.5e3, null, true]}'.encode(), "it") == {"a": ["ü", 2**63 - 1, -1500.0, None, True]}


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" * 100, b"{}", parquet(pa.table({"a": [1]})), parquet(pa.table({})), parquet(pa.table({"a": [[1]] * 3}))[:-9]]
)
def test_a_table_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match=r"samples\.parquet"):
        read(content)


def test_a_table_of_too_many_rows_or_columns_is_refused_by_its_footer() -> None:
    with pytest.raises(Refused, match="it has 300000 rows"):
        read(parquet(pa.table({"a": np.zeros(300_000, dtype=np.int8)})))
    with pytest.raises(Refused, match="has 400 columns"):
        read(parquet(pa.table({f"c{index}": [1] for index in range(400)})))


def test_texts_that_are_no_utf8_are_refused(made: Made) -> None:
    content = unpack(made.raw)[member(made.raw, "samples.parquet")]
    table = pq.read_table(pa.BufferReader(content))
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(struct.pack("<ii", 0, 2)), pa.py_buffer(b"\xff\xfe"))
    column = pa.chunked_array([bad, table["prompt_id"].slice(1).combine_chunks()])
    with pytest.raises(Refused):
        read(parquet(table.set_column(0, "prompt_id", column)))


def test_a_table_that_unpacks_to_terabytes_is_a_failed_check(made: Made, tmp_path: Path) -> None:
    """100 000 rows that name one text of 8 MB: a file of some kilobytes that means 800 GB."""
    table = pq.read_table(pa.BufferReader(unpack(made.raw)[member(made.raw, "samples.parquet")]))
    rows = 100_000
    table = table.take(pa.array(np.zeros(rows, dtype=np.int64)))
    bomb = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array(["x" * 8_000_000]))
    at = table.schema.get_field_index("category")
    members = unpack(made.raw)
    content = parquet(table.set_column(at, "category", bomb), compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30)
    assert len(content) < 1 << 20
    members[member(made.raw, "samples.parquet")] = content
    path = tmp_path / "bomb.zip"
    path.write_bytes(rehashed(members))
    results = validate(path)
    assert failed(results), results
    assert list(tmp_path.iterdir()) == [path]


def test_markup_in_a_path_or_a_name_never_reaches_a_reason_unescaped(made: Made, checked: Checked) -> None:
    evil = with_json(made.raw, "manifest.json", lambda manifest: manifest["suite"].update(version="\x1b[31m"))
    assert all(each.reason.isprintable() for each in checked(evil))
    listed = with_json(made.raw, "bundle.json", lambda index: index["runs"][0].update(suite="x'; drop"))
    assert failed(checked(listed))["schema"].startswith("bundle.json: 'runs.0.suite'")


def test_what_is_no_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No bundle at"):
        validate(tmp_path / "absent.zip")
    with pytest.raises(BenchError, match="is no file"):
        validate(tmp_path)


def test_an_index_alone_is_no_bundle(checked: Checked) -> None:
    assert "there is no bundle.json" in failed(checked(pack({GOOD: b"{}"})))["schema"]
    assert "schema_version" in failed(checked(pack({"bundle.json": json.dumps({"a": 1}).encode()})))["schema"]
