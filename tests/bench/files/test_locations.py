"""Locations of weights: packages, paths, and repositories of the hub, read from a cache of the hub's own layout (no network)."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest

from bench.errors import NotAvailable
from bench.files.hashes import hash_weights
from bench.files.locations import resolve

COMMIT = "a" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the hub is offline."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def fill(cache: Path, repository: str, *files: str, revision: str = "main") -> Path:
    """Put a repository into the cache as the hub's client does."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / revision).write_text(COMMIT)
    for name in files:
        file = folder / "snapshots" / COMMIT / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return folder / "snapshots" / COMMIT


def test_a_repository_is_its_snapshot(cache: Path) -> None:
    snapshot = fill(cache, "owner/name", "config.json", "model.safetensors")
    assert resolve("hub:owner/name") == snapshot
    assert set(hash_weights(resolve("hub:owner/name"))) == {"config.json", "model.safetensors"}


def test_a_folder_and_a_revision_of_a_repository(cache: Path) -> None:
    snapshot = fill(cache, "owner/name", "nudity/model.safetensors", "other/model.safetensors", revision="v1")
    assert resolve("hub:owner/name@v1/nudity") == snapshot / "nudity"
    with pytest.raises(NotAvailable, match="Cannot get owner/name from the hub"):
        resolve("hub:owner/name@v2/nudity")


def test_a_file_of_a_repository(cache: Path) -> None:
    snapshot = fill(cache, "owner/name", "one.pt", "two.pt")
    assert resolve("hub:owner/name/one.pt") == snapshot / "one.pt"
    assert list(hash_weights(resolve("hub:owner/name/one.pt"))) == ["one.pt"]
    with pytest.raises(NotAvailable, match=r"Cannot get owner/name from the hub .*first three.pt\): HF_HUB_OFFLINE is set"):
        resolve("hub:owner/name/three.pt")


def test_what_the_hub_does_not_give_is_one_clear_line(cache: Path) -> None:
    with pytest.raises(NotAvailable, match=r"Cannot get nobody/nothing from the hub: .*give the path of a folder") as raised:
        resolve("hub:nobody/nothing")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("location", ["package:bench.miniature/weights/nothing", "package:no_such_package/x", "no/such/folder"])
def test_what_is_not_there_is_one_clear_line(location: str) -> None:
    with pytest.raises(NotAvailable) as raised:
        resolve(location)
    assert "\n" not in str(raised.value)


def test_a_path_that_is_not_there_is_not_ours_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"Check the path\.$"):
        resolve(str(tmp_path / "nowhere"))
    with pytest.raises(NotAvailable, match="make env"):
        resolve("package:bench.miniature/weights/nowhere")
