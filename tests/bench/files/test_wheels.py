"""Single files of published wheels: fetched by the real pip from an index on this machine, right or not there."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from bench.errors import BenchError, NotAvailable
from bench.files import wheels
from bench.files.locations import resolve

CONTENT = bytes(range(256)) * 30
DIGEST = hashlib.sha256(CONTENT).hexdigest()
LOCATION = f"wheel:toy-detector==1.2/toy_detector/net.onnx#sha256={DIGEST}"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for its index, with one wheel."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "toy_detector-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy_detector/net.onnx", CONTENT)
        wheel.writestr("toy_detector/__init__.py", "raise SystemExit('never run')")
        wheel.writestr(
            "toy_detector-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy-detector\nVersion: 1.2\nRequires-Dist: nothing-of-this-name\n"
        )
        wheel.writestr("toy_detector-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("toy_detector-1.2.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return folder


def kept(data_home: Path) -> list[Path]:
    return [file for file in data_home.rglob("*") if file.is_file()]


def test_one_file_is_fetched_once_and_needs_no_index_then(index: Path, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = resolve(LOCATION)
    assert path == data_home / "weights" / DIGEST / "net.onnx" and path.read_bytes() == CONTENT and kept(data_home) == [path]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (index / "toy_detector-1.2-py3-none-any.whl").unlink()
    assert resolve(LOCATION) == path


def test_another_file_is_never_kept(index: Path, data_home: Path) -> None:
    with pytest.raises(NotAvailable, match=f"is another file: its SHA-256 is {DIGEST}, expected 000.*Nothing was kept") as raised:
        resolve(LOCATION.replace(DIGEST, "0" * 64))
    assert "\n" not in str(raised.value) and kept(data_home) == []
    with pytest.raises(NotAvailable, match=r"holds no readable toy_detector/none\.onnx"):
        resolve(LOCATION.replace("net.onnx", "none.onnx"))


def test_offline_and_unreachable_are_one_line(index: Path, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        NotAvailable, match=r"Cannot get net\.onnx from the wheel of toy-detector 9: .*or give the file's path|toy-detector 9"
    ) as raised:
        resolve(LOCATION.replace("1.2", "9"))
    assert "\n" not in str(raised.value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NotAvailable, match=r"net\.onnx of toy-detector 1\.2 \(wheel\) is not here and HF_HUB_OFFLINE is set.*bench data get 'wheel:"):
        resolve(LOCATION)
    assert kept(data_home) == []


def test_why_pip_failed_is_said_in_a_few_words() -> None:
    retry = "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching distribution found for x==1"
    assert wheels.why(retry) == "the package index cannot be reached"
    assert wheels.why("ERROR: No matching distribution found for x==1.") == "No matching distribution found for x==1"
    assert wheels.why("/usr/bin/python: No module named pip") == "/usr/bin/python: No module named pip"
    assert wheels.why("") == "pip gave no reason"


@pytest.mark.parametrize("bad", ["wheel:toy==1/net.onnx", f"wheel:toy/net.onnx#sha256={DIGEST}", "wheel:toy==1/net.onnx#sha256=12", "wheel:"])
def test_another_form_is_refused(bad: str) -> None:
    with pytest.raises(BenchError, match="Its form: wheel:PACKAGE==VERSION"):
        resolve(bad)
