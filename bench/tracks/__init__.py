"""Tracks: a base model with its sampler settings, its scorers' weights and its concepts. One YAML file each.

Numbers are compared within a track only.
"""

from __future__ import annotations

from bench.tracks.load import for_base, listed, load_track, track_names
from bench.types.track import Harm, Track

__all__ = ["Harm", "Track", "for_base", "listed", "load_track", "track_names"]
