"""AlignGuard on our own pairs: one LoRA expert a category, trained on safety labels alone, then merged into one LoRA.

    bench train libraalign --config training/configs/libraalign-edited-mini.yaml --out runs/training/mini/libraalign-edited
    bench train alignguard

Follows Liu et al. 2025 (SafetyDPO @ 5f71f8d): the Diffusion-DPO loss with the safe picture as the winner under the harmful prompt, LoRA
rank 4 on the attention's projections. Its pairs are made by editing prompts: the safe picture is generated anew from the safe prompt.
The authors' merge is described by one figure and is not in their code; what stands here is **Co-Merge (ours)**.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import nn

from bench.console import Progress
from bench.errors import BenchError
from bench.files.atomic import read_json, write_atomic, write_json
from bench.files.locations import resolve
from methods.finding import LORA
from training.backbone import Backbone
from training.draws import Draws
from training.libraalign.dataset import Part
from training.libraalign.prompts import CATEGORIES
from training.policy import denoise_inputs
from training.preferences import ANNOTATIONS, encode, label
from training.spo import train as train_expert
from training.spo_config import SPOConfig

Lora = dict[str, torch.Tensor]


class AlignGuardConfig(BaseModel):
    """All that decides the training.

    Attributes:
        expert: how each expert is trained; its ``reward`` must be ``safety`` and its ``categories`` empty.
        categories: one expert each.
        calibration: pairs a category whose noised pictures the experts' responses are measured on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    expert: SPOConfig
    categories: tuple[str, ...] = CATEGORIES
    calibration: int = Field(32, ge=1)


def train(config: AlignGuardConfig, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Train the experts that are missing, merge them, write ``out/weights``, and return one row an expert.

    Raises:
        BenchError: something that the user can mend; every finished expert is kept.
    """
    if config.expert.reward != "safety" or config.expert.categories is not None or not config.expert.lora_rank:
        raise BenchError(
            "An AlignGuard expert learns from safety labels, one category at a time, as a LoRA: reward safety, no categories, rank over 0."
        )
    rows: list[dict[str, Any]] = []
    for category in config.categories:
        settings = config.expert.model_copy(update={"categories": (category,)})
        report = {row["what"]: row["value"] for row in train_expert(settings, out / "experts" / category.replace(" ", "-"), progress)}
        rows.append({"expert": category, **{name: report[name] for name in ("pairs", "steps", "last_loss", "last_accuracy")}})
    state = PartialState()
    if state.is_main_process:
        shares = _merge(config, out, progress)
        write_json(out / "report.json", {"shares_of_merged": shares, "experts": rows, "config": config.model_dump(mode="json")})
    state.wait_for_everyone()
    shares = read_json(out / "report.json", "report")["shares_of_merged"]
    return [{**row, "share_of_merged": share} for row, share in zip(rows, shares, strict=True)]


def _merge(config: AlignGuardConfig, out: Path, progress: Progress) -> list[float]:
    """Merge the trained experts into ``out/weights``; return the share of all outputs that each owns."""
    experts = [load_file(out / "experts" / category.replace(" ", "-") / "weights" / LORA) for category in config.categories]
    merged, owners = co_merge(experts, measure_responses(config, experts, out, progress))
    write_atomic(out / "weights" / LORA, to_bytes(merged))
    everyone = torch.cat(list(owners.values()))
    return [float((everyone == index).float().mean()) for index in range(len(experts))]


def layers_of(lora: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the names of the projections that a LoRA file adapts, each a module behind its part of the pipeline."""
    return sorted(name.removesuffix(".lora_A.weight") for name in lora if name.endswith(".lora_A.weight"))


def factors(lora: Mapping[str, torch.Tensor], layer: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A (rank, inputs) and B (outputs, rank) of a layer, float32; its change of the weight is ``B @ A`` (alpha equals the rank)."""
    return lora[f"{layer}.lora_A.weight"].float(), lora[f"{layer}.lora_B.weight"].float()


def co_merge(experts: Sequence[Lora], responses: Mapping[str, torch.Tensor]) -> tuple[Lora, dict[str, torch.Tensor]]:
    """Return the merged LoRA and, for each layer, which expert owns each output (Co-Merge, ours).

    Every output of every adapted projection belongs to the expert that answers most strongly there: its row of the weight's change is
    taken from that expert and from no other. Stacking the experts' A and the B rows that each owns says this exactly, in one LoRA
    whose rank is the sum of theirs.

    Args:
        experts: LoRAs of one base, in diffusers' layout.
        responses: ``{layer: (experts, outputs)}``, how strongly each expert's change answers at each output.
    """
    merged: Lora = {}
    owners: dict[str, torch.Tensor] = {}
    for layer in layers_of(experts[0]):
        owner = responses[layer].argmax(dim=0)
        pairs = [factors(expert, layer) for expert in experts]
        merged[f"{layer}.lora_A.weight"] = torch.cat([a for a, _ in pairs]).half().contiguous()
        rows = [b * (owner == index).unsqueeze(1) for index, (_, b) in enumerate(pairs)]
        merged[f"{layer}.lora_B.weight"] = torch.cat(rows, dim=1).half().contiguous()
        owners[layer] = owner
    return merged, owners


@torch.no_grad()
def measure_responses(config: AlignGuardConfig, experts: Sequence[Lora], out: Path, progress: Progress) -> dict[str, torch.Tensor]:
    """Return ``{layer: (experts, outputs)}``: the root mean square of each expert's change ``B A x`` over calibration inputs.

    The inputs ``x`` are what the base model's projections see on noised harmful pictures of every category, ``calibration`` pairs each.
    """
    settings = config.expert
    backbone = Backbone(resolve(settings.base), "cuda" if torch.cuda.is_available() else "cpu", torch.float32, settings.size)
    part = Part(Path(settings.data), "hf")
    rows = [row for _, row in part.rows(ANNOTATIONS) if row["kind"] in settings.kinds]
    chosen = [row for category in config.categories for row in [each for each in rows if each["category"] == category][: config.calibration]]
    pairs, _ = label(chosen, "safety", 0.0, settings.tie)
    data = encode(part, pairs, backbone, out / "calibration", torch.float32, progress)
    draws = Draws(data, settings.seed, backbone.noise.config.num_train_timesteps, 0.0, sample=settings.sample_latents)
    names = layers_of(experts[0])
    weights = {layer: [factors(expert, layer) for expert in experts] for layer in names}
    sums = {layer: torch.zeros(len(experts), weights[layer][0][1].shape[0]) for layer in names}
    counts = dict.fromkeys(names, 0)
    modules = {f"{backbone.family.part}.{name}": module for name, module in backbone.network.named_modules()}

    def listen(layer: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            seen = inputs[0].float().flatten(0, -2).cpu()
            for index, (a, b) in enumerate(weights[layer]):
                sums[layer][index] += (seen @ a.T @ b.T).square().sum(dim=0)
            counts[layer] += len(seen)

        return hook

    handles = [modules[layer].register_forward_pre_hook(listen(layer)) for layer in names]
    advance = progress.start("co-merge: calibrate", len(data), "pairs")
    for pair in range(len(data)):
        noisy, timestep, text, _ = denoise_inputs(backbone, data.conditioning, [draws.draw(0, pair, pair)], backbone.device)
        backbone.predict(backbone.network, noisy, timestep, text)
        advance(1)
    for handle in handles:
        handle.remove()
    return {layer: (sums[layer] / counts[layer]).sqrt() for layer in names}
