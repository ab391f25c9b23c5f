"""What the workflow takes from a pull request: added bundles and notices, as bytes; a request with anything else is refused."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from leaderboards.submissions.changed import main

PLACE = "leaderboards/bundles/mini/uce"


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Commits what lies in the repository; returns the commit."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / PLACE).mkdir(parents=True)
    (tmp_path / PLACE / "old.zip").write_bytes(b"old")
    (tmp_path / PLACE / "old.notice.json").write_bytes(b"{}")

    def make() -> str:
        git("add", "-A")
        git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x")
        return git("rev-parse", "HEAD").strip()

    return make


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def notice(**changes: str) -> bytes:
    fields = {"bundle": hashlib.sha256(b"old").hexdigest(), "state": "withdrawn", "reason": "A wrong checkpoint.", "date": "2026-01-31"}
    return json.dumps({"schema_version": 1, **fields, **changes}).encode()


def test_added_bundles_and_changed_notices_are_taken(commit: Callable[[], str], tmp_path: Path) -> None:
    base = commit()
    (tmp_path / PLACE / "new.zip").write_bytes(b"PK\0\xff")
    (tmp_path / PLACE / "old.notice.json").write_bytes(notice())
    main(base, commit(), tmp_path / "taken")
    taken = {path.name: path.read_bytes() for path in (tmp_path / "taken").rglob("*") if path.is_file()}
    assert taken == {"new.zip": b"PK\0\xff", "old.notice.json": notice()}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("bench/cli.py", b"x", "and nothing else"),
        (f"{PLACE}/new.verified.json", b"{}", "and nothing else"),
        (f"{PLACE}/new\n.zip", b"x", "and nothing else"),
        (f"{PLACE}/deeper/new.zip", b"x", "and nothing else"),
        ("leaderboards/bundles/mini/con/new.zip", b"x", "cannot be on Windows"),
        ("leaderboards/bundles/mini/uce/Aux.1.zip", b"x", "cannot be on Windows"),
        ("leaderboards/bundles/mini/uce./new.zip", b"x", "cannot be on Windows"),
        (f"{PLACE}/OLD.zip", b"x", "differs from .*old.zip in nothing but case"),
        (f"{PLACE}/old.zip", b"x", "Bundles stay as they are"),
        (f"{PLACE}/old.zip", None, "Bundles stay as they are"),
        (f"{PLACE}/old.notice.json", None, "Bundles stay as they are"),
        (f"{PLACE}/old.notice.json", notice(bundle="0" * 64), "names another bundle"),
        (f"{PLACE}/old.notice.json", notice(state="gone"), "The form of a notice"),
        (f"{PLACE}/none.notice.json", notice(), "There is no bundle beside"),
    ],
)
def test_a_request_that_changes_anything_else_is_refused(
    commit: Callable[[], str], tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    base = commit()
    path = tmp_path / name
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(SystemExit, match=reason):
        main(base, commit(), tmp_path / "taken")


@pytest.mark.parametrize("name", ["new.zip", "old.notice.json"])
def test_what_is_no_plain_file_is_refused(commit: Callable[[], str], tmp_path: Path, name: str) -> None:
    base = commit()
    (tmp_path / PLACE / name).unlink(missing_ok=True)
    (tmp_path / PLACE / name).symlink_to(notice().decode())
    with pytest.raises(SystemExit, match="is no plain file"):
        main(base, commit(), tmp_path / "taken")
    (tmp_path / PLACE / name).unlink()
    git("update-index", "--add", "--cacheinfo", f"160000,{base},{PLACE}/{name}")
    git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x")
    with pytest.raises(SystemExit, match="is no plain file"):
        main(base, "HEAD", tmp_path / "taken")


def test_a_notice_of_supersession_names_a_bundle_of_the_same_folder(commit: Callable[[], str], tmp_path: Path) -> None:
    base = commit()
    (tmp_path / PLACE / "old.notice.json").write_bytes(notice(state="superseded", by=hashlib.sha256(b"new").hexdigest()))
    with pytest.raises(SystemExit, match=r"There is no bundle beside .*old.notice.json with the SHA-256"):
        main(base, commit(), tmp_path / "taken")
    (tmp_path / PLACE / "new.zip").write_bytes(b"new")
    main(base, commit(), tmp_path / "taken")
    assert {path.name for path in (tmp_path / "taken").rglob("*") if path.is_file()} == {"new.zip", "old.notice.json"}


def test_the_workflow_runs_nothing_of_the_request() -> None:
    path = Path(__file__).parents[3] / ".github/workflows/submission.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(workflow[True]) == {"pull_request"}  # "on" is YAML's true; pull_request_target would bring secrets
    assert workflow["permissions"] == {"contents": "read"} and set(workflow["jobs"]) == {"validate"}
    job = workflow["jobs"]["validate"]
    assert "permissions" not in job
    for step in job["steps"]:
        assert "${{" not in step.get("run", ""), "what a request names reaches the shell as a variable alone"
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
        if "$BASE" in step.get("run", "") or "bench validate" in step.get("run", ""):
            assert "::stop-commands::" in step["run"], "what is printed of a request is no command to the runner"
    checkout = job["steps"][0]["with"]
    assert checkout["ref"].endswith(".base.sha }}") and checkout["persist-credentials"] is False


def test_what_the_base_branch_did_meanwhile_is_not_the_requests(commit: Callable[[], str], tmp_path: Path) -> None:
    commit()
    git("checkout", "-qb", "request")
    (tmp_path / PLACE / "new.zip").write_bytes(b"new")
    head = commit()
    git("checkout", "-q", "-")
    (tmp_path / "README.md").write_text("later")
    main(commit(), head, tmp_path / "taken")
    assert [path.name for path in (tmp_path / "taken").rglob("*.zip")] == ["new.zip"]
