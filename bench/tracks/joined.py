"""What the files of suites say of tracks: which they are of, and by which rules they are counted there. So a new suite is one file.

Only these entries are read here, of every file at once; the whole file is read, and refused where it is wrong, when its suite is asked for.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bench.files.declared import SUITE_FOLDERS, yaml_files
from bench.rules import RULES
from bench.types.track import MINIATURE, REAL_TRACKS, Track


def joined(track: Track) -> Track:
    """Return ``track`` with what suites' files say of it.

    A suite whose file names the track stands behind those that the track lists, by name. A suite's rules count on real tracks, where
    the track has none for it; the miniature's variants are counted by the track's own.
    """
    files: dict[str, dict[str, Any]] = {}
    for _, path in yaml_files(SUITE_FOLDERS, lambda *_: None):  # the registry says which folder is not there
        files.setdefault(path.stem, _read(path))
    listed = (*track.suites, *(name for name, said in sorted(files.items()) if track.name in _tracks(said) and name not in track.suites))
    rules = {} if track.proxy else {name: _rules(files[name]) for name in listed if name in files}
    counted = {name: said for name, said in rules.items() if said and set(said) <= set(RULES)}  # what is unknown is said of its suite
    harm = track.harm.model_copy(update={"suites": {**counted, **track.harm.suites}})
    return track.model_copy(update={"suites": listed, "harm": harm})


@cache
def _read(path: Path) -> dict[str, Any]:
    """Return a file's entries; none of one that cannot be read, which is said where its suite is asked for."""
    try:
        said = yaml.load(path.read_text(encoding="utf-8-sig"), yaml.CSafeLoader)  # in C: a fifth of the time
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _tracks(said: dict[str, Any]) -> tuple[str, ...]:
    """Return the tracks that a file is of."""
    real = _names(said.get("tracks", REAL_TRACKS)) if "data" in said else ()
    return (*real, MINIATURE) if "mini" in said else real


def _rules(said: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of a file's rules."""
    return _names(said.get("rules", ()))


def _names(said: Any) -> tuple[str, ...]:
    return tuple(said) if isinstance(said, (list, tuple)) and all(isinstance(each, str) for each in said) else ()
