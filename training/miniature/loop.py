"""The one training loop: AdamW, warm-up and cosine, an average of the weights, checkpoints that resume exactly.

A batch is drawn from a generator seeded with (recipe seed, step), so a resumed run takes the very steps that an uninterrupted one takes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one part is trained.

    Attributes:
        name: of the part; its checkpoint is ``<folder>/<name>.pt``.
        steps: optimiser steps.
        learning_rate: the peak, reached after the warm-up, then a cosine to zero.
        warmup: steps.
        weight_decay: AdamW's.
        average: decay of the exponential moving average of the weights; 0 keeps the last weights.
        seed: of the batches.
        checkpoint_every: steps.
        scales: factor on the learning rate for parameters of a module of that name.
    """

    name: str
    steps: int
    learning_rate: float
    warmup: int = 50
    weight_decay: float = 0.01
    average: float = 0.0
    seed: int = 0
    checkpoint_every: int = 200
    scales: Mapping[str, float] | None = None


def _save(state: object, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def fit(recipe: Recipe, modules: Mapping[str, nn.Module], loss: Callable[[torch.Generator, int], torch.Tensor], folder: Path) -> None:
    """Train ``modules`` in place; when it returns they hold the final (averaged) weights in eval mode.

    Args:
        recipe: the settings.
        modules: what is trained, by name.
        loss: returns the scalar loss of one step, given the step's generator and its number.
        folder: where checkpoints lie; an existing one is resumed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{recipe.name}.pt"
    bundle = nn.ModuleDict(dict(modules)).train()
    scales = recipe.scales or {}
    groups = [{"params": list(module.parameters()), "scale": scales.get(name, 1.0)} for name, module in modules.items()]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    average = {name: value.detach().clone() for name, value in bundle.state_dict().items()} if recipe.average else None
    start, history = 0, []
    if path.exists():
        state = torch.load(path, weights_only=True)
        bundle.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, start, history = state["average"], state["step"], state["history"]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(recipe.name, total=recipe.steps, completed=start, loss="")
        for step in range(start, recipe.steps):
            share = min(1.0, (step + 1) / recipe.warmup) * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * share * group["scale"]
            value = loss(torch.Generator().manual_seed(recipe.seed * 1_000_003 + step), step)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(bundle.parameters(), 1.0)
            optimiser.step()
            if average is not None:
                decay = min(recipe.average, (1 + step) / (10 + step))
                for name, current in bundle.state_dict().items():
                    if current.is_floating_point():
                        average[name].lerp_(current, 1 - decay)
                    else:
                        average[name].copy_(current)
            if (step + 1) % 20 == 0:
                history.append(float(value.detach()))
                progress.update(task, loss=f"loss {sum(history[-5:]) / len(history[-5:]):.4f}")
            progress.update(task, completed=step + 1)
            if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == recipe.steps:
                _save(
                    {"model": bundle.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step + 1, "history": history},
                    path,
                )
                print(f"{recipe.name}: step {step + 1}/{recipe.steps}, loss {sum(history[-5:]) / max(1, len(history[-5:])):.4f}", flush=True)
    if average is not None:
        bundle.load_state_dict(average)
    bundle.eval()
