"""Places of one machine, which mean nothing on another and may say who works there."""

from __future__ import annotations

import re
from typing import Any

_PLACE = re.compile(
    r"(^|[:=])(/(?!/)|~|[A-Za-z]:[\\/])|\\|(^|[:=/])\.\.(/|$)|\bfile:/"
    # Within a sentence a slash alone says nothing, a folder in a folder does.
    r"|(?<=[\s\"'`(\[{<,;])(/[\w.-]+/[\w.-]|~[\w.-]*/|[A-Za-z]:[\\/]|\.\./)"
)


def machine_path(value: Any) -> str | None:
    """Return the first text in a JSON-like value that names a place of one machine (absolute, of a home, or up from a folder), or None."""
    if isinstance(value, str):
        return value if _PLACE.search(value) else None
    if isinstance(value, dict):
        inside = [*value, *value.values()]
    elif isinstance(value, (list, tuple)):
        inside = list(value)
    else:
        return None
    return next((found for found in map(machine_path, inside) if found is not None), None)
