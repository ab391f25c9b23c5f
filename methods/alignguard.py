"""``alignguard``: AlignGuard (SafetyDPO), its released U-Nets, or experts trained and merged by ``training/alignguard.py``."""

from __future__ import annotations

from typing import ClassVar

from bench.types import Kind, MethodInfo
from methods.finetuned import FineTuned


class AlignGuard(FineTuned):
    """LoRA experts a category, trained on safety labels and merged into one.

    The authors' merge is not public, so the miniature's is "Co-Merge (ours)". On ``sd15`` and ``sdxl`` the authors' own merged U-Nets load.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="alignguard",
        kind=Kind.PREFERENCE,
        summary="Safety preference experts, one a category, merged (on the miniature: Co-Merge, ours).",
        paper="Liu et al., AlignGuard (SafetyDPO), ICCV 2025, arXiv:2412.10493",
        code="https://github.com/Visualignment/SafetyDPO @ 5f71f8d; training/alignguard.py",
        licence="MIT (released weights' data set); Apache-2.0 (miniature)",
        trained_on=("CoProV2", "edited pairs (miniature)"),
        defaults={"weights": None},
    )
    # The hub's two are unpinned: public texts name their commits by seven digits alone (1cc4fee and 11cff09, the newest there), the hub wants forty.
    shipped: ClassVar = {
        "mini": "package:methods/weights/mini/alignguard",
        "sd15": "hub:Visualignment/safe-stable-diffusion-v1-5",
        "sdxl": "hub:Visualignment/safe-SDXL",
    }
    recipe: ClassVar = "alignguard"
