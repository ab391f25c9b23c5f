"""Single files of the web: right and whole, or not there; and no network once they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError, NotAvailable
from bench.files.locations import resolve

from .served import Site, served

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with one file, whose name has a sign that addresses write in two ways."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with served() as found:
        found.files = {"/folder/a%2Bb.pth": CONTENT, "/folder/a+b.pth": CONTENT}
        yield found


def kept(data_home: Path) -> list[Path]:
    return [file for file in data_home.rglob("*") if file.is_file()]


@pytest.mark.parametrize("written", ["a+b.pth", "a%2Bb.pth"])
def test_it_is_fetched_once_and_needs_no_network_then(site: Site, data_home: Path, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    location = f"{site.url}/folder/{written}#sha256={DIGEST.upper()}"
    path = resolve(location)
    assert path == data_home / "weights" / DIGEST / "a+b.pth" and path.read_bytes() == CONTENT and kept(data_home) == [path]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert resolve(location) == path and len(site.asked) == 1


@pytest.mark.parametrize("cut", [True, False])
def test_a_wrong_or_broken_file_is_never_kept(site: Site, data_home: Path, cut: bool) -> None:
    site.cut = cut
    with pytest.raises(NotAvailable, match=r"Nothing was kept|Cannot get") as raised:
        resolve(f"{site.url}/folder/a+b.pth#sha256={DIGEST if cut else '0' * 64}")
    assert "\n" not in str(raised.value) and kept(data_home) == []


def test_a_file_that_was_damaged_since_is_fetched_again(site: Site) -> None:
    location = f"{site.url}/folder/a+b.pth#sha256={DIGEST}"
    resolve(location).write_bytes(b"damaged")
    assert resolve(location).read_bytes() == CONTENT


def test_without_a_network_it_says_so(site: Site, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAvailable, match=r"Cannot get http://127\.0\.0\.1:9/x\.pt: .*give the path of the file"):
        resolve(f"http://127.0.0.1:9/x.pt#sha256={DIGEST}")
    with pytest.raises(NotAvailable, match="404"):
        resolve(f"{site.url}/nothing.pt#sha256={DIGEST}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NotAvailable, match=r"is not here and HF_HUB_OFFLINE is set\. .*bench data get '"):
        resolve(f"{site.url}/folder/a+b.pth#sha256={DIGEST}")
    assert len(site.asked) == 1 and kept(data_home) == []


@pytest.mark.parametrize("ending", ["", "#", "#sha256=", "#sha256=12", f"#md5={'0' * 64}", f"#sha256={'g' * 64}"])
def test_without_a_hash_it_is_refused_in_one_line(site: Site, ending: str) -> None:
    with pytest.raises(BenchError, match=r"Add its hash.*a\+b\.pth#sha256=HEX") as raised:
        resolve(f"{site.url}/folder/a+b.pth{ending}")
    assert "\n" not in str(raised.value) and site.asked == []


@pytest.mark.parametrize("path", ["/", "/folder/..", "/.hidden", "/folder/%2E%2E"])
def test_a_name_that_is_no_plain_files_is_refused(site: Site, path: str) -> None:
    with pytest.raises(BenchError, match="names no file"):
        resolve(f"{site.url}{path}#sha256={DIGEST}")


def test_a_folder_that_cannot_be_written_is_one_clear_line(site: Site, data_home: Path) -> None:
    data_home.write_text("a file where the folder should be")
    with pytest.raises(BenchError, match=r"Cannot write to .*BENCH_DATA=FOLDER"):
        resolve(f"{site.url}/folder/a+b.pth#sha256={DIGEST}")
