"""A folder of weights: one thing, taken whole, or the line lists what is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

from bench.errors import BenchError
from bench.types import Context
from methods.finding import CONFIG, LORA, PARTIAL, TENSORS, find
from methods.generic import LoRA, UNet
from methods.overlay import lay_over
from methods.pipeline import load_pipeline
from methods.text_encoder import TextEncoder

NETWORK = "diffusion_pytorch_model.safetensors"


def held(path: Path, name: str = LORA) -> None:
    path.mkdir(parents=True, exist_ok=True)
    save_file({"x": torch.ones(1)}, path / name)


def adapter(path: Path) -> None:
    held(path, TENSORS[0])
    (path / CONFIG).write_text("{}")


def network(path: Path) -> None:
    held(path, NETWORK)
    (path / "config.json").write_text("{}")


SEVERAL: list[tuple[str, Callable[[Path], Any], tuple[str, ...]]] = [
    ("two checkpoints", lambda p: (adapter(p / "checkpoint-500"), adapter(p / "checkpoint-1000")), ("checkpoint-1000", "checkpoint-500")),
    ("a network and PEFT", lambda p: (network(p / "unet"), adapter(p / "text_encoder")), ("unet/", "text_encoder")),
    ("a network around PEFT", lambda p: (network(p), adapter(p / "old_lora")), ("config.json and its weights", "old_lora")),
    ("PEFT around PEFT", lambda p: (adapter(p), adapter(p / "text_encoder")), (TENSORS[0], "text_encoder")),
    ("two of one part", lambda p: (adapter(p / "unet" / "a"), adapter(p / "unet" / "b")), ("unet/a", "unet/b")),
    ("a part and another", lambda p: (adapter(p / "unet"), adapter(p / "style")), ("unet", "style")),
    ("a LoRA and a network", lambda p: (held(p), network(p / "unet")), (LORA, "unet/")),
    ("a LoRA and an edit", lambda p: (held(p), held(p, PARTIAL)), (LORA, PARTIAL)),
    ("an edit and a network", lambda p: (held(p, PARTIAL), network(p / "unet")), (PARTIAL, "unet/")),
    ("two LoRAs", lambda p: (held(p), held(p, "style.safetensors")), (LORA, "style.safetensors")),
    ("pivotal tuning", lambda p: (held(p), held(p, "x_emb.safetensors")), (LORA, "x_emb.safetensors")),
    ("a LoRA and learned tokens", lambda p: (held(p), held(p, "learned_embeds.safetensors")), (LORA, "learned_embeds.safetensors")),
    ("PEFT and a LoRA", lambda p: (adapter(p), held(p)), (TENSORS[0], LORA)),
    ("a LoRA and a text encoder", lambda p: (held(p), held(p / "text_encoder", "model.safetensors")), (LORA, "text_encoder/")),
    ("a network and its averages", lambda p: (network(p / "unet"), network(p / "unet_ema")), ("unet/", "unet_ema/")),
    ("a network and a file of it", lambda p: (network(p), held(p, PARTIAL)), (PARTIAL, "config.json and its weights")),
    ("upper case", lambda p: (held(p), held(p, "B.SAFETENSORS")), ("B.SAFETENSORS", LORA)),
]


@pytest.mark.parametrize(("make", "listed"), [each[1:] for each in SEVERAL], ids=[each[0] for each in SEVERAL])
def test_several_sets_of_weights_are_listed(make: Callable[[Path], Any], listed: tuple[str, ...], tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(BenchError, match=rf"holds {len(listed)} sets of weights.*Name one of them, such as {tmp_path}/(?!config)") as raised:
        find(tmp_path)
    assert all(each in str(raised.value) for each in listed) and "\n" not in str(raised.value)


ONE: list[tuple[str, Callable[[Path], Any], str, tuple[str, ...]]] = [
    ("a training's folder", lambda p: (held(p), held(p / "checkpoint-500"), adapter(p / "checkpoint-9")), "tensors", (LORA,)),
    ("a trainer's state", lambda p: (held(p), torch.save({}, p / "optimizer.bin"), torch.save({}, p / "scheduler.pt")), "tensors", (LORA,)),
    ("one step", lambda p: adapter(p / "checkpoint-500"), "adapters", (f"checkpoint-500/{TENSORS[0]}",)),
    ("two parts", lambda p: (adapter(p / "unet"), adapter(p / "text_encoder")), "adapters", (f"text_encoder/{TENSORS[0]}", f"unet/{TENSORS[0]}")),
    ("names in parts", lambda p: (adapter(p / "unet" / "default"), adapter(p / "text_encoder")), "adapters", ("", f"unet/default/{TENSORS[0]}")),
    ("two formats", lambda p: (adapter(p), torch.save({}, p / TENSORS[1])), "tensors", (TENSORS[0],)),
    ("variants", lambda p: (network(p), held(p, "diffusion_pytorch_model.fp16.safetensors")), "network", ()),
    ("hidden", lambda p: (held(p), held(p / ".cache")), "tensors", (LORA,)),
]


@pytest.mark.parametrize(("make", "kind", "files"), [each[1:] for each in ONE], ids=[each[0] for each in ONE])
def test_one_set_of_weights_is_found(make: Callable[[Path], Any], kind: str, files: tuple[str, ...], tmp_path: Path) -> None:
    make(tmp_path)
    found = find(tmp_path)
    assert found.kind == kind and len(found.files) == len(files)
    assert {each for each in files if each} <= {each.relative_to(tmp_path).as_posix() for each in found.files}


def test_a_pipeline_beside_itself_in_one_file_is_its_folder(tmp_path: Path) -> None:
    network(tmp_path / "unet")
    (tmp_path / "model_index.json").write_text("{}")
    save_file({"model.diffusion_model.out.2.bias": torch.ones(1)}, tmp_path / "whole.safetensors")
    (tmp_path / "whole.ckpt").write_bytes(b"x")
    assert find(tmp_path).path == tmp_path / "unet"
    held(tmp_path, "offset-lora.safetensors")
    with pytest.raises(BenchError, match=r"2 sets of weights, .* offset-lora.safetensors, unet/"):
        find(tmp_path)


def shards(path: Path, stem: str, tensors: dict[str, torch.Tensor]) -> list[Path]:
    path.mkdir(parents=True, exist_ok=True)
    files = [path / f"{stem}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    names = sorted(tensors)
    for file, own in zip(files, (names[::2], names[1::2]), strict=True):
        save_file({name: tensors[name].clone() for name in own}, file)
    return files


@pytest.mark.parametrize("method", [LoRA, UNet, TextEncoder])
@pytest.mark.parametrize("stem", ["pytorch_lora_weights", "diffusion_pytorch_model", "adapter_model", "model"])
def test_one_file_of_weights_in_several_is_refused(stem: str, method: Any, sd_context: Context, tmp_path: Path) -> None:
    part = "text_encoder" if method is TextEncoder else "unet"
    file = shards(tmp_path / "cut", stem, getattr(load_pipeline(sd_context), part).state_dict())[0]
    with pytest.raises(BenchError, match=rf"it is one of 2 files that the weights are cut into: give their folder, {file.parent}\."):
        method(weights=str(file)).load(sd_context)


def test_a_lora_in_several_files_is_refused_by_its_name(tmp_path: Path) -> None:
    shards(tmp_path, "pytorch_lora_weights", {"a": torch.ones(1), "b": torch.ones(1)})
    with pytest.raises(BenchError, match=r"in several files \(pytorch_lora_weights-00001-of-00002.safetensors\).*Save them as one file"):
        find(tmp_path)
    (tmp_path / f"{LORA}.index.json").write_text(json.dumps({}))
    with pytest.raises(BenchError, match=rf"in several files \({LORA}.index.json\)"):
        find(tmp_path)


def test_an_adapter_in_the_folder_of_another_part_is_refused(sd_context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(sd_context)
    model = get_peft_model(pipeline.unet, LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    model.save_pretrained(tmp_path / "unet")
    lay_over(load_pipeline(sd_context), tmp_path)
    shutil.move(tmp_path / "unet", tmp_path / "text_encoder")
    with pytest.raises(BenchError, match=r"a PEFT adapter of the unet in a folder named text_encoder"):
        lay_over(load_pipeline(sd_context), tmp_path)


def test_lora_takes_no_pipeline_apart(sd_context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(sd_context)
    with torch.no_grad():
        for model in (pipeline.unet, pipeline.vae):
            next(model.parameters()).mul_(1.5)
    pipeline.save_pretrained(tmp_path)
    with pytest.raises(BenchError, match=r"differs from the track's base in more than its unet: vae"):
        LoRA(weights=str(tmp_path)).load(sd_context)
