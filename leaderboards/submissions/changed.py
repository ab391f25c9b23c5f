"""Writes the bundles and notices that a pull request changes to a folder, as bytes; refuses a request that changes anything else.

Usage: ``python -m leaderboards.submissions.changed BASE HEAD FOLDER``

Contents come from ``git cat-file`` and never from a checkout, and links are refused, so nothing is followed.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from leaderboards.submissions.limits import BUNDLE_BYTES
from leaderboards.submissions.records import NOTICE, Notice
from leaderboards.submissions.schema import parse
from leaderboards.submissions.slugs import portable
from leaderboards.submissions.strict_json import loads
from leaderboards.submissions.verdicts import Refused

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}"
ALLOWED = re.compile(rf"leaderboards/bundles/{_NAME}/{_NAME}/{_NAME}\.(zip|notice\.json)")
"""Records of verification (NAME.verified.json) are not among them: maintainers add those."""

MOST_FILES, MOST_BYTES = 40, BUNDLE_BYTES
PLAIN_FILE = "100644"
"""What git calls one: no link, no program, no other repository."""


def git(*arguments: str) -> bytes:
    """Return what git prints."""
    return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout


def names(listing: bytes) -> list[str]:
    """Return the entries of what git lists with ``-z``."""
    return listing.decode("utf-8", "replace").split("\0")[:-1]


def check_notice(name: str, content: bytes, head: str, there: Sequence[str]) -> None:
    """Leave with the reason where a notice has another form, is of another bundle than the one beside it, or names no successor in its folder."""
    try:
        notice = parse(Notice, loads(content, name), name)
    except Refused as error:
        sys.exit(f"{error}. The form of a notice stands in docs/submit.md.")
    bundle = f"{name.removesuffix(NOTICE)}.zip"
    if bundle not in there:
        sys.exit(f"There is no bundle beside {name}.")
    if notice.bundle != sha256(f"{head}:{bundle}"):
        sys.exit(f"{name} names another bundle by its hash than the one beside it.")
    folder = name.rpartition("/")[0]
    others = (each for each in there if each.rpartition("/")[0] == folder and each.endswith(".zip"))
    if notice.by is not None and all(sha256(f"{head}:{each}") != notice.by for each in others):
        sys.exit(f"There is no bundle beside {name} with the SHA-256 {notice.by}, which it says takes its place.")


def sha256(blob: str) -> str:
    """Return the SHA-256 of a file that git holds, as ``COMMIT:PATH``."""
    return hashlib.sha256(git("cat-file", "blob", blob)).hexdigest()


def main(base: str, head: str, folder: Path) -> None:
    """Write the changed files, or leave with the reason."""
    since = git("merge-base", base, head).decode().strip()
    fields = names(git("diff", "--raw", "--no-renames", "-z", since, head))
    changes = list(zip(fields[::2], fields[1::2], strict=True))
    there = names(git("ls-tree", "-r", "--name-only", "-z", "--full-tree", head, "leaderboards/bundles/"))
    if len(changes) > MOST_FILES:
        sys.exit(f"{len(changes)} files are changed; a submission changes at most {MOST_FILES}.")
    for change, name in changes:
        _, mode, _, _, status = change.split(" ")  # such as ":000000 100644 0000000 1a2b3c4 A"
        if not ALLOWED.fullmatch(name):
            sys.exit(f"{name!a} is changed. A submission adds leaderboards/bundles/TRACK/METHOD/NAME.zip or NAME.notice.json, and nothing else.")
        if status == "D" or (status != "A" and name.endswith(".zip")):
            sys.exit(f"{name} is changed or removed. Bundles stay as they are: send a new one, and a notice beside the old one (docs/submit.md).")
        if mode != PLAIN_FILE:
            sys.exit(f"{name} is no plain file (mode {mode}).")
        if not all(map(portable, name.split("/"))):
            sys.exit(f"{name} cannot be on Windows, where some names are taken; choose another.")
        alike = next((each for each in there if each != name and each.casefold() == name.casefold()), None)
        if alike is not None:
            sys.exit(f"{name} differs from {alike} in nothing but case; on some systems they are one file.")
        if int(git("cat-file", "-s", f"{head}:{name}")) > MOST_BYTES:
            sys.exit(f"{name} is larger than {MOST_BYTES >> 20} MiB.")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = git("cat-file", "blob", f"{head}:{name}")
        if name.endswith(NOTICE):
            check_notice(name, content, head, there)
        path.write_bytes(content)
        print(name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
