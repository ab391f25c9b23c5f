"""How a run lies on disk is said once; where a run goes, and which runs there are, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import bench
from bench.errors import BenchError
from bench.runs.find import find_runs, folder_of
from bench.runs.folder import MANIFEST, MANIFEST_VERSION, RunFolder
from bench.runs.folders import run_folders
from bench.runs.images import ImageStore
from bench.runs.manifest import begin
from bench.runs.spec import RunSpec

ROOT = Path(__file__).parents[3]
FOLDER, IMAGES, SCORES = "bench/runs/folder.py", "bench/runs/images.py", "bench/runs/score_sets.py"
NAMES: Mapping[str, str] = {"manifest.json": FOLDER, "scorer.json": SCORES, "*.png": IMAGES}
"""What no text of the code may hold, but in the file named."""
PLACES = ("units", "samples", "scores", "images", "lock")
"""What no path may be joined with, but in FOLDER."""
OTHERS: Mapping[str, str] = {
    "leaderboards/submissions/archive.py": "a bundle's own manifest.json",
    "leaderboards/submissions/bundle.py": "a bundle's own manifest.json",
    "leaderboards/submissions/pack.py": "a bundle's own manifest.json",
    "leaderboards/tables/datasets.py": "a data set's manifest.json",
}
"""Other things of the same name."""


def spelt(tree: ast.AST) -> Iterator[str]:
    """Every name of a run's files that a module spells; what it says in docstrings does not count."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield from (name for name in NAMES if name in node.value)
        joined: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath":
            joined = node.args
        for each in joined:
            if isinstance(each, ast.Constant) and str(each.value).split("/")[0] in PLACES:
                yield str(each.value)


def test_what_spells_a_runs_files_is_seen() -> None:
    lines = (
        '"""Not manifest.json."""',
        'p / "manifest.json", f"{p}/scorer.json", p.glob("*/*.png")',
        'p / "units" / n, p.joinpath("samples"), z["scores"]',
    )
    assert sorted(spelt(ast.parse("\n".join(lines)))) == ["*.png", "manifest.json", "samples", "scorer.json", "units"]


def test_nobody_else_spells_a_runs_files() -> None:
    found = set()
    for path in [*(ROOT / "bench").rglob("*.py"), *(ROOT / "leaderboards").rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        homes = {(each, NAMES.get(each, FOLDER)) for each in spelt(ast.parse(path.read_text(encoding="utf-8")))}
        found |= {(name, each) for each, home in homes if home != name}
    assert {name for name, each in found if each == "manifest.json"} == set(OTHERS)
    assert {(name, each) for name, each in found if each != "manifest.json"} == set()


def begun(out: Path, track: str, suite: str, method: str, run_id: str) -> RunFolder:
    folder = RunFolder.of(out, track, suite, method, run_id)
    folder.write_manifest({"run_id": run_id})
    return folder


def test_a_run_goes_to_one_place(toy: object, tmp_path: Path) -> None:
    done = bench.run("toy", "i2p", limit=2, scorers=["fidelity"], workers=1, out=tmp_path)
    folder, run_id = folder_of(RunSpec("toy", "i2p", limit=2), tmp_path)
    assert done.path == folder.path == tmp_path / "mini" / "i2p" / f"toy-{run_id[:8]}"
    assert RunFolder.is_run(done.path) and not RunFolder.is_run(tmp_path)
    assert RunFolder.of(tmp_path, "mini", "i2p", "unet:a/../b c", run_id).path.name == f"unet-a-..-b-c-{run_id[:8]}"
    assert [run.path for run in find_runs(tmp_path, track="mini", suite="i2p")] == [done.path] and find_runs(tmp_path, suite="hpd") == []
    assert folder.images.names() == set(folder.samples()["image"].to_pylist())


def test_runs_are_found_by_track_suite_and_id(tmp_path: Path) -> None:
    assert run_folders(tmp_path / "nowhere") == []
    wanted = {place: begun(tmp_path, *place, "abcdef0123").path for place in (("a", "one", "m"), ("a", "two", "m"), ("b[1]", "one", "n"))}
    (tmp_path / "a" / "one" / "no-run").mkdir()
    begun(tmp_path, "b1", "one", "m", "99999999ff")

    def found(**of: str) -> list[Path]:
        return [folder.path for folder in run_folders(tmp_path, **of)]

    assert len(found()) == 4 and found() == sorted(found())
    assert found(track="a") == [wanted["a", "one", "m"], wanted["a", "two", "m"]]
    assert found(track="b[1]", suite="one") == [wanted["b[1]", "one", "n"]]
    assert found(track="*") == []
    assert found(run_id="abcdef01ffff") == list(wanted.values())


def test_a_manifest_is_changed_entry_by_entry(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "mini", "i2p", "m", "0123456789")
    file = folder.path / MANIFEST
    begin(folder, RunSpec("black", "i2p", limit=2), "0123456789")
    whole = folder.manifest()
    folder.update_manifest(scorers={"a": "1"}, sessions=[])
    assert folder.manifest() == {**whole, "schema_version": MANIFEST_VERSION, "run_id": "0123456789", "scorers": {"a": "1"}, "sessions": []}
    before = file.stat().st_ino
    folder.update_manifest(scorers={"a": "1"})
    assert file.stat().st_ino == before  # nothing was written
    folder.update_manifest(scorers={})
    assert folder.manifest()["scorers"] == {} and file.stat().st_ino != before
    file.write_text('{"schema_version": 99}', encoding="utf-8")
    with pytest.raises(BenchError, match="manifest version 99"):
        folder.update_manifest(scorers={})


def test_a_folder_of_images_names_them(tmp_path: Path) -> None:
    assert ImageStore(tmp_path / "nowhere").names() == set()
