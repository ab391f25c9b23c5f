"""Which files of a repository are used: SDXL's real layout, and the others in circulation."""

from __future__ import annotations

import json

import pytest

from bench.errors import NotAvailable
from bench.files.selection import components, has_weights, lacking, used

INDEX = {
    "_class_name": "StableDiffusionXLPipeline",
    "force_zeros_for_empty_prompt": True,
    "add_watermarker": None,
    "feature_extractor": [None, None],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
USED = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
    "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
    "unet/diffusion_pytorch_model.safetensors.index.json",
    "vae/config.json",
    "vae/diffusion_pytorch_model.bin",
]
UNUSED = [
    ".gitattributes",
    "README.md",
    "config.json",
    "sd_xl_base_1.0.safetensors",
    "sd_xl_base_1.0_0.9vae.safetensors",
    "v1-5-pruned.ckpt",
    "custom.py",
    "unet/code.py",
    "text_encoder/model.onnx",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/pytorch_model.bin",
    "text_encoder/openvino_model.bin",
    "text_encoder/flax_model.msgpack",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
    "vae/diffusion_pytorch_model.fp16.bin",
    "vae_1_0/config.json",
    "vae_1_0/diffusion_pytorch_model.safetensors",
    "vae_decoder/model.onnx",
]


def test_of_a_pipeline_its_components_are_used_and_nothing_else() -> None:
    parts = components(json.dumps(INDEX).encode())
    assert parts == ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
    assert used([*UNUSED, *USED], parts) == USED
    assert lacking(USED, parts) == []


@pytest.mark.parametrize("gone", ["unet", "scheduler", "tokenizer"])
def test_a_component_without_files_is_lacking(gone: str) -> None:
    parts = components(json.dumps(INDEX).encode())
    assert lacking([name for name in USED if not name.startswith(f"{gone}/")], parts) == [gone]


def test_a_model_without_its_weights_is_lacking() -> None:
    assert lacking([name for name in USED if name != "vae/diffusion_pytorch_model.bin"], ("unet", "vae")) == ["vae"]


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin", "flax_model.msgpack", "tf_model.h5"], ["config.json", "model.safetensors"]),
        (["config.json", "pytorch_model.bin"], ["config.json", "pytorch_model.bin"]),
        (["a/model.safetensors", "b/pytorch_model.bin"], ["a/model.safetensors", "b/pytorch_model.bin"]),
        (["unet.fp16.safetensors"], ["unet.fp16.safetensors"]),
        (["model.safetensors", ".cache/huggingface/trees/x.json"], ["model.safetensors"]),
        (["spiece.model", "model.onnx"], ["model.onnx", "spiece.model"]),
    ],
)
def test_any_other_folder_is_used_in_one_format(names: list[str], kept: list[str]) -> None:
    assert used(names) == kept and has_weights(kept)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_index_is_one_clear_line(damaged: bytes) -> None:
    with pytest.raises(NotAvailable, match="is damaged"):
        components(damaged)
