"""Names as names of files, on every system."""

from __future__ import annotations

import re

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, with any ending."""


def portable(name: str) -> bool:
    """Return whether a file or folder of this name can be on Windows too, where nobody could check the repository out otherwise."""
    return not (_DEVICE.fullmatch(name) or name.endswith("."))


def slug(method: str) -> str:
    """Return a method's name as a folder or file is called: a method named with its weights may hold slashes."""
    return re.sub(r"[^\w.-]+", "-", method, flags=re.ASCII)[:80]
