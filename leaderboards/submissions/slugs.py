"""Names of methods as names of files."""

from __future__ import annotations

import re


def slug(method: str) -> str:
    """Return a method's name as a folder or file is called: a method named with its weights may hold slashes."""
    return re.sub(r"[^\w.-]+", "-", method, flags=re.ASCII)[:80]
