"""Methods that are other weights: a LoRA or a U-Net laid over the base, whole or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from bench.errors import BenchError, NotAvailable
from bench.types import Context, Sample
from methods.finetuned import LORA, lay_over
from methods.pipeline import load_pipeline
from methods.t2i_spo import T2ISPO


@pytest.fixture
def lora(context: Context, tmp_path: Path) -> Path:
    """A random LoRA of the mini base in diffusers' layout."""
    pipeline = load_pipeline(context)
    torch.manual_seed(1)
    pipeline.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    type(pipeline).save_lora_weights(tmp_path / "lora", unet_lora_layers=get_peft_model_state_dict(pipeline.unet))
    return tmp_path / "lora"


def pictures(context: Context, few: list[Sample], weights: Path) -> np.ndarray:
    method = T2ISPO(weights=str(weights))
    method.load(context)
    return np.stack([outcome.image for outcome in method.generate(few)])  # type: ignore[union-attr]


def test_a_lora_is_its_product_added_to_the_weights(context: Context, lora: Path) -> None:
    base, adapted = load_pipeline(context), load_pipeline(context)
    lay_over(adapted, lora)
    state = load_file(lora / LORA)
    before, after = base.unet.state_dict(), adapted.unet.state_dict()
    assert before.keys() == after.keys()
    for name, value in after.items():
        key = f"unet.{name.removesuffix('.weight')}.lora_A.weight"
        change = state[key.replace("lora_A", "lora_B")] @ state[key] if key in state else torch.zeros_like(value)
        torch.testing.assert_close(value, before[name] + change, rtol=0, atol=1e-5)


def test_a_unet_folder_replaces_the_unet(context: Context, few: list[Sample], lora: Path, tmp_path: Path) -> None:
    adapted = load_pipeline(context)
    lay_over(adapted, lora)
    adapted.unet.save_pretrained(tmp_path / "whole" / "unet")
    adapted.unet.save_pretrained(tmp_path / "bare")
    by_lora = pictures(context, few, lora)
    assert np.array_equal(by_lora, pictures(context, few, tmp_path / "whole"))
    assert np.array_equal(by_lora, pictures(context, few, tmp_path / "bare"))


@pytest.mark.parametrize("damage", ["truncated", "other layers", "other width", "nothing"])
def test_weights_that_do_not_fit_are_one_clear_line(context: Context, lora: Path, damage: str) -> None:
    path = lora / LORA
    state = load_file(path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "other layers":
        save_file({name.replace("attn1", "attn9"): value for name, value in state.items()}, path)
    elif damage == "other width":
        save_file({name: value.repeat(1, 2) if "lora_A" in name else value for name, value in state.items()}, path)
    else:
        path.unlink()
    with pytest.raises(BenchError, match=r"Cannot load the LoRA|holds no weights that can be laid over"):
        lay_over(load_pipeline(context), lora)


def test_a_track_without_weights_says_how_to_train_them(context: Context) -> None:
    other = Context(context.track.model_copy(update={"name": "sd15"}))
    with pytest.raises(NotAvailable, match="bench train t2i-spo --track sd15"):
        T2ISPO().weights(other)


def test_the_weights_are_part_of_a_runs_identity(context: Context, lora: Path) -> None:
    before = dict(T2ISPO(weights=str(lora)).weights(context))
    state = load_file(lora / LORA)
    save_file({name: value * 1.5 for name, value in state.items()}, lora / LORA)
    assert T2ISPO(weights=str(lora)).weights(context) != before
