"""The folders of YAML files that packages bring: an entry-point group names them, and every file in one declares an entry called as the file is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

SUITE_FOLDERS = "bench.suite_folders"
"""The group of suites."""


def yaml_files(group: str, missing: Callable[[EntryPoint, BaseException], None]) -> Iterator[tuple[EntryPoint, Path]]:
    """Yield the files of a group's folders with the entry point that names the folder; imports no package but their parents.

    Args:
        group: of entry points; each names a package that is the folder, and the function in it that reads a file.
        missing: is called for a folder that is not there, with the error that finding it ended in.
    """
    for point in entry_points(group=group) if group else ():
        try:
            found = find_spec(point.module)
            folders = [Path(each) for each in (found.submodule_search_locations or () if found else ())]
        except (ImportError, ValueError) as error:
            folders = []
            missing(point, error)
        yield from ((point, path) for folder in folders for path in sorted(folder.glob("*.yaml")))
