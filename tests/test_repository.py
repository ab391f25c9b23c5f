"""What the repository may hold: small files, described files, nothing of the machine it was written on."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "methods", "leaderboards", "training")


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


SOURCES = [path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_says_what_it_is_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) < 400


def test_no_path_of_a_machine() -> None:
    machine = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/\w")
    for path in files():
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".txt", ".cff", ".json"} and path != Path(__file__):
            assert not machine.search(path.read_text(encoding="utf-8")), path


def test_weights_are_small() -> None:
    sizes = {path: path.stat().st_size for path in files()}
    assert max(sizes.values()) <= 20e6
    assert sum(size for path, size in sizes.items() if (ROOT / "bench" / "miniature") in path.parents) <= 40e6


def test_what_documents_name_is_there() -> None:
    """Paths of files, and links from one document to another."""
    named = re.compile(r"(?<![\w/.~-])((?:bench|methods|training|leaderboards|tests|docs)/[\w./-]*\.(?:py|md|yaml|csv|jsonl|json))\b")
    linked = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    for path in (path for path in files() if path.suffix in {".md", ".py", ".yaml", ".toml"}):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            assert not [link for link in linked.findall(text) if not (path.parent / link).exists()], path
        if not path.is_relative_to(ROOT / "tests"):
            assert not [name for name in named.findall(text) if not (ROOT / name).exists() and not re.search("NAME|TRACK", name)], path
