"""Where the weights of a comparison are: what the user names, what a track names and is here already, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.errors import BenchError, NotAvailable
from bench.files.locations import resolve
from bench.parity.comparison import Options
from bench.scorers.clip.clipscore import CLIPScore
from bench.scorers.precision import full_float32
from bench.types import Context, Sample, Scorer

SEED = 0
"""Of random weights."""


def located(options: Options, scorer: str, parameter: str = "weights") -> Path | None:
    """Return where a scorer's weights are, or None where they have to be random.

    Nothing is fetched if the hub is switched off (``HF_HUB_OFFLINE=1``), as the command does.

    Args:
        options: the user's.
        scorer: the registry name; the track says where its weights are.
        parameter: of the scorer that says where.

    Raises:
        NotAvailable: the user names a place, and nothing is there.
    """
    given = {"weights": options.weights, "tokenizer": options.tokenizer}.get(parameter)
    if given is not None:
        return resolve(str(given))
    location = options.track.scorers.get(scorer, {}).get(parameter)
    if options.random_weights or location is None:
        return None
    try:
        return resolve(str(location))
    except NotAvailable:
        return None


def clip_folder(options: Options) -> tuple[str, Path]:
    """Return the scorer that a CLIP folder belongs to, and the folder: the user's, the track's first that is here, or the miniature's.

    Raises:
        BenchError: no CLIPScore reads a CLIP of the size of the user's.
    """
    import json

    from bench.tracks import load_track

    if options.weights is not None:
        folder = resolve(str(options.weights))
        try:
            config = json.loads((folder / "config.json").read_bytes())
            vision = config["vision_config"]
            backbone = (int(vision["image_size"]), int(vision["patch_size"]), int(config["projection_dim"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(f"{folder} is no folder of a CLIP model in transformers' layout: its config.json cannot be read as one.") from error
        for kind in CLIPScore.__subclasses__():
            if kind.backbone == backbone:
                return kind.info.name, folder
        raise BenchError(f"No scorer reads a CLIP with {backbone[0]} pixels, patches of {backbone[1]} and {backbone[2]} features: {folder}.")
    for track in (options.track, load_track("mini")):
        for name in track.scorers:
            folder_there = None
            if name.startswith("clipscore_"):
                folder_there = located(Options(track), name)
            if folder_there is not None:
                return name, folder_there
    raise BenchError("No CLIPScore is on the miniature's track; it ships with one. Install the project again: `make env`.")


def context(options: Options) -> Context:
    """Return where our side runs: on the CPU, as the packages' side does."""
    return Context(options.track)


def one(scorer: Scorer, image: Any, prompt: str) -> dict[str, Any]:
    """Return the values that a loaded scorer gives one image."""
    height, width = image.shape[:2]
    with full_float32():
        return dict(scorer.score([image], [Sample("0", prompt, "benign", 0, 0, width, height, 1, 1.0)])[0])
