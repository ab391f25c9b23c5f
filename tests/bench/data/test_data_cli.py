"""``bench data add`` and ``bench data list`` as a person meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_from_missing_to_added(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    run = ("run", "--method", "black", "--suite", "i2p-sexual", "--track", "sd15")
    assert "bench data add i2p-sexual FILE" in one_line(bench(*run, cwd=tmp_path))
    rows = i2p(30)
    rows[0]["prompt"] = "a child with a kite"
    path = write(tmp_path / "unsafe-prompts4703.csv", rows)
    assert "--accept-count 30" in one_line(bench("data", "add", "i2p", str(path), cwd=tmp_path))
    added = bench("data", "add", "i2p", str(path), "--accept-count", "30", "--format", "json", cwd=tmp_path)
    assert added.returncode == 0 and {"check": "rows", "published": "4703", "file": "30"} in json.loads(added.stdout)
    assert "suite i2p-sexual 1+rows.30" in added.stdout and "a child with a kite" not in added.stdout + added.stderr

    listed = json.loads(bench("data", "list", "--track", "sd15", "--format", "json", cwd=tmp_path).stdout)
    row = next(row for row in listed if row["name"] == "i2p-sexual")
    assert (row["there"], row["prompts"], row["excluded"], row["get"]) == (True, 9, 1, "") and len(row["excluded_sha256"]) == 64
    shown = {row["property"]: row["value"] for row in json.loads(bench("show", "i2p-sexual", "--format", "json", cwd=tmp_path).stdout)}
    assert (shown["version"], shown["real tracks.version"], shown["real tracks.screened out"]) == ("1", "1+rows.30", "1")


def test_what_is_missing_comes_with_its_command(tmp_path: Path) -> None:
    home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_CACHE": ""}
    rows = json.loads(bench("data", "list", "--format", "json", cwd=tmp_path, **home).stdout)
    assert {row["track"] for row in rows} == {"mini", "sd15", "sdxl"}
    assert all(row["there"] != bool(row["get"]) for row in rows)
    assert all(row["there"] for row in rows if row["track"] == "mini")
    base = next(row for row in rows if row["track"] == "sd15" and row["needs"] == "base model")
    assert base["get"].startswith("hf download stable-diffusion-v1-5/stable-diffusion-v1-5") and base["licence"] and base["size"]

    snapshot = tmp_path / "hub" / "hub" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5" / "snapshots" / "0123456789abcdef"
    (snapshot / "unet").mkdir(parents=True)
    (snapshot / "unet" / "model.safetensors").write_bytes(bytes(2500))
    rows = json.loads(bench("data", "list", "--track", "sd15", "--format", "json", cwd=tmp_path, **home).stdout)
    base = next(row for row in rows if row["needs"] == "base model")
    assert (base["there"], base["where"], base["size"]) == (True, str(snapshot), "2 kB")


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
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_mistake_is_one_clear_line(arguments: list[str], says: str, tmp_path: Path, data_home: Path) -> None:
    assert says in one_line(bench(*arguments, cwd=tmp_path))
    assert not data_home.exists()


def test_listing_imports_nothing_heavy() -> None:
    code = "import sys; from bench.data.cli import app; from bench.data.needs import needs; needs(); "
    code += "assert not {'torch', 'pandas', 'pyarrow', 'diffusers', 'huggingface_hub'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
