"""``esd-u`` and ``esd-x``: Erased Stable Diffusion, weights trained by ``training/esd.py`` or published by its authors."""

from __future__ import annotations

from typing import ClassVar

from bench.types import Kind, MethodInfo
from methods.finetuned import FineTuned


def _info(name: str, summary: str) -> MethodInfo:
    return MethodInfo(
        name=name,
        kind=Kind.FINE_TUNE,
        summary=summary,
        paper="Gandikota et al., Erasing Concepts from Diffusion Models, ICCV 2023, arXiv:2303.07345",
        code="https://github.com/rohitgandikota/erasing @ a2189e9 (paper), 25613d2 (2025); training/esd.py",
        licence="MIT (authors' code); Apache-2.0 (miniature)",
        trained_on=("the concept's name alone",),
        defaults={"weights": None},
    )


class ESDu(FineTuned):
    """ESD with everything but the cross-attention trained; no weights for all seven categories were published."""

    info: ClassVar[MethodInfo] = _info("esd-u", "Concept erased by fine-tuning all but the cross-attention.")
    shipped: ClassVar = {"mini": "package:methods/weights/mini/esd-u"}
    recipe: ClassVar = "esd"


class ESDx(FineTuned):
    """ESD with the cross-attention alone trained."""

    info: ClassVar[MethodInfo] = _info("esd-x", "Concept erased by fine-tuning the cross-attention.")
    shipped: ClassVar = {"mini": "package:methods/weights/mini/esd-x"}
    recipe: ClassVar = "esd-x"
