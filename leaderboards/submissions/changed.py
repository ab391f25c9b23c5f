"""Writes the bundles and notices that a pull request changes to a folder, as bytes; refuses a request that changes anything else.

Usage: ``python -m leaderboards.submissions.changed BASE HEAD FOLDER``

Contents come from ``git cat-file`` and never from a checkout, so a link in the request is its text and nothing is followed.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from leaderboards.submissions.limits import BUNDLE_BYTES
from leaderboards.submissions.records import NOTICE, Notice
from leaderboards.submissions.schema import parse
from leaderboards.submissions.strict_json import loads
from leaderboards.submissions.verdicts import Refused

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}"
ALLOWED = re.compile(rf"leaderboards/bundles/{_NAME}/{_NAME}/{_NAME}\.(zip|notice\.json)")
"""Records of verification (NAME.verified.json) are not among them: maintainers add those."""

MOST_FILES, MOST_BYTES = 40, BUNDLE_BYTES


def git(*arguments: str) -> bytes:
    """Return what git prints."""
    return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout


def check_notice(name: str, content: bytes, head: str) -> None:
    """Leave with the reason where a notice has another form, or is of another bundle than the one beside it."""
    bundle = f"{head}:{name.removesuffix(NOTICE)}.zip"
    try:
        notice = parse(Notice, loads(content, name), name)
        if notice.bundle != hashlib.sha256(git("cat-file", "blob", bundle)).hexdigest():
            sys.exit(f"{name} names another bundle by its hash than the one beside it.")
    except Refused as error:
        sys.exit(f"{error}. The form of a notice stands in docs/submit.md.")
    except subprocess.CalledProcessError:
        sys.exit(f"There is no bundle beside {name}.")


def main(base: str, head: str, folder: Path) -> None:
    """Write the changed files, or leave with the reason."""
    since = git("merge-base", base, head).decode().strip()
    fields = git("diff", "--name-status", "--no-renames", "-z", since, head).decode("utf-8", "replace").split("\0")[:-1]
    changes = list(zip(fields[::2], fields[1::2], strict=True))
    if len(changes) > MOST_FILES:
        sys.exit(f"{len(changes)} files are changed; a submission changes at most {MOST_FILES}.")
    for status, name in changes:
        if not ALLOWED.fullmatch(name):
            sys.exit(f"{name!a} is changed. A submission adds leaderboards/bundles/TRACK/METHOD/NAME.zip or NAME.notice.json, and nothing else.")
        if status == "D" or (status != "A" and name.endswith(".zip")):
            sys.exit(f"{name} is changed or removed. Bundles stay as they are: send a new one, and a notice beside the old one (docs/submit.md).")
        if int(git("cat-file", "-s", f"{head}:{name}")) > MOST_BYTES:
            sys.exit(f"{name} is larger than {MOST_BYTES >> 20} MiB.")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = git("cat-file", "blob", f"{head}:{name}")
        if name.endswith(NOTICE):
            check_notice(name, content, head)
        path.write_bytes(content)
        print(name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
