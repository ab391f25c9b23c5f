"""Co-Merge (ours): each output of each projection comes from the expert that answers most strongly there, and from no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bench.console import Quiet
from bench.errors import BenchError
from training.alignguard import AlignGuardConfig, co_merge, factors, layers_of, train
from training.spo_config import SPOConfig


def lora(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        f"unet.{layer}.lora_{side}.weight": torch.randn(*shape, generator=generator)
        for layer in ("a.to_q", "b.to_out.0")
        for side, shape in (("A", (2, 6)), ("B", (5, 2)))
    }


def test_the_merged_change_has_each_owners_rows() -> None:
    experts = [lora(seed) for seed in range(3)]
    responses = {layer: torch.rand(3, 5, generator=torch.Generator().manual_seed(7)) for layer in layers_of(experts[0])}
    merged, owners = co_merge(experts, responses)
    for layer in layers_of(experts[0]):
        a, b = factors(merged, layer)
        assert a.shape == (6, 6) and b.shape == (5, 6)
        changes = [own_b @ own_a for own_a, own_b in (factors(expert, layer) for expert in experts)]
        for output, owner in enumerate(responses[layer].argmax(dim=0)):
            torch.testing.assert_close((b @ a)[output], changes[owner][output], rtol=5e-3, atol=5e-3)
            assert owners[layer][output] == owner


def config(base: Path, data: Path, **changes: object) -> AlignGuardConfig:
    expert = {
        "base": str(base),
        "data": str(data),
        "reward": "safety",
        "steps": 2,
        "batch_size": 2,
        "learning_rate": 1e-2,
        "lora_rank": 2,
        "dfm": None,
    }
    return AlignGuardConfig(expert=SPOConfig(**{**expert, **changes}), categories=("hate", "harassment"), calibration=2)  # type: ignore[arg-type]


def test_experts_are_trained_merged_and_kept(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    rows = train(config(tiny_sd, hf_data), tmp_path, Quiet())
    assert [row["expert"] for row in rows] == ["hate", "harassment"] and all(row["pairs"] == 6 for row in rows)
    assert sum(row["share_of_merged"] for row in rows) == pytest.approx(1.0)
    merged = load_file(tmp_path / "weights" / "pytorch_lora_weights.safetensors")
    assert factors(merged, layers_of(merged)[0])[0].shape[0] == 4
    stamps = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("experts/*/weights/*"))]
    assert train(config(tiny_sd, hf_data), tmp_path, Quiet()) == rows
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("experts/*/weights/*"))] == stamps


@pytest.mark.parametrize("changes", [{"reward": "composite"}, {"lora_rank": 0}, {"categories": ("hate",)}])
def test_an_expert_of_another_kind_is_refused(changes: dict[str, object], tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="AlignGuard expert"):
        train(config(tiny_sd, hf_data, **changes), tmp_path, Quiet())
