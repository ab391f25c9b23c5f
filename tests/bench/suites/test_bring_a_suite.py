"""The guide's package, written from the page, installed by pip and used: a killed run goes on, the scorer is printed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench

GUIDE = (Path(__file__).parents[3] / "docs" / "bring-a-suite.md").read_text(encoding="utf-8")
TOML, CODE = (re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)[0] for kind in ("toml", "python"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the guide's package is installed into."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "source" / "src" / "tidy_shapes").mkdir(parents=True)
    (folder / "source" / "pyproject.toml").write_text(TOML)
    (folder / "source" / "src" / "tidy_shapes" / "__init__.py").write_text(CODE)
    target = folder / "site"
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", *map(str, install), str(folder / "source")], check=True)
    return target


def command(site: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "bench", *arguments], {**os.environ, "PYTHONPATH": str(site)}


def rows(site: Path, cwd: Path, *arguments: str) -> list[dict[str, object]]:
    line, environment = command(site, *arguments, "--format", "json")
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_the_suite_and_the_scorer_are_there(site: Path, tmp_path: Path) -> None:
    assert {"property": "images_per_prompt", "value": "2"} in rows(site, tmp_path, "show", "tidy-shapes")
    assert "tidy-shapes" in {row["suite"] for row in rows(site, tmp_path, "ls", "suites")}
    assert "brightness" in {row["scorer"] for row in rows(site, tmp_path, "ls", "scorers")}


@pytest.mark.slow
def test_a_killed_run_of_the_suite_goes_on(site: Path, tmp_path: Path) -> None:
    run = ["run", "--method", "sd-v1.5", "--suite", "tidy-shapes", "--limit", "12", "--batch-size", "2", "--scorer", "brightness", "-q"]
    line, environment = command(site, *run)
    killed = subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while killed.poll() is None and len(list(tmp_path.glob("runs/*/*/*/units/*.json"))) < 3:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    table = rows(site, tmp_path, *run)
    whole = rows(site, tmp_path, *run, "--out", "whole")
    assert [{**row, "run": None} for row in table] == [{**row, "run": None} for row in whole]
    (mean,) = (row for row in table if row["metric"] == "brightness")
    assert (mean["n"], mean["prompts"], mean["unit"]) == (24, 12, "0 to 1")
    for unit in ("samples", "images"):
        first, second = (
            sorted((path.name, path.read_bytes()) for path in (tmp_path / out).glob(f"*/*/*/{unit}/**/*.p*")) for out in ("runs", "whole")
        )
        assert first == second and first
    assert bench.load_run(next(tmp_path.glob("runs/*/*/*"))).records()["brightness"].between(0, 1).all()
