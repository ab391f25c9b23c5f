"""All that decides the data set of ``bench train libraalign``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.libraalign.coarse import CoarseSettings
from training.libraalign.endpoint import EndpointSettings
from training.libraalign.hf import HFSettings
from training.libraalign.pickapic import PickAPicSettings
from training.libraalign.sources import SourceSettings


class PromptSettings(BaseModel):
    """Where prompts come from: ``mini`` draws from the miniature's grammar, anything else is a CSV file that the user brings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    harmful: str
    benign: str
    concepts: str | None = None
    harmful_limit: int = Field(ge=1)
    benign_limit: int = Field(ge=1)


class EditorSettings(BaseModel):
    """The image-to-image model; see :class:`training.libraalign.sources.ImageToImage`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    steps: int
    guidance: float
    scheduler: dict[str, Any] = {}


class LibraAlignConfig(BaseModel):
    """All that decides the data set.

    Attributes:
        title: of the card.
        summary: of the card.
        stages: which parts to build, in order.
        seed: of prompts' order, pictures and pairs.
        unit: harmful prompts a unit.
        prompts: where they come from.
        sources: the models of the coarse part; the first also makes HF's pictures.
        pickapic: the rows of Pick-a-Pic that safe-safe pairs come from, as the paper's do.
        plainer: where they come from models instead, the one of the second picture; the first of ``sources`` makes the first. With neither
            there are no safe-safe pairs.
        judge: ``oracle`` or an endpoint.
        error_rate: the oracle judge's.
        rewriter: ``oracle`` or an endpoint.
        editor: the image-to-image model of HF.
        coarse: how coarse pairs are made.
        hf: how HF pairs are made.
        quality: the scorer of quality with its parameters.
        cost: the scorer of safety cost with its parameters.
        device: a torch device.
        dtype: of the models.
        batch: pictures a call, for pipelines.
        shard: ``i/n``: this process makes the units whose number leaves i when divided by n. Not part of the data set's identity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    summary: str
    stages: tuple[Literal["coarse", "hf"], ...] = ("coarse", "hf")
    seed: int = 0
    unit: int = Field(64, ge=1)
    prompts: PromptSettings
    sources: tuple[SourceSettings, ...] = Field(min_length=1)
    pickapic: PickAPicSettings | None = None
    plainer: SourceSettings | None = None
    judge: Literal["oracle"] | EndpointSettings
    error_rate: float = 0.0
    rewriter: Literal["oracle"] | EndpointSettings
    editor: EditorSettings
    coarse: CoarseSettings = CoarseSettings()
    hf: HFSettings = HFSettings()
    quality: dict[str, Any]
    cost: dict[str, Any]
    device: str = "cpu"
    dtype: str = "float32"
    batch: int = Field(8, ge=1)
    shard: str = "0/1"

    @model_validator(mode="after")
    def _one_origin(self) -> LibraAlignConfig:
        if self.pickapic is not None and self.plainer is not None:
            raise ValueError("safe-safe pairs come from pickapic or from plainer: set one of them to null")
        return self
