"""``t2i-spo``: Synergistic Preference Optimization, weights trained by ``training/spo.py``."""

from __future__ import annotations

from typing import ClassVar

from bench.types import Kind, MethodInfo
from methods.finetuned import FineTuned


class T2ISPO(FineTuned):
    """Diffusion-DPO on pairs labelled by quality and safety together, with dynamic focusing; no weights were released by its authors."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="t2i-spo",
        kind=Kind.PREFERENCE,
        summary="Preference optimisation for quality and safety together, with dynamic focusing.",
        paper="The Path to Reconciling Quality and Safety in Text-to-Image Generation, arXiv:2504.14290",
        code="no public code; training/spo.py",
        licence="Apache-2.0 (miniature)",
        trained_on=("LibraAlign-HF (miniature)",),
        defaults={"weights": None},
    )
    shipped: ClassVar = {"mini": "package:methods/weights/mini/t2i-spo"}
    recipe: ClassVar = "t2i-spo"
