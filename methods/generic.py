"""``unet`` and ``lora``: any published weights as a method, no code needed: ``bench run --method unet:OWNER/NAME`` or ``lora:FOLDER``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

from bench.errors import BenchError
from bench.types import Context, Kind, Method, MethodInfo
from bench.types.parameters import LOCATION, Number
from methods.denoisers import FAMILIES
from methods.finding import find
from methods.finetuned import FineTuned
from methods.overlay import lay_over
from methods.pipeline import load_pipeline
from methods.reading.comparison import refuse_dropping
from methods.sampler import Sampler

HUB = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?(/[\w./-]+)?")


def as_location(given: object) -> str:
    """Return what a user names as a location: a path if there is one, else a repository of the hub if it reads like one."""
    text = str(given)
    if not text.startswith(("hub:", "package:")) and not Path(text).expanduser().exists() and HUB.fullmatch(text) and not text.startswith("."):
        return f"hub:{text}"
    return text


def named(method: Method) -> None:
    """Settle the location of weights that the user must name.

    Raises:
        BenchError: none were named.
    """
    if method.parameters["weights"] is None:
        name = method.info.name
        raise BenchError(f"The method {name!r} needs weights: --method {name}:FOLDER, {name}:OWNER/NAME[@REVISION][/SUBFOLDER] or {name}:FILE.")
    method.parameters["weights"] = as_location(method.parameters["weights"])


class UserNamed(FineTuned):
    """Weights that the user names."""

    def location(self, context: Context) -> Path:
        """Return the local path of the weights; what is no path here is looked up on the hub.

        Raises:
            BenchError: none were named, or they cannot be had.
        """
        named(self)
        return super().location(context)


class UNet(UserNamed):
    """Any U-Net of the track's base model: a diffusers folder, a whole pipeline's, or a file of some or all of its tensors (ESD, UCE, MACE ...)."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="unet",
        kind=Kind.FINE_TUNE,
        summary="Any U-Net, or tensors of one, laid over the base: --method unet:REPO_OR_PATH.",
        code="https://github.com/huggingface/diffusers (UNet2DConditionModel)",
        licence="the weights' own",
        trained_on=("unknown",),
        defaults={"weights": None},
    )


class LoRA(UserNamed):
    """Any adapter of the track's base model, in the layout of diffusers, PEFT, kohya or LyCORIS (:mod:`methods.adapters`)."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="lora",
        kind=Kind.FINE_TUNE,
        summary="Any LoRA fused into the base: --method lora:REPO_OR_PATH.",
        paper="Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022, arXiv:2106.09685",
        code="https://github.com/huggingface/diffusers (load_lora_weights)",
        licence="the weights' own",
        trained_on=("unknown",),
        defaults={"weights": None, "scale": 1.0},
    )
    takes: ClassVar = {"weights": LOCATION, "scale": Number()}

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        if not self.parameters["scale"]:
            raise BenchError("lora at scale=0 is the base model: give another scale, or run the base.")

    def load(self, context: Context) -> None:
        """Read the base model and fuse the LoRA into it, its change times ``scale``.

        Raises:
            BenchError: the scale cannot act, or the weights are damaged or of another model.
        """
        found = find(self.location(context))
        if found.kind == "network":
            refuse_dropping(context, found.path, FAMILIES[0].part, self.info.name)
        pipeline = load_pipeline(context)
        lay_over(pipeline, self.location(context), float(self.parameters["scale"]))
        self.sampler = Sampler(pipeline, changed=True)
