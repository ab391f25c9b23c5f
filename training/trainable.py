"""What of a network is trained, by which optimiser, and how it is saved."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from bench.files.atomic import mendable
from training.backbone import Backbone

if TYPE_CHECKING:
    from training.spo_config import SPOConfig


def prepare_network(backbone: Backbone, config: SPOConfig) -> tuple[Any, Any]:
    """Return the network with what is trained of it in float32, and the frozen reference; None where that is the network without its adapter."""
    network, reference = backbone.network, None
    if config.attention == "naive":
        backbone.family.write_out_attention(network)
    if config.lora_rank:
        network.add_adapter(
            LoraConfig(r=config.lora_rank, lora_alpha=config.lora_rank, init_lora_weights="gaussian", target_modules=list(config.lora_targets))
        )
    else:
        reference = copy.deepcopy(network)
        network.float().requires_grad_(True)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if config.gradient_checkpointing:
        network.enable_gradient_checkpointing()
    return network.train(), reference


def make_optimizer(parameters: Sequence[torch.nn.Parameter], config: SPOConfig, rate: float) -> torch.optim.Optimizer:
    """Return the optimiser of ``config`` at learning rate ``rate``."""
    if config.optimizer == "adafactor":
        from transformers import Adafactor

        return Adafactor(parameters, lr=rate, weight_decay=config.weight_decay, relative_step=False, scale_parameter=False, warmup_init=False)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=config.weight_decay)


def save_weights(network: Any, backbone: Backbone, folder: Path) -> None:
    """Write what was trained as diffusers itself would, in half precision: a LoRA file, or the network's folder. It appears whole or not at all."""
    temporary = folder.with_name(f".tmp-{folder.name}")
    with mendable(folder):
        if getattr(network, "peft_config", None):
            backbone.save_lora(temporary, {name: tensor.half().cpu().contiguous() for name, tensor in get_peft_model_state_dict(network).items()})
        else:
            copy.deepcopy(network).half().save_pretrained(temporary / backbone.family.part, safe_serialization=True)
        # Weights of a training that was killed before its report do not count, and a folder cannot be renamed over a full one.
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
