"""A start that fails leaves nothing, and `bench rm` takes away runs and nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.errors import BenchError
from bench.files.atomic import TEMPORARY
from bench.runs.find import survey
from bench.runs.folder import RunFolder
from bench.runs.folders import run_folders
from bench.runs.remove import remove


def made(out: Path, **settings: object) -> Path:
    return bench.run("black", "i2p", limit=2, workers=1, scorers=["fidelity"], out=out, **settings).path  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("uce", {"parameters": {"rows": "none"}}, "uce needs rows to be one of"),
        ("uce", {"parameters": {"rows": "none"}, "workers": 2}, "uce needs rows to be one of"),
        ("lora:methods", {}, "methods"),
        ("black", {"device": "nonsense"}, "Cannot use the device 'nonsense'"),
        ("black", {"device": "meta"}, "Cannot use the device 'meta'"),
        ("sd-v1.5", {"device": "cuda:9"}, "Cannot use the device 'cuda:9'"),
    ],
)
def test_a_start_that_fails_leaves_nothing(method: str, settings: dict[str, object], says: str, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    for out in (tmp_path, tmp_path / "runs"):
        with pytest.raises(BenchError, match=says):
            bench.run(method, "i2p", limit=2, scorers=["fidelity"], out=out, **{"workers": 1, **settings})  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_run_that_was_there_before_stays_when_going_on_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path)
    for file in (path / "units").iterdir():
        file.unlink()
    with monkeypatch.context() as broken:
        broken.setattr("methods.black.Black.load", lambda self, context: (_ for _ in ()).throw(BenchError("black: not now.")))
        with pytest.raises(BenchError, match="not now"):
            made(tmp_path)
    assert (path / "manifest.json").is_file() and made(tmp_path) == path


def test_a_run_is_removed_and_its_neighbours_stay(tmp_path: Path) -> None:
    path, other = made(tmp_path), made(tmp_path, batch_size=1)
    remove(RunFolder(path))
    assert not path.exists() and [run.path for run in run_folders(tmp_path)] == [other]
    with pytest.raises(BenchError, match="is not a run folder"):
        remove(RunFolder(tmp_path / "mini"))


def test_what_a_killed_removal_leaves_is_no_run_and_is_swept_by_the_next(tmp_path: Path) -> None:
    path, other = made(tmp_path), made(tmp_path, batch_size=1)
    half = path.rename(path.with_name(f"{TEMPORARY}{path.name}"))
    assert [run.path for run in survey(tmp_path)[0]] == [other] and survey(tmp_path)[1] == []
    remove(RunFolder(other))
    assert not half.exists()


def test_a_run_that_somebody_works_on_is_not_removed(tmp_path: Path) -> None:
    path = made(tmp_path)
    with RunFolder(path).lock(), pytest.raises(BenchError, match="Another bench process is working on"):
        remove(RunFolder(path))
    assert (path / "manifest.json").is_file()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is typed come from a terminal."""
    monkeypatch.setattr("bench.cli.runs.is_asked", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_the_verb_asks_and_takes_all_or_none(tmp_path: Path) -> None:
    path = made(tmp_path)
    no = CliRunner().invoke(app, ["rm", str(path)], input="n\n")
    assert no.exit_code == 1 and path.is_dir() and "1 finished unit(s)" in no.stderr
    mixed = CliRunner().invoke(app, ["rm", "--yes", str(path), str(tmp_path)])
    assert isinstance(mixed.exception, BenchError) and path.is_dir()
    (path / "manifest.json").write_bytes(b"{")  # a damaged one too
    yes = CliRunner().invoke(app, ["rm", str(path)], input="y\n")
    assert yes.exit_code == 0 and not path.exists()


@pytest.mark.usefixtures("terminal")
def test_the_end_of_the_input_and_ctrl_c_are_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path)
    for way in ("", KeyboardInterrupt):
        if way:
            monkeypatch.setattr("click.termui.visible_prompt_func", lambda text: (_ for _ in ()).throw(KeyboardInterrupt))
        done = CliRunner().invoke(app, ["rm", str(path)], input="")
        assert done.exit_code == 1 and path.is_dir()
        assert done.stderr.splitlines()[-1] == "nothing is removed." and "interrupted" not in done.stderr


def test_without_a_terminal_it_is_said_beforehand(tmp_path: Path) -> None:
    path = made(tmp_path)
    done = CliRunner().invoke(app, ["rm", str(path)], input="y\n")
    assert isinstance(done.exception, BenchError) and path.is_dir()
    assert str(done.exception) == "Nothing is removed: there is no terminal to ask on. Say it beforehand: `bench rm --yes RUN...`."


def test_a_read_only_disk_is_said_with_its_own_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path)
    opened = os.open

    def refused(name: str, flags: int, *rest: int) -> int:
        if Path(name).name == "lock":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)
        return opened(name, flags, *rest)

    monkeypatch.setattr("bench.runs.lock.os.open", refused)
    with pytest.raises(BenchError, match=r"^Cannot remove .*: Read-only file system\. Remove it as somebody who may") as found:
        remove(RunFolder(path))
    assert "--out" not in str(found.value)


def test_other_peoples_folders_links_and_a_point_are_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = made(tmp_path), made(tmp_path, batch_size=1)
    (path.parent / f"{TEMPORARY}mine").mkdir()
    link = path.parent / "link-00000000"
    link.symlink_to(path)
    monkeypatch.chdir(path)
    remove(RunFolder(Path()))
    assert not path.exists() and (other.parent / f"{TEMPORARY}mine").is_dir()
    remove(RunFolder(other))
    assert (other.parent / f"{TEMPORARY}mine").is_dir() and link.is_symlink()


def test_the_verb_removes_none_where_one_is_worked_on(tmp_path: Path) -> None:
    path, other = made(tmp_path), made(tmp_path, batch_size=1)
    with RunFolder(other).lock():
        done = CliRunner().invoke(app, ["rm", "-y", str(path), str(other)])
    assert isinstance(done.exception, BenchError) and path.is_dir() and other.is_dir()
