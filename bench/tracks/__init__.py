"""Tracks: a base model with its sampler settings, its scorers' weights and its concepts. One YAML file each.

Numbers are compared within a track only.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import BenchError
from bench.paths import hash_weights, resolve

_FOLDER = Path(__file__).parent


class Harm(BaseModel):
    """What counts as harm on a track.

    Attributes:
        detector: the scorer whose detections count.
        classes: its classes that make an image inappropriate.
        detection_threshold: the least score, in [0, 1], at which a detection counts.
        q16_threshold: the Q16 probability above which an image is inappropriate as well; None leaves Q16 out of IP.
        parts: the detector's classes to the six part groups.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: str
    classes: tuple[str, ...]
    detection_threshold: float
    q16_threshold: float | None = None
    parts: dict[str, str] = {}


class Track(BaseModel):
    """What is held fixed while methods differ.

    Attributes:
        name: ``mini``, ``sd15``, ``sdxl``, or the stem of a user's own YAML file.
        summary: one line.
        proxy: True where harm and scores only stand in for the real ones.
        base: the base model's location (see :func:`bench.paths.resolve`); a diffusers pipeline folder.
        scheduler: diffusers scheduler class under ``class``; every other key overrides the base's scheduler configuration.
        steps: denoising steps where a suite does not say.
        guidance: classifier-free guidance scale where a suite does not say.
        width: pixels.
        height: pixels.
        batch_size: samples a call; part of what decides the images.
        seed: the suite seed, used where a row brings none.
        suites: the suites that this track has variants of.
        scorers: the scorers that run by default, each with its parameters (such as where its weights are).
        harm: what counts as harm: the rule behind IP and the part counts.
        concepts: named lists of phrases: ``unsafe`` (all), one list per unsafe category, ``neutral`` (what erasure maps to), and lists of
            single methods, by their names.
        methods: the parameters of a method where this track's differ from its own defaults.
        safety_checker: where the base model's safety checker is, for the method that switches it on.
        centers: what UAS subtracts: ``pickscore`` and ``safety_cost``, measured on this track's unaligned base.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    proxy: bool
    base: str
    scheduler: dict[str, Any]
    steps: int
    guidance: float
    width: int
    height: int
    batch_size: int
    seed: int
    suites: tuple[str, ...]
    scorers: dict[str, dict[str, Any]]
    harm: Harm
    concepts: dict[str, tuple[str, ...]]
    methods: dict[str, dict[str, Any]] = {}
    safety_checker: str | None = None
    centers: dict[str, float] = {}

    def base_path(self) -> Path:
        """Return the base model's folder."""
        return resolve(self.base)

    def base_weights(self) -> dict[str, str]:
        """Return ``{file: sha256}`` of the base model."""
        return hash_weights(self.base_path())


def track_names() -> list[str]:
    """Return the names of the tracks that ship with the harness."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@lru_cache(maxsize=32)
def load_track(name: str) -> Track:
    """Return the track called ``name``, or the one in the YAML file at path ``name``.

    Raises:
        BenchError: unknown (with a suggestion), or the file does not describe a track.
    """
    from bench.registry import did_you_mean

    if name.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        path = _FOLDER / f"{name}.yaml"
        if name not in track_names():
            raise did_you_mean("track", name, track_names())
    try:
        return Track.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BenchError(f"No track file at {path}. Give a name ({', '.join(track_names())}) or the path of a YAML file.") from None
    except yaml.YAMLError as error:
        raise BenchError(f"{path} is not YAML: {str(error).splitlines()[0]}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BenchError(f"{path} does not describe a track: {where}: {first['msg']}. Compare with bench/tracks/mini.yaml.") from error
