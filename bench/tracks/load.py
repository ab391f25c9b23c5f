"""Reads tracks: one YAML file each, ours beside this module or a user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from bench.errors import BenchError, NotAvailable, did_you_mean
from bench.files.yaml_text import invalid, read_yaml
from bench.tracks.joined import joined
from bench.types.track import Track

_FOLDER = Path(__file__).parent


def track_names() -> list[str]:
    """Return the names of the tracks that ship with the harness."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@lru_cache(maxsize=32)
def load_track(name: str) -> Track:
    """Return the track called ``name``, or the one in the YAML file at path ``name``; a file that states no ``name:`` is called by its stem.

    Raises:
        BenchError: unknown (with a suggestion), or the file does not describe a track.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        path = _FOLDER / f"{name}.yaml"
        if name not in track_names():
            raise did_you_mean("track", name, track_names())
    try:
        said = read_yaml(path)
        return joined(Track.model_validate({"name": path.stem, **said} if isinstance(said, dict) else said))
    except FileNotFoundError:
        raise BenchError(f"No track file at {path}. Give a name ({', '.join(track_names())}) or the path of a YAML file.") from None
    except ValidationError as error:
        raise invalid(path, error, "does not describe a track", "Compare with bench/tracks/mini.yaml") from error


def for_base(track: Track, places: Mapping[str, str]) -> str | None:
    """Return the place that is named for a track, or for one of ours with the same base: what was trained on a base fits it under any name.

    Args:
        track: of the harness or the user's.
        places: ``{track: location}``.
    """
    same = (name for name in places if name in track_names() and load_track(name).base == track.base)
    return places.get(track.name) or places.get(next(same, ""))


@contextmanager
def listed(name: str, track: Track) -> Iterator[None]:
    """Add, to the error of what a real track lacks, the command that lists all that it needs.

    Args:
        name: how the user named the track.
        track: the same.
    """
    try:
        yield
    except NotAvailable as error:
        if track.proxy:
            raise
        raise NotAvailable(f"{str(error).rstrip('.')}. All that this track needs: bench data list --track {name}") from error
