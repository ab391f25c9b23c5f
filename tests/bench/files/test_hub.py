"""Repositories of the hub: the real client against a server on this machine, then without any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from bench.errors import BenchError, NotAvailable
from bench.files import hub
from bench.files.hashes import hash_weights
from bench.files.locations import resolve

from .served import COMMIT, Site, served

INDEX = json.dumps({"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [None, None]}).encode()
PIPELINE = {
    "model_index.json": INDEX,
    "all.safetensors": b"everything in one file",
    "unet/config.json": b"{}",
    "unet/model.safetensors": b"weights",
    "unet/model.fp16.safetensors": b"half",
    "unet/model.bin": b"pickle",
    "vae/config.json": b"{}",
}
USED = ["model_index.json", "unet/config.json", "unet/model.safetensors"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A hub with one pipeline, and an empty cache."""
    with served() as found:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", found.url)
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        found.put("owner/pipeline", **PIPELINE)
        yield found


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("location", [f"hub:owner/pipeline@{COMMIT}", "hub:owner/pipeline"])
def test_what_is_used_of_a_pipeline_is_fetched_once(site: Site, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hub.cached(hub.parse(location)).there
    folder = resolve(location)
    assert names(folder) == site.sent() == list(hash_weights(folder)) == USED
    found = hub.cached(hub.parse(location))
    assert (found.there, found.known, found.files, found.size) == (True, True, tuple(USED), sum(len(PIPELINE[name]) for name in USED))
    site.asked.clear()
    assert resolve(location) == folder and site.asked == []
    offline(monkeypatch)
    assert resolve(location) == folder


@pytest.mark.parametrize("lost", USED)
def test_a_pipeline_with_a_file_lost_is_not_there_and_is_mended(site: Site, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    location = f"hub:owner/pipeline@{COMMIT}"
    folder = resolve(location)
    (folder / lost).unlink()
    found = hub.cached(hub.parse(location))
    assert not found.there and found.missing[0] == lost
    with monkeypatch.context() as without:
        offline(without)
        with pytest.raises(NotAvailable, match=rf"Cannot get owner/pipeline from the hub \(\d of its files are not here, first {lost}\)"):
            resolve(location)
    assert resolve(location) == folder and names(folder) == USED


def test_a_cache_that_another_program_filled_serves_without_a_network_if_it_may_be_whole(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hub" / "models--owner--pipeline" / "snapshots" / COMMIT
    for name in USED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PIPELINE[name])
    offline(monkeypatch)
    location = f"hub:owner/pipeline@{COMMIT}"
    found = hub.cached(hub.parse(location))
    assert (found.there, found.known) == (True, False) and resolve(location) == folder
    (folder / "unet/model.safetensors").unlink()
    with pytest.raises(NotAvailable, match="first unet"):
        resolve(location)


def test_a_broken_download_leaves_nothing_that_counts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put("owner/model", **{"config.json": b"{}", "model.safetensors": bytes(5000)})
    site.cut = True
    location = f"hub:owner/model@{COMMIT}"
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(NotAvailable, match="Cannot get owner/model"):
        resolve(location)
    assert not hub.cached(hub.parse(location)).there
    site.cut = False
    assert names(resolve(location)) == ["config.json", "model.safetensors"]


def test_named_files_and_one_checked_file(site: Site) -> None:
    site.put("owner/model", **{"tokenizer.json": b"{}", "vocab.txt": b"x", "model.safetensors": b"big", "head.pt": b"head"})
    folder = resolve(f"hub:owner/model@{COMMIT}#files=tokenizer.json,vocab.txt")
    assert names(folder) == ["tokenizer.json", "vocab.txt"]
    right = hashlib.sha256(b"head").hexdigest()
    assert resolve(f"hub:owner/model@{COMMIT}/head.pt#sha256={right.upper()}") == folder / "head.pt"
    with pytest.raises(NotAvailable, match=f"its SHA-256 is {right}, expected 0000"):
        resolve(f"hub:owner/model@{COMMIT}/head.pt#sha256={'0' * 64}")
    assert site.sent() == ["head.pt", "tokenizer.json", "vocab.txt"]


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("hub:owner/nothing", "Cannot get owner/nothing from the hub"),
        (f"hub:owner/pipeline@{COMMIT}/text_encoder", "has no 'text_encoder' with weights in it"),
        (f"hub:owner/pipeline@{COMMIT}/three.pt", "has no 'three.pt' with weights in it"),
        (f"hub:owner/pipeline@{COMMIT}#files=a.json", "has no 'a.json' with weights in it"),
    ],
)
def test_what_the_hub_lacks_is_one_clear_line(site: Site, location: str, says: str) -> None:
    with pytest.raises(NotAvailable, match=says) as raised:
        resolve(location)
    assert "\n" not in str(raised.value) and site.sent() in ([], ["model_index.json"])


@pytest.mark.parametrize(
    "location", ["hub:owner", "hub:a/b/c/../d#", "hub:a/b#sha256=12", f"hub:a/b#sha256={'0' * 64}", "hub:a/b#md5=1", "hub:../b#files=x"]
)
def test_another_form_is_refused_before_any_network(site: Site, location: str) -> None:
    with pytest.raises(BenchError) as raised:
        resolve(location)
    assert "\n" not in str(raised.value) and site.asked == []


def test_what_is_pinned() -> None:
    assert hub.parse(f"hub:a/b@{COMMIT}").pinned and hub.parse(f"hub:a/b/c.pt#sha256={'0' * 64}").pinned
    assert not hub.parse("hub:a/b").pinned and not hub.parse("hub:a/b@main").pinned and not hub.parse("hub:a/b@ccccccc").pinned


@pytest.mark.parametrize("part", ["unet", "unet/model.safetensors"])
def test_a_part_of_a_pipeline_comes_with_what_says_how_it_is_sampled(part: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put("owner/pipeline", **PIPELINE, **{"scheduler/scheduler_config.json": b"{ }", "scheduler/other.json": b"[]"})
    found = resolve(f"hub:owner/pipeline@{COMMIT}/{part}")
    alone = ["unet/model.safetensors"] if "/" in part else USED[1:]
    assert site.sent() == sorted([*alone, "model_index.json", "scheduler/scheduler_config.json"])
    assert list(hash_weights(found)) == ["model.safetensors"] if "/" in part else ["config.json", "model.safetensors"]
    offline(monkeypatch)
    assert resolve(f"hub:owner/pipeline@{COMMIT}/{part}") == found


def test_a_part_of_no_pipeline_comes_alone(site: Site) -> None:
    site.put("owner/folder", **{name: content for name, content in PIPELINE.items() if name != "model_index.json"})
    resolve(f"hub:owner/folder@{COMMIT}/unet")
    assert site.sent() == USED[1:]
