"""``diffusion-dpo-quality`` and ``diffusion-dpo-safety``: the two limits of T2I-SPO's safety weight, weights trained by ``training/spo.py``."""

from __future__ import annotations

from typing import ClassVar

from bench.types import Kind, MethodInfo
from methods.finetuned import FineTuned


def _info(name: str, summary: str) -> MethodInfo:
    return MethodInfo(
        name=name,
        kind=Kind.PREFERENCE,
        summary=summary,
        paper="Wallace et al., Diffusion Model Alignment Using Direct Preference Optimization, CVPR 2024, arXiv:2311.12908",
        code="https://github.com/SalesforceAIResearch/DiffusionDPO @ 5233e75; training/spo.py",
        licence="Apache-2.0 (miniature)",
        trained_on=("LibraAlign-HF (miniature)",),
        defaults={"weights": None},
    )


class DiffusionDPOQuality(FineTuned):
    """Diffusion-DPO on the same pairs, the winner the one of higher quality."""

    info: ClassVar[MethodInfo] = _info("diffusion-dpo-quality", "Diffusion-DPO on quality labels alone.")
    shipped: ClassVar = {"mini": "package:methods/weights/mini/diffusion-dpo-quality"}
    recipe: ClassVar = "diffusion-dpo-quality"


class DiffusionDPOSafety(FineTuned):
    """Diffusion-DPO on the same pairs, the winner the one of lower safety cost."""

    info: ClassVar[MethodInfo] = _info("diffusion-dpo-safety", "Diffusion-DPO on safety labels alone.")
    shipped: ClassVar = {"mini": "package:methods/weights/mini/diffusion-dpo-safety"}
    recipe: ClassVar = "diffusion-dpo-safety"
