"""Which comparison belongs to which name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.parity.clipscore import compare_clipscore
from bench.parity.comparison import Line, Options
from bench.parity.fid import compare_fid
from bench.parity.generation import compare_closed_forms, compare_generation
from bench.parity.nudenet import compare_both
from bench.parity.pictures import Picture
from bench.parity.preference import compare_hpsv2, compare_image_reward

COMPARISONS: dict[str, Callable[[Sequence[Picture], Path, Options], list[Line]]] = {
    "hpsv2": compare_hpsv2,
    "image-reward": compare_image_reward,
    "nudenet": compare_both,
    "clipscore": compare_clipscore,
    "fid": compare_fid,
    "generation": compare_generation,
    "closed-forms": compare_closed_forms,
}


def compare(name: str, pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return every number that the comparison called ``name`` took from both sides.

    Args:
        name: of :data:`COMPARISONS`.
        pictures: the images, with prompts.
        folder: an existing, empty-enough one for what is only needed now.
        options: the user's.

    Raises:
        BenchError: what the user can mend: no network, no space, weights that are not there.
    """
    return COMPARISONS[name](pictures, folder, options)
