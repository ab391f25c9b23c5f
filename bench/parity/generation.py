"""Generation beside diffusers' own pipeline, and closed forms in half precision beside what casting their float32 solution costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import NotAvailable
from bench.parity.comparison import Line, Options, difference
from bench.parity.pictures import Picture
from bench.registry import methods
from bench.runs.spec import DTYPES, base_method
from bench.tracks import load_track
from bench.types import Context, Generated, Sample
from bench.types.track import Track

STEPS = 4
SEEDS = (14489071, 0, 2**32 - 1, 42)
"""Of published rows: of I2P's prompt 4484, and the ends of what a file may hold. An authors' script passes each to a CPU generator as it is."""
CLOSED_FORMS = ("uce", "rece")
EXACT = 0.0


def compare_generation(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return, of each prompt and dtype, the mean level of our picture and of diffusers', both from the row's own seed; they must not differ in a bit.

    The largest difference of a pixel counts, in levels of 255. Ours is what ``bench run`` calls: the track's base method on its own samples.

    Args:
        pictures: whose prompts are taken, one for each seed.
        folder: not used.
        options: the user's.
    """
    import diffusers
    import torch

    track = _track(options)
    samples = [
        Sample(str(seed), picture.prompt, "benign", 0, seed, track.width, track.height, STEPS, track.guidance)
        for seed, picture in zip(SEEDS, pictures, strict=False)
    ]
    pipeline_class: Any = diffusers.DiffusionPipeline
    lines = []
    for dtype in DTYPES:
        options.report(f"generation: both sides make {len(samples)} pictures of {STEPS} steps in {dtype} with {track.base}")
        method: Any = methods.get(str(base_method(track)))()
        method.load(Context(track, "cpu", dtype))
        outcomes = method.generate(samples)
        with _silent():
            pipeline = pipeline_class.from_pretrained(track.base_path(), dtype=getattr(torch, dtype), local_files_only=True)
        if getattr(pipeline, "safety_checker", None) is not None:
            pipeline.safety_checker = None
        chosen = dict(track.scheduler)
        pipeline.scheduler = getattr(diffusers, str(chosen.pop("class"))).from_config(pipeline.scheduler.config, **chosen)
        pipeline.set_progress_bar_config(disable=True)
        theirs = pipeline(
            [sample.prompt for sample in samples],
            num_inference_steps=STEPS,
            guidance_scale=track.guidance,
            generator=[torch.Generator("cpu").manual_seed(sample.seed) for sample in samples],
            width=track.width,
            height=track.height,
        ).images
        for sample, outcome, picture in zip(samples, outcomes, theirs, strict=True):
            ours = outcome.image.astype(int) if isinstance(outcome, Generated) else np.full((1, 1, 3), np.nan)
            other = np.asarray(picture).astype(int)
            apart = float(np.abs(ours - other).max()) if ours.shape == other.shape else np.inf
            lines.append(
                _line("generation", f"mean level, {dtype}", f"seed {sample.seed}", sample.prompt, ours.mean(), other.mean(), apart, _DIFFUSERS, track)
            )
    return lines


def compare_closed_forms(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return, of each closed form and half precision, how far its weights are from the float32 solution: as far as that solution cast, to the bit.

    Args:
        pictures: not used.
        folder: not used.
        options: the user's.
    """
    import torch

    track, reference = _track(options), "the float32 solution, cast"
    lines = []
    for name in CLOSED_FORMS:
        options.report(f"closed-forms: {name} is solved with {track.base}, in float32 and for each half precision")
        exact = _solved(name, track, "float32")
        for dtype in DTYPES[1:]:
            cast = {key: value.to(getattr(torch, dtype)) for key, value in exact.items()}
            made = _solved(name, track, dtype)
            apart = max((float((made[key].double() - value.double()).abs().max()) for key, value in cast.items()), default=np.inf)
            ours, theirs = _distance(made, exact), _distance(cast, exact)
            what = f"relative distance, {name} in {dtype}"
            lines.append(_line("closed-forms", what, f"{len(exact)} projections", "", ours, theirs, apart, reference, track))
    return lines


def _solved(name: str, track: Track, dtype: str) -> dict[str, Any]:
    method: Any = methods.get(name)(**track.methods.get(name, {}))
    method.load(Context(track, "cpu", dtype))
    return {key: value.detach().clone() for key, value in method.sampler.family.projections().items()}


def _distance(made: Mapping[str, Any], exact: Mapping[str, Any]) -> float:
    """Return the norm of all differences over the norm of the solution."""
    apart = sum(float((made[key].double() - value.double()).square().sum()) for key, value in exact.items())
    return float((apart / sum(float(value.double().square().sum()) for value in exact.values())) ** 0.5)


def _track(options: Options) -> Track:
    """Return the user's track where its base is here, else the miniature's."""
    try:
        options.track.base_path()
        here = options.track
    except NotAvailable:
        here = load_track("mini")
    return here


@contextmanager
def _silent() -> Iterator[None]:
    """Keep diffusers' bars and its word on the safety checker off the screen."""
    from diffusers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)


_DIFFUSERS = f"diffusers {version('diffusers')}"


def _line(name: str, what: str, image: str, prompt: str, ours: float, theirs: float, apart: float, reference: str, track: Track) -> Line:
    return Line(name, what, image, prompt, float(ours), float(theirs), EXACT, reference, track.base, difference(apart, 0.0))
