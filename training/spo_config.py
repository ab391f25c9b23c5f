"""All that decides a training by ``training/spo.py``."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from training.dfm import DFMSettings
from training.preferences import Reward

DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class SPOConfig(BaseModel):
    """All that decides the training.

    Attributes:
        base: the base model's location (see :func:`bench.files.locations.resolve`): SD-1.x or SDXL.
        data: a folder made by ``bench train libraalign`` with an HF part.
        reward: ``composite``, or one of its limits, ``quality`` and ``safety``.
        safety_weight: lambda of Eq. 6.
        tie: pairs whose rewards differ by no more than this are left out.
        kinds: which kinds of pairs to use, each with the most that are taken of it, a fair sample; all where None.
        categories: which categories of prompts to use; all where None.
        beta: of the DPO loss, in the authors' convention (see :func:`training.dpo.dpo_loss`). The paper does not state it.
        lora_rank: of the adapter; 0 trains the whole U-Net.
        lora_targets: the projections that it adapts, by the end of their names; the attention's four are the official scripts' choice.
        steps: optimiser steps.
        batch_size: pairs a step and process, before accumulation.
        accumulation: batches a step. Dynamic focusing takes its mean rate over one batch of all processes.
        effective_batch: pairs a step: batch_size, accumulation and processes multiplied. Training is refused where they give another number;
            None takes what they give.
        learning_rate: the peak, reached after the warm-up.
        schedule: ``constant`` after the warm-up, as the official scripts, or ``cosine`` to zero at the last step.
        scale_lr: multiply the rate by batch, accumulation and processes (the paper's "per GPU" may mean this).
        warmup: steps.
        weight_decay: AdamW's.
        optimizer: ``adamw``, or ``adafactor`` (the official choice for SDXL).
        clip: largest gradient norm.
        sample_latents: draw latents from the autoencoder's posterior, as the official scripts do; False takes its mean, for a base model
            that was trained on means (the miniature's: its posterior is wider than its latents).
        empty_prompts: the share of captions replaced by the empty one, which keeps classifier-free guidance working (0.2 in the code of
            Diffusion-DPO and of AlignGuard; the paper says nothing of it).
        mixed_precision: ``no``, ``bf16`` or ``fp16``.
        gradient_checkpointing: trade time for memory.
        attention: ``sdpa``, or ``naive`` (its backward pass is faster on a CPU at short lengths).
        size: pixels of a side; the model's own where None.
        dfm: dynamic focusing; None switches it off.
        monitor: pairs whose probe loss is measured for the convergence curve.
        monitor_every: steps.
        checkpoint_every: steps. Not part of the training's identity.
        tracker: ``tensorboard``, or None. Not part of the training's identity.
        seed: of everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    data: str
    reward: Reward = "composite"
    safety_weight: float = 0.15
    tie: float = Field(0.0, ge=0)
    kinds: dict[str, int | None] = {"harmful-safe": None, "safe-safe": None}
    categories: tuple[str, ...] | None = None
    beta: float = Field(5000, gt=0)
    lora_rank: int = Field(16, ge=0)
    lora_targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulation: int = Field(1, ge=1)
    effective_batch: int | None = Field(None, ge=1)
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant", "cosine"] = "constant"
    scale_lr: bool = False
    warmup: int = Field(0, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    clip: float = Field(1.0, gt=0)
    sample_latents: bool = True
    empty_prompts: float = Field(0.0, ge=0, lt=1)
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    gradient_checkpointing: bool = False
    attention: Literal["sdpa", "naive"] = "sdpa"
    size: int | None = None
    dfm: DFMSettings | None = DFMSettings()
    monitor: int = Field(128, ge=1)
    monitor_every: int = Field(10, ge=1)
    checkpoint_every: int = Field(100, ge=1)
    tracker: Literal["tensorboard"] | None = None
    seed: int = 0
