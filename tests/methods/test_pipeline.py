"""A damaged base model, an unfit scheduler or a missing device is one clear line, and never another model's images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch

from bench.errors import BenchError
from bench.types import Context
from methods.pipeline import load_pipeline

UNET, ENCODER = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"


def remove(file: Path) -> None:
    file.unlink()


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def drop_a_tensor(file: Path) -> None:
    tensors = safetensors.torch.load_file(file)
    del tensors[next(name for name in sorted(tensors) if name.endswith("norm1.bias"))]
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        (UNET, truncate, "incomplete metadata"),
        (UNET, remove, "no file named diffusion_pytorch_model.safetensors"),
        (UNET, drop_a_tensor, "unet: its weights lack .*norm1.bias"),
        (ENCODER, truncate, "text_encoder: .*incomplete metadata"),
        (ENCODER, drop_a_tensor, "text_encoder: its weights lack .*norm1.bias"),
        ("tokenizer/tokenizer.json", remove, "tokenizer: it knows 2 tokens, expected the text encoder's"),
        ("model_index.json", remove, "no file named model_index.json"),
    ],
)
def test_a_damaged_folder_is_one_clear_line(file: str, damage: Callable[[Path], None], says: str, context: Context, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(context.track.base_path(), base)
    damage(base / file)
    with pytest.raises(BenchError, match=says) as raised:
        load_pipeline(Context(context.track.model_copy(update={"base": str(base)})))
    assert str(base) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("scheduler", "says"),
    [
        ({"class": "DDIMSchedular"}, "unknown scheduler 'DDIMSchedular'"),
        ({"class": "UNet2DConditionModel"}, "unknown scheduler 'UNet2DConditionModel'"),
        ({"clip_sample": False}, "unknown scheduler 'None'"),
        ({"class": "DDIMScheduler", "clip_smaple": False}, "an option that it does not have: 'clip_smaple'"),
        ({"class": "DDIMScheduler", "beta_schedule": "nope"}, "options that do not fit: nope"),
    ],
)
def test_an_unfit_scheduler_is_one_clear_line(scheduler: dict[str, object], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says):
        load_pipeline(Context(context.track.model_copy(update={"scheduler": scheduler})))


def test_a_device_that_is_not_there_is_one_clear_line(context: Context) -> None:
    with pytest.raises(BenchError, match="Cannot use the device 'xpu:9'"):
        load_pipeline(Context(context.track, device="xpu:9"))


def test_the_scheduler_is_the_tracks_over_the_bases(context: Context) -> None:
    track = context.track.model_copy(update={"scheduler": {"class": "DPMSolverMultistepScheduler", "solver_order": 1}})
    mine, base = load_pipeline(Context(track)).scheduler, load_pipeline(context).scheduler
    assert type(mine).__name__ == "DPMSolverMultistepScheduler"
    assert mine.config.solver_order == 1 and mine.config.beta_end == base.config.beta_end
