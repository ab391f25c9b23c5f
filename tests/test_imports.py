"""Imports run one way: leaderboards and methods and training know bench, bench knows none of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "bench": {"methods", "leaderboards", "training"},
    "methods": {"leaderboards", "training"},
    "training": {"leaderboards"},
    "leaderboards": {"methods", "training"},
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        assert not imported(path) & FORBIDDEN[package], path


@pytest.mark.parametrize(
    "module",
    [
        "bench",
        "bench.stats",
        "bench.metrics",
        "bench.cli",
        "bench.reports.listing",
        "bench.metrics.columns",
        "bench.rules",
        "bench.reports.run_tables",
    ],
)
def test_no_torch(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'diffusers', 'transformers'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torchvision_can_be_imported_after_bench() -> None:
    code = "import bench, torchvision, sys; from transformers import CLIPImageProcessor; from diffusers import StableDiffusionPipeline"
    subprocess.run([sys.executable, "-c", code], check=True)
