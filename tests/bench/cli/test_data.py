"""``bench data add`` and ``bench data list`` as a person meets them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.files import hub
from bench.reports.needs import locations, needs
from bench.suites.from_files.add import add
from bench.tracks import load_track
from tests.bench.files.served import COMMIT, served

ROOT = Path(__file__).parents[3]
Write = Callable[..., Path]
I2PRows = Callable[..., list[dict[str, Any]]]


def bench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a refused command: exit code 2, nothing on standard output, one line, no traceback."""
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture(autouse=True)
def _own_data(data_home: Path) -> None:
    """Of :func:`tests.bench.conftest.data_home`."""


def test_from_missing_to_added(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    run = ("run", "--method", "black", "--suite", "i2p-sexual", "--track", "sd15")
    line = one_line(bench(*run, cwd=tmp_path))
    assert "bench data add i2p-sexual FILE" in line and line.endswith(" bench data list --track sd15")
    rows = i2p(30)
    rows[0]["prompt"] = "a child with a kite"
    path = write(tmp_path / "unsafe-prompts4703.csv", rows)
    assert "--accept-count 30" in one_line(bench("data", "add", "i2p", str(path), cwd=tmp_path))
    added = bench("data", "add", "i2p", str(path), "--accept-count", "30", "--format", "json", cwd=tmp_path)
    assert added.returncode == 0 and {"check": "rows", "published": "4703", "file": "30"} in json.loads(added.stdout)
    assert "suite i2p-sexual 2+rows.30" in added.stdout and "a child with a kite" not in added.stdout + added.stderr

    listed = json.loads(bench("data", "list", "--track", "sd15", "--format", "json", cwd=tmp_path).stdout)
    row = next(row for row in listed if row["name"] == "i2p-sexual")
    assert (row["there"], row["prompts"], row["excluded"], row["get"]) == (True, 9, 1, "") and len(row["excluded_sha256"]) == 64
    shown = {row["property"]: row["value"] for row in json.loads(bench("show", "i2p-sexual", "--format", "json", cwd=tmp_path).stdout)}
    assert (shown["version"], shown["real tracks.version"], shown["real tracks.screened out"]) == ("1", "2+rows.30", "1")


def test_what_is_missing_comes_with_its_command(tmp_path: Path) -> None:
    home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_CACHE": str(tmp_path / "hub" / "hub")}
    rows = json.loads(bench("data", "list", "--format", "json", cwd=tmp_path, **home).stdout)
    assert {row["track"] for row in rows} == {"mini", "sd15", "sdxl"}
    assert all(row["there"] != bool(row["get"]) for row in rows)
    assert all(row["there"] for row in rows if row["track"] == "mini")
    fetched = [row for row in rows if row["get"].startswith("bench data get '")]
    assert {row["pinned"] for row in fetched if row["needs"] != "method"} == {"commit", "sha256"}
    assert all(row["licence"] and (row["size"] or row["name"].startswith("safe-clip")) for row in fetched)
    pins = {(row["track"], row["name"].partition(":")[0]): row["pinned"] for row in rows if row["needs"] == "method"}
    assert pins == {
        ("sd15", "advunlearn"): "commit",
        ("sd15", "alignguard"): "unpinned",
        ("sd15", "safe-clip"): "unpinned",
        ("sdxl", "alignguard"): "unpinned",
    }
    for track in ("sd15", "sdxl"):
        scorers = {row["name"].partition(":")[0] for row in rows if row["track"] == track and row["needs"] == "scorer"}
        assert scorers >= {"nudenet", "nudenet_308", "q16", "aesthetic", "clipscore_l14", "pickscore", "hpsv2", "imagereward"}
    base = next(row for row in rows if row["track"] == "sd15" and row["needs"] == "base model")
    assert base["get"] == "bench data get 'hub:stable-diffusion-v1-5/stable-diffusion-v1-5@451f4fe16113bff5a5d2269ed5ad43b0592e9a14'"

    commit = base["get"][-41:-1]
    snapshot = tmp_path / "hub" / "hub" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5" / "snapshots" / commit
    (snapshot / "unet").mkdir(parents=True)
    (snapshot / "unet" / "model.safetensors").write_bytes(bytes(2500))
    (snapshot / "model_index.json").write_text('{"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}')
    read = ("data", "list", "--track", "sd15", "--format", "json")
    assert not next(row for row in json.loads(bench(*read, cwd=tmp_path, **home).stdout) if row["needs"] == "base model")["there"]
    (snapshot / "model_index.json").write_text('{"unet": ["diffusers", "UNet2DConditionModel"], "vae": [null, null]}')
    base = next(row for row in json.loads(bench(*read, cwd=tmp_path, **home).stdout) if row["needs"] == "base model")
    assert (base["there"], base["where"], base["size"]) == (True, str(snapshot), "3 kB")


def test_an_unpinned_location_is_called_so(tmp_path: Path) -> None:
    track = tmp_path / "mine.yaml"
    text = (ROOT / "bench" / "tracks" / "sd15.yaml").read_text(encoding="utf-8")
    track.write_text(text.replace("@a4e4367c6dfa7288a00c550414478f865b875800", "@main"), encoding="utf-8")
    unpinned = [row["name"] for row in needs(str(track)) if row["pinned"] == "unpinned" and row["needs"] != "method"]
    assert unpinned == ["pickscore: yuvalkirstain/PickScore_v1"]


def test_the_weights_of_methods_are_fetched_with_a_tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = locations(load_track("sd15"))
    assert [hub.parse(each).repository for each in wanted if "AdvUnlearn" in each or "Visualignment" in each or "aimagelab" in each] == [
        "OPTML-Group/AdvUnlearn",
        "Visualignment/safe-stable-diffusion-v1-5",
        "aimagelab/safeclip_vit-l_14",
    ]
    assert not any("Visualignment" in each for each in locations(load_track("mini")))
    with served() as site:
        site.put("o/encoder", **{"nudity/config.json": b"{}", "nudity/pytorch_model.bin": b"weights", "style/pytorch_model.bin": b"other"})
        track = tmp_path / "mine.yaml"
        mini = load_track("mini").model_dump(mode="json") | {"name": "mine", "methods": {"advunlearn": {"weights": f"hub:o/encoder@{COMMIT}/nudity"}}}
        track.write_text(yaml.safe_dump(mini), encoding="utf-8")
        home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_CACHE": str(tmp_path / "hub" / "hub"), "HF_ENDPOINT": site.url, "HF_HUB_OFFLINE": ""}
        read = ("data", "list", "--track", str(track), "--format", "json")
        (row,) = (each for each in json.loads(bench(*read, cwd=tmp_path, **home).stdout) if each["needs"] == "method")
        assert (row["name"], row["there"], row["pinned"]) == ("advunlearn: o/encoder/nudity", False, "commit")
        assert bench("data", "get", "--track", str(track), cwd=tmp_path, **home).returncode == 0
        assert site.sent() == ["nudity/config.json", "nudity/pytorch_model.bin"]
        (row,) = (each for each in json.loads(bench(*read, cwd=tmp_path, **home).stdout) if each["needs"] == "method")
        assert row["there"] and row["get"] == ""


def test_the_table_fits_80_columns_and_breaks_no_name(tmp_path: Path) -> None:
    home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_CACHE": str(tmp_path / "hub" / "hub"), "COLUMNS": "80"}
    shown = bench("data", "list", "--track", "sdxl", cwd=tmp_path, **home).stdout
    assert max(map(len, shown.splitlines())) <= 80
    for whole in (
        "nsfw56k-sexual",
        "stable-diffusion-xl-base-1.0",
        "stable-diffusion-safety-checker",
        "sac+logos+ava1-l14-linearMSE.pth",
        "prompts.p",
    ):
        assert re.search(rf"(?<!\S){re.escape(whole)}(?!\S)", shown)
    assert "bench data get --track sdxl" in shown and shown.count("# from") == 13


def test_a_run_without_weights_names_the_first_thing_missing_and_the_list(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [write(tmp_path / "i2p.csv", i2p(30))], accept_count=30)
    run = ("run", "--method", "sd-v1.5", "--suite", "i2p", "--limit", "1", "--track", "sd15")
    home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_CACHE": str(tmp_path / "hub" / "hub"), "HF_HUB_OFFLINE": "1"}
    for more, says in (
        ([], "best.onnx of nudenet 3.0.8 (wheel) is not here"),
        (["--scorer", "q16"], "prompts.p is not here"),
        (["--scorer", "nudenet"], "Cannot get stable-diffusion-v1-5/stable-diffusion-v1-5 from the hub"),
    ):
        line = one_line(bench(*run, *more, cwd=tmp_path, **home))
        assert says in line and line.endswith(" bench data list --track sd15")


def test_get_fetches_what_a_location_names(tmp_path: Path) -> None:
    with served() as site:
        site.files["/a.pt"] = b"weights"
        right = f"{site.url}/a.pt#sha256={hashlib.sha256(b'weights').hexdigest()}"
        done = bench("data", "get", right, f"{site.url}/b.pt#sha256={'0' * 64}", "--format", "json", cwd=tmp_path, HF_HUB_OFFLINE="")
    (row,) = json.loads(done.stdout)
    assert row["location"] == right and Path(row["path"]).read_bytes() == b"weights"
    assert done.returncode == 2 and "1 of 2 could not be fetched, first http" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex"])
def test_every_format_prints(form: str, tmp_path: Path) -> None:
    done = bench("data", "list", "--track", "sdxl", "--format", form, cwd=tmp_path)
    assert done.returncode == 0 and "drawbench" in done.stdout and "bench data add drawbench FILE" in done.stdout.replace("\n", " ")


MISTAKES = [
    (["data", "add", "i2pp", "a.csv"], "Did you mean 'i2p'?"),
    (["data", "add", "dev-benign", "a.csv"], "ships with the harness"),
    (["data", "add", "i2p", "none.csv"], "No such file"),
    (["data", "add", "i2p", "."], "this is a folder"),
    (["data", "add", "i2p", "a.csv", "b.csv"], "is one file; got 2"),
    (["data", "add", "hpd", "."], "anime, concept-art, paintings, photo is not given"),
    (["data", "add", "i2p"], "Missing argument"),
    (["data", "list", "--track", "sd5"], "Did you mean 'sd15'?"),
    (["data", "get"], "name a LOCATION or a --track"),
    (["data", "get", "hub:x"], "is no location on the hub"),
    (["data", "get", "https://example.org/a.pt"], "Add its hash"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_mistake_is_one_clear_line(arguments: list[str], says: str, tmp_path: Path, data_home: Path) -> None:
    assert says in one_line(bench(*arguments, cwd=tmp_path))
    assert not data_home.exists()


def test_listing_imports_nothing_heavy() -> None:
    code = "import sys; from bench.cli.data import app; from bench.reports.needs import needs; needs(); "
    code += "assert not {'torch', 'pandas', 'pyarrow', 'diffusers', 'transformers'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
