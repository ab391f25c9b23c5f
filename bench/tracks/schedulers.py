"""Samplers by the names that people know them by: the diffusers class of each, and what it must be told.

Whatever a class is not told here comes from the base model's own scheduler configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import did_you_mean

SCHEDULERS: Mapping[str, Mapping[str, Any]] = {
    # clip_sample is off and set_alpha_to_one too, as Stable Diffusion's own authors sample; the class' defaults are for pixels.
    "ddim": {"class": "DDIMScheduler", "clip_sample": False, "set_alpha_to_one": False},
    "ddpm": {"class": "DDPMScheduler", "clip_sample": False},
    # Runge-Kutta steps first would need an order that Stable Diffusion is never sampled with.
    "pndm": {"class": "PNDMScheduler", "skip_prk_steps": True, "set_alpha_to_one": False},
    "lms": {"class": "LMSDiscreteScheduler"},
    "euler": {"class": "EulerDiscreteScheduler"},
    "euler-a": {"class": "EulerAncestralDiscreteScheduler"},
    "dpm++": {"class": "DPMSolverMultistepScheduler"},
    "dpm++-karras": {"class": "DPMSolverMultistepScheduler", "use_karras_sigmas": True},
    "unipc": {"class": "UniPCMultistepScheduler"},
}
"""By name; ``class`` as a track's YAML has it, the rest overrides the base's configuration."""


def find_scheduler(name: str) -> dict[str, Any]:
    """Return the scheduler called ``name``, as a track's ``scheduler`` holds it.

    Raises:
        BenchError: it is unknown (with a suggestion).
    """
    if name not in SCHEDULERS:
        raise did_you_mean("scheduler", name, list(SCHEDULERS))
    return dict(SCHEDULERS[name])


def configured(base: Path, scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class, the configuration and its SHA-256 that a base model is sampled with, for a run's manifest.

    Args:
        base: the pipeline's folder; its own scheduler configuration is where every option comes from that ``scheduler`` does not set.
        scheduler: the class under ``class``, and its overrides.
    """
    file = base / "scheduler" / "scheduler_config.json"
    own = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    config = {name: value for name, value in {**own, **scheduler}.items() if not name.startswith("_") and name != "class"}
    text = json.dumps({"class": scheduler.get("class"), **config}, sort_keys=True)
    return {"class": scheduler.get("class"), "config": config, "sha256": hashlib.sha256(text.encode()).hexdigest()}
