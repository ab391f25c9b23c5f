"""What a base model can do, whatever network denoises in it: the families that are known, and which one a pipeline is of.

Methods and recipes ask the family. A new one is a module of its own here and an entry in :data:`FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.errors import BenchError
from methods.denoisers.family import DenoiserFamily, PipelineKind
from methods.denoisers.unet import UNetFamily

if TYPE_CHECKING:
    from methods.denoisers.family import Pipeline

FAMILIES: tuple[type[DenoiserFamily], ...] = (UNetFamily,)
"""Every family that is known."""

KINDS: Mapping[str, PipelineKind] = {name: kind for family in FAMILIES for name, kind in family.kinds.items()}
"""The pipelines of diffusers that are known, by the name of their class."""


def family_of(pipeline: Pipeline) -> DenoiserFamily:
    """Return what ``pipeline`` can do.

    Raises:
        BenchError: no known family's network is in it.
    """
    for family in FAMILIES:
        if getattr(pipeline, family.part, None) is not None:
            return family(pipeline)
    parts = " or ".join(family.part for family in FAMILIES)
    raise BenchError(f"A {type(pipeline).__name__} holds no denoiser that is known; expected a diffusers pipeline with a part named {parts}.")
