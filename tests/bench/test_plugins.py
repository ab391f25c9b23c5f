"""Packages of others: one that is really installed and used, and one that cannot be imported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.registry import PluginWarning, methods
from bench.tracks import load_track
from bench.types import Method

PLUGINS = Path(__file__).parents[1] / "plugins"


def bench(*arguments: str, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=cwd, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the plugin ``grayscale`` is installed into, by pip from a copy of its sources."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGINS / "grayscale", folder / "source")
    target = folder / "site"
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--target", target, source]
    subprocess.run([sys.executable, "-m", "pip", *map(str, install)], check=True)
    return target


def test_an_installed_plugin_is_listed_with_our_own(site: Path, tmp_path: Path) -> None:
    rows = json.loads(bench("ls", "methods", "--format", "json", site=site, cwd=tmp_path).stdout)
    assert {"method": "grayscale", "kind": "filter", "summary": "Takes the colours out of the base's pictures."} in rows
    assert "uce" in {row["method"] for row in rows}


@pytest.mark.slow
def test_an_installed_plugin_keeps_the_contract(site: Path, tmp_path: Path) -> None:
    quick = load_track("mini").model_dump(mode="json") | {"steps": 3}
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick))
    command = ["check-method", "grayscale", "--track", "quick.yaml", "--no-measure", "--format", "json"]
    done = bench(*command, site=site, cwd=tmp_path)
    assert done.returncode == 0 and {row["result"] for row in json.loads(done.stdout)} == {"ok"}


def test_an_installed_plugin_runs(site: Path, tmp_path: Path) -> None:
    run = ["run", "--method", "grayscale", "--suite", "i2p", "--limit", "4", "--scorer", "fidelity", "--format", "json"]
    rows = json.loads(bench(*run, site=site, cwd=tmp_path).stdout)
    assert [(row["method"], row["n"]) for row in rows if row["metric"] == "fidelity" and row["category"] == "all"] == [("grayscale", 4)]


def test_a_broken_plugin_is_a_warning_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("raise ImportError('no module named so')\n")
    about = tmp_path / "torn-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[bench.methods]\ntorn-method = torn:Torn\n[bench.commands]\ntorn-verb = torn:verb\n")
    listed = bench("ls", "methods", "--format", "json", site=tmp_path, cwd=tmp_path)
    names = {row["method"] for row in json.loads(listed.stdout)}
    assert listed.returncode == 0 and "uce" in names and "torn-method" not in names
    warned = [line for line in listed.stderr.splitlines() if line.startswith("warning: ")]
    assert {name for name in ("torn-method", "torn-verb") if any(name in line for line in warned)} == {"torn-method", "torn-verb"}
    named = bench("check-method", "torn-method", site=tmp_path, cwd=tmp_path)
    assert named.returncode == 2 and "'torn-method' (torn:Torn) does not load" in named.stderr and "Traceback" not in named.stderr


def test_a_plugin_that_says_nothing_of_itself_is_a_warning_too() -> None:
    class Silent(Method):
        def load(self, context: object) -> None: ...

        def generate(self, samples: object) -> list[object]:
            return []

    methods.register("silent", Silent)
    try:
        with pytest.warns(PluginWarning, match="'silent' says nothing of itself: it has no `info`"):
            assert "silent" not in dict(methods.items())
    finally:
        methods.unregister("silent")
