"""The training loop: an interrupted training ends in the very weights of an uninterrupted one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from training.miniature.loop import Recipe, fit

RECIPE = Recipe("toy", steps=12, learning_rate=1e-2, warmup=3, average=0.9, seed=1, checkpoint_every=5, scales={"head": 0.1})


class Interrupted(Exception):
    """Stands for a kill."""


def train(folder: Path, stop_at: int | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    modules = {"body": nn.Linear(4, 4), "head": nn.Linear(4, 1)}

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        if step == stop_at:
            raise Interrupted
        batch = torch.randn(8, 4, generator=generator)
        return (modules["head"](modules["body"](batch)) - batch.sum(1, keepdim=True)).square().mean()

    fit(RECIPE, modules, loss, folder)
    return {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


@pytest.mark.parametrize("stop_at", [1, 5, 7, 11])
def test_resuming_changes_nothing(tmp_path: Path, stop_at: int) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tmp_path / "broken", stop_at)
    again = train(tmp_path / "broken")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
