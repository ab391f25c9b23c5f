"""Samples of the mini track at few steps: real classes, real weights, seconds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from bench.runs.spec import RunSpec
from bench.tracks import load_track
from bench.types import Context, Sample


@pytest.fixture
def few() -> list[Sample]:
    """Four samples of six steps."""
    samples = RunSpec("black", "i2p", limit=4).loaded_suite.samples
    return [replace(sample, steps=6) for sample in samples]


@pytest.fixture
def context() -> Context:
    """The mini track on the CPU."""
    return Context(load_track("mini"))


@pytest.fixture
def sd_context(context: Context, tiny_sd: Path) -> Context:
    """The mini track on a tiny random Stable Diffusion."""
    return Context(context.track.model_copy(update={"name": "tiny-sd", "base": str(tiny_sd)}))


@pytest.fixture
def xl_context(context: Context, tiny_sdxl: Path) -> Context:
    """The mini track on a tiny random SDXL."""
    return Context(context.track.model_copy(update={"name": "tiny-sdxl", "base": str(tiny_sdxl)}))


@pytest.fixture
def tuned(tiny_sd: Path, tmp_path: Path) -> StableDiffusionPipeline:
    """The tiny Stable Diffusion, every part of it changed."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None, requires_safety_checker=False)
    torch.manual_seed(11)
    for model in (pipeline.unet, pipeline.text_encoder, pipeline.vae):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
    return pipeline


@pytest.fixture
def copied(tiny_sd: Path, tmp_path: Path) -> Path:
    """A copy of the base."""
    shutil.copytree(tiny_sd, tmp_path / "copy")
    return tmp_path / "copy"


RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
AROUND = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def _network(unet: Any) -> dict[str, torch.Tensor]:
    """A U-Net's tensors by the names of CompVis: the library's conversion backwards, for any number of blocks."""
    places = dict(AROUND)
    number = 1
    for i, block in enumerate(unet.down_blocks):
        for j in range(len(block.resnets)):
            places |= {f"down_blocks.{i}.resnets.{j}": f"input_blocks.{number}.0", f"down_blocks.{i}.attentions.{j}": f"input_blocks.{number}.1"}
            number += 1
        if block.downsamplers:
            places[f"down_blocks.{i}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1
    places |= {"mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.1": "middle_block.2"}
    number = 0
    for i, block in enumerate(unet.up_blocks):
        attends = hasattr(block, "attentions")
        for j in range(len(block.resnets)):
            places |= {f"up_blocks.{i}.resnets.{j}": f"output_blocks.{number}.0", f"up_blocks.{i}.attentions.{j}": f"output_blocks.{number}.1"}
            number += 1
        if block.upsamplers:
            places[f"up_blocks.{i}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.{1 + attends}.conv"
    return {f"model.diffusion_model.{_placed(name, places)}": value for name, value in unet.state_dict().items()}


def _placed(name: str, places: dict[str, str]) -> str:
    start = max((each for each in places if name.startswith(f"{each}.")), key=len)
    rest = name[len(start) + 1 :]
    if ".resnets." in f".{start}":
        part, _, end = rest.partition(".")
        rest = f"{RESNET[part]}.{end}"
    return f"{places[start]}.{rest}"


def _autoencoder(vae: Any) -> dict[str, torch.Tensor]:
    found, last = {}, len(vae.config.block_out_channels) - 1
    for name, value in vae.state_dict().items():
        words = name.split(".")
        if words[1] in ("down_blocks", "up_blocks"):
            side = "down" if words[1] == "down_blocks" else "up"
            block = int(words[2]) if side == "down" else last - int(words[2])
            inner = f"block.{words[4]}.{'.'.join(words[5:])}" if words[3] == "resnets" else f"{side}sample.{'.'.join(words[5:])}"
            name = f"{words[0]}.{side}.{block}.{inner}"
        name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2").replace("conv_norm_out", "norm_out")
        name = name.replace("mid_block.attentions.0.", "mid.attn_1.").replace("conv_shortcut", "nin_shortcut")
        if "attn_1" in name:
            for ours, theirs in {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}.items():
                name = name.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
            value = value[:, :, None, None] if value.ndim == 2 else value
        found[f"first_stage_model.{name}"] = value
    return found


OPEN_CLIP = {
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
}
OPEN_CLIP_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def _open_clip(encoder: Any) -> dict[str, torch.Tensor]:
    """A text encoder's tensors by the names of OpenCLIP, as Stability's SDXL has its second one: queries, keys and values in one tensor."""
    state = encoder.state_dict()
    found = {theirs: state[ours].T if theirs == "text_projection" else state[ours] for ours, theirs in OPEN_CLIP.items()}
    for number in range(encoder.config.num_hidden_layers):
        ours, theirs = f"text_model.encoder.layers.{number}.", f"transformer.resblocks.{number}."
        for end in ("weight", "bias"):
            found |= {f"{theirs}{there}.{end}": state[f"{ours}{here}.{end}"] for here, there in OPEN_CLIP_LAYER.items()}
            found[f"{theirs}attn.in_proj_{end}"] = torch.cat([state[f"{ours}self_attn.{each}_proj.{end}"] for each in "qkv"])
    return {f"conditioner.embedders.1.model.{name}": value for name, value in found.items()}


def compvis_of(pipeline: Any) -> dict[str, torch.Tensor]:
    """The tensors of a Stable Diffusion 1.x or XL in the layout of CompVis and Stability."""
    is_xl = hasattr(pipeline, "text_encoder_2")
    names = {name: name if name.startswith("text_model.") else f"text_model.{name}" for name in pipeline.text_encoder.state_dict()}
    before = "conditioner.embedders.0" if is_xl else "cond_stage_model"
    found = _network(pipeline.unet) | _autoencoder(pipeline.vae)
    found |= {f"{before}.transformer.{names[name]}": value for name, value in pipeline.text_encoder.state_dict().items()}
    found |= _open_clip(pipeline.text_encoder_2) if is_xl else {}
    return {name: value.detach().clone().contiguous() for name, value in found.items()}


@pytest.fixture
def compvis() -> Any:
    """The function that gives a pipeline's tensors in the layout of CompVis."""
    return compvis_of
