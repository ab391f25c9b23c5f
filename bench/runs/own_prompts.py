"""What a run keeps of a user's file of prompts, so that its folder is enough for all but making it again from other prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError, Damaged
from bench.files.atomic import write_atomic
from bench.files.hashes import sha256
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.suites.load import screened_rows
from bench.suites.own.place import KEPT
from bench.suites.own.suite import MEND_KEPT, Kept, KeptPrompts, PromptFile, to_bytes

FILE = "file"
"""Of a manifest's suite: where the file was when the run was last asked for, its SHA-256, the columns that were read, and the copy's SHA-256."""


def keep(folder: RunFolder, spec: RunSpec) -> RunSpec:
    """Keep the prompts of a user's file in a run's folder; return the spec that reads them there, whatever becomes of the file from now on.

    Only what the child-safety screen left is kept. Of a registered suite nothing is.

    Args:
        folder: the run, whose manifest is there and whose lock the caller holds.
        spec: what was asked for.
    """
    suite = spec.own_suite
    path = folder.path / KEPT
    before = folder.manifest()["suite"]
    said = before.get(FILE, {})
    if isinstance(suite, KeptPrompts):
        return _keep_copy(folder, spec, suite.path)
    if not isinstance(suite, PromptFile):
        return spec
    if not path.is_file() or said.get("kept_sha256") != sha256(path):
        info, rows, excluded, _ = screened_rows(spec.suite, suite, spec.loaded_track)
        write_atomic(path, to_bytes(rows, Kept(info.name, info.version, info.unsafe, excluded)))
    now: dict[str, Any] = {
        "path": str(suite.path).encode("utf-8", "backslashreplace").decode(),
        "sha256": sha256(suite.path),
        "columns": dict(suite.read.columns),
        "kept_sha256": sha256(path),
    }
    folder.update_manifest(suite={**before, FILE: now})
    return replace(spec, file=str(path.absolute()), benign=False, columns={}, kept=True)


def _keep_copy(folder: RunFolder, spec: RunSpec, copy: Path) -> RunSpec:
    """Keep what another folder's run keeps, where a run goes on in a folder of its own; the same folder's stays as it is."""
    path, before = folder.path / KEPT, folder.manifest()["suite"]
    if FILE not in before or not path.is_file() or sha256(path) != before[FILE]["kept_sha256"]:
        content = copy.read_bytes()
        write_atomic(path, content)
        now = {"path": str(copy), "sha256": sha256(copy), "columns": {}, **before.get(FILE, {}), "kept_sha256": sha256(path)}
        folder.update_manifest(suite={**before, FILE: now})
    return replace(spec, file=str(path.absolute()))


def take_kept(folder: RunFolder, other: RunFolder) -> None:
    """Copy the prompts that ``other`` keeps into ``folder``, of the same run; nothing where its suite is a registered one.

    Raises:
        Damaged: they are missing there.
    """
    if FILE in other.manifest()["suite"] and folder.path != other.path:
        if wrong := wrong_with_kept(other):
            raise Damaged(wrong)
        write_atomic(folder.path / KEPT, (other.path / KEPT).read_bytes())


def kept_file(folder: RunFolder) -> dict[str, Any]:
    """Return what of a spec says where the run keeps its prompts, whether it still does or not; nothing where its suite is a registered one."""
    return {"file": str(folder.path.absolute() / KEPT), "kept": True} if FILE in folder.manifest()["suite"] else {}


def wrong_with_kept(folder: RunFolder) -> str:
    """Return what is wrong with the prompts that a run keeps; empty where nothing is, or where its suite is a registered one."""
    said = folder.manifest()["suite"].get(FILE)
    if said is None:
        return ""
    path = folder.path / KEPT
    try:
        same = sha256(path) == said["kept_sha256"]
    except (OSError, BenchError):
        return f"{path}, the run's own copy of its prompts, is missing. {MEND_KEPT}"
    return "" if same else f"{path}, the run's own copy of its prompts, was changed. {MEND_KEPT}"


def file_since(folder: RunFolder) -> str:
    """Return what became of the user's file since the run was made; empty where it is the same, or where the suite is a registered one."""
    said = folder.manifest()["suite"].get(FILE)
    if said is None:
        return ""
    path = Path(said["path"])
    try:
        if sha256(path) == said["sha256"]:
            return ""
        became = "was changed since this run was made; running it again begins another run"
    except OSError:
        became = "is not there any more"
    return f"{path} {became}. The run keeps its own copy of the prompts"
