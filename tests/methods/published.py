"""Files of adapters and edits in every format that users have, made from a pipeline's own layers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import peft
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

QV = ["to_q", "to_v"]
CLIP = ["q_proj", "k_proj", "v_proj", "out_proj"]
LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v"
FLAT = "lora_unet_" + LAYER.replace(".", "_")
CONV = "mid_block.resnets.0.conv1"
FLAT_CONV = "lora_unet_" + CONV.replace(".", "_")

Tensors = dict[str, torch.Tensor]


def config(r: int = 2, **settings: Any) -> LoraConfig:
    return LoraConfig(r=r, init_lora_weights=False, **{"target_modules": QV, "lora_alpha": r} | settings)


def moved(model: Any) -> None:
    """Move what stands where training begins: DoRA's magnitudes, and tensors of zeros."""
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "magnitude" in name:
                tensor.mul_(1 + torch.rand_like(tensor))
            elif tensor.requires_grad and not tensor.any():
                tensor.normal_(std=0.1)


def diffusers_lora(pipeline: Any, path: Path, header: bool = True, text: bool = False, unet: bool = True, **settings: Any) -> Path:
    """A LoRA as diffusers' trainers write it, its settings in the header or not."""
    layers, metadata = {}, {}
    wanted = {"unet": config(**settings)} if unet else {}
    wanted |= {"text_encoder": config(**settings | {"target_modules": CLIP})} if text else {}
    for part, each in wanted.items():
        model = getattr(pipeline, part)
        model.add_adapter(each)
        moved(model)
        layers[f"{part}_lora_layers"] = get_peft_model_state_dict(model)
        metadata[f"{part}_lora_adapter_metadata"] = {key: value for key, value in each.to_dict().items() if value is not None}
        metadata[f"{part}_lora_adapter_metadata"]["target_modules"] = sorted(each.target_modules)
    type(pipeline).save_lora_weights(path, **layers, **(metadata if header else {}))
    return path


def renamed(folder: Path, file: Path, *changes: tuple[str, str]) -> Path:
    """The tensors of a LoRA by an older layout's names."""
    tensors = load_file(folder / "pytorch_lora_weights.safetensors")
    for pattern, replacement in changes:
        tensors = {re.sub(pattern, replacement, name): tensor for name, tensor in tensors.items()}
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save(tensors, file)
    return file


def old_2023(pipeline: Any, path: Path) -> Path:
    ends = (r"^(unet.*)\.lora_A\.", r"\1.lora.down."), (r"^(unet.*)\.lora_B\.", r"\1.lora.up.")
    texts = (r"\.lora_A\.", ".lora_linear_layer.down."), (r"\.lora_B\.", ".lora_linear_layer.up.")
    return renamed(diffusers_lora(pipeline, path, header=False, text=True), path / "old.safetensors", *ends, *texts)


def processors(pipeline: Any, path: Path, prefix: str) -> Path:
    side = (r"\.(to_q|to_v)\.lora_A", r".processor.\1_lora.down"), (r"\.(to_q|to_v)\.lora_B", r".processor.\1_lora.up")
    return renamed(diffusers_lora(pipeline, path, header=False), path / "old.bin", *side, (r"^unet\.", prefix))


def bare(pipeline: Any, path: Path) -> Path:
    pipeline.unet.add_adapter(config(lora_alpha=8), adapter_name="x")
    pipeline.unet.save_lora_adapter(path, adapter_name="x")
    return path


def mixed_ranks(pipeline: Any, path: Path) -> Path:
    return diffusers_lora(pipeline, path, header=False, rank_pattern={"mid_block.*to_q": 3}, alpha_pattern={"mid_block.*to_q": 3})


def kohya(pipeline: Any, path: Path, text: bool = False) -> Path:
    """A file of kohya's scripts: another alpha in each layer, none in the last."""
    folder = diffusers_lora(pipeline, path, header=False, text=text, r=4)
    tensors: Tensors = {}
    for name, tensor in load_file(folder / "pytorch_lora_weights.safetensors").items():
        layer, _, end = name.partition(".lora_")
        layer = layer.replace("unet.", "lora_unet_", 1).replace("text_encoder.", "lora_te_text_model_", 1).replace(".", "_")
        tensors[f"{layer}.lora_{'down' if end[0] == 'A' else 'up'}.weight"] = tensor
    for number, layer in enumerate(sorted({name.partition(".")[0] for name in tensors})):
        tensors[f"{layer}.alpha"] = torch.tensor(1.0 + number % 2 if not text else 1.0)
    save_file(tensors, path / "kohya.safetensors")
    return path / "kohya.safetensors"


def kohya_text(pipeline: Any, path: Path, which: str) -> Path:
    """Some of a text encoder's layers alone, each with an alpha of its own."""
    path.mkdir()
    tensors: Tensors = {}
    layer = pipeline.text_encoder.get_submodule("encoder.layers.0")
    for number, name in enumerate(which.split()):
        module = {"q": "self_attn.q_proj", "fc1": "mlp.fc1"}[name]
        out, width = layer.get_submodule(module).weight.shape
        flat = "lora_te_text_model_encoder_layers_0_" + module.replace(".", "_")
        tensors |= {f"{flat}.lora_up.weight": torch.randn(out, 4), f"{flat}.lora_down.weight": torch.randn(4, width)}
        tensors[f"{flat}.alpha"] = torch.tensor(1.0 + number)
    save_file(tensors, path / "text.safetensors")
    return path / "text.safetensors"


def peft_folder(pipeline: Any, path: Path, part: str = "unet", kind: Any = LoraConfig, plain: bool = False, **settings: Any) -> Path:
    common = {"target_modules": QV if part == "unet" else ["q_proj", "v_proj"]}
    if kind is LoraConfig:
        common |= {"r": 2, "lora_alpha": 8, "init_lora_weights": False}
    else:
        common |= {"init_weights": False}
    model = peft.get_peft_model(getattr(pipeline, part), kind(**common | settings))
    moved(model)
    model.save_pretrained(path)
    if plain:
        file = path / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_mapping": None}))
    model.unload()
    return path


def peft_drawn(pipeline: Any, path: Path, kind: str, **settings: Any) -> Path:
    """A folder of one of PEFT's other kinds, which know no way to begin with a change: what is trained is moved."""
    model = peft.get_peft_model(pipeline.unet, getattr(peft, kind)(target_modules=QV, **settings))
    with torch.no_grad():
        for parameter in (each for each in model.parameters() if each.requires_grad):
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(path)
    model.unload()
    return path


def old_clip_names(folder: Path) -> Path:
    file = folder / "adapter_model.safetensors"
    save_file({name.replace("base_model.model.", "base_model.model.text_model."): tensor for name, tensor in load_file(file).items()}, file)
    return folder


def lycoris(pipeline: Any, path: Path, kind: str) -> Path:
    weights = pipeline.unet.state_dict()
    out, width = weights[f"{LAYER}.weight"].shape
    channels = weights[f"{CONV}.weight"].shape
    draw, alpha = torch.randn, torch.tensor(2.0)
    pair = {f"{FLAT}.lora_up.weight": draw(out, 4), f"{FLAT}.lora_down.weight": draw(4, width), f"{FLAT}.alpha": alpha}
    pairs = {f"{FLAT}.{end}_{side}": draw(out, 4) if side == "a" else draw(4, width) for end in ("hada_w1", "hada_w2") for side in "ab"}
    made = {
        "DoRA": pair | {f"{FLAT}.dora_scale": draw(out, 1).abs()},
        "DoRA of inputs": pair | {f"{FLAT}.dora_scale": draw(1, width).abs()},
        "LoHa": pairs | {f"{FLAT}.alpha": alpha},
        "LoKr": {f"{FLAT}.lokr_w1": draw(4, 4), f"{FLAT}.lokr_w2": draw(out // 4, width // 4), f"{FLAT}.alpha": alpha},
        "full": {f"{FLAT}.diff": draw(out, width), f"{FLAT_CONV}.diff": draw(*channels), f"{FLAT_CONV}.diff_b": draw(channels[0])},
        "norm": {f"{FLAT_CONV.replace('conv1', 'norm1')}.{end}": draw(channels[1]) for end in ("w_norm", "b_norm")},
        "Tucker": {
            f"{FLAT_CONV}.lora_up.weight": draw(channels[0], 4, 1, 1),
            f"{FLAT_CONV}.lora_mid.weight": draw(4, 4, 3, 3),
            f"{FLAT_CONV}.lora_down.weight": draw(4, channels[1], 1, 1),
            f"{FLAT_CONV}.alpha": alpha,
        }
        | pair,
    }
    path.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.clone() for name, tensor in made[kind].items()}, path / "lycoris.safetensors")
    return path / "lycoris.safetensors"


SGM = "lora_unet_input_blocks_3_1_transformer_blocks_0_attn2_to_v"
SGM_HERE = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_v"
"""A layer of the tiny SDXL as its authors count blocks, and as diffusers does."""


def kohya_xl(pipeline: Any, path: Path) -> Path:
    out, width = pipeline.unet.get_submodule("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v").weight.shape
    tensors = {f"{SGM}.lora_up.weight": torch.randn(out, 4), f"{SGM}.lora_down.weight": torch.randn(4, width), f"{SGM}.alpha": torch.tensor(2.0)}
    for number, text in ((1, pipeline.text_encoder), (2, pipeline.text_encoder_2)):
        for layer in ("q_proj", "k_proj", "v_proj", "out_proj"):
            size = text.config.hidden_size
            name = f"lora_te{number}_text_model_encoder_layers_0_self_attn_{layer}"
            tensors |= {f"{name}.lora_up.weight": torch.randn(size, 4), f"{name}.lora_down.weight": torch.randn(4, size)}
            tensors[f"{name}.alpha"] = torch.tensor(float(number))
    path.mkdir()
    save_file(tensors, path / "xl.safetensors")
    return path / "xl.safetensors"


def lokr_xl(pipeline: Any, path: Path) -> Path:
    path.mkdir()
    text = "lora_te2_text_model_encoder_layers_0_self_attn_q_proj"
    tensors = {
        f"{name}.{end}": torch.randn(*shape)
        for name, size in ((SGM, 64), (text, 32))
        for end, shape in (("lokr_w1", (4, 4)), ("lokr_w2", (size // 4, size // 4)))
    }
    save_file(tensors | {f"{name}.alpha": torch.tensor(2.0) for name in (SGM, text)}, path / "xl.safetensors")
    return path / "xl.safetensors"


def partial(pipeline: Any, path: Path, form: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach() * 1.5 for name, tensor in pipeline.unet.named_parameters() if "attn2" in name}
    text = {f"text_model.{name}": tensor.detach() * 1.5 for name, tensor in pipeline.text_encoder.named_parameters()}
    if form == "bf16":
        save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, path / "part.safetensors")
        return path / "part.safetensors"
    forms: dict[str, Any] = {
        "wrapped": {f"module._orig_mod.unet.{name}": tensor for name, tensor in tensors.items()},
        "two parts": {"unet": tensors, "text_encoder": text},
        "two parts and a step": {"unet": tensors, "text_encoder": text, "step": 5},
    }
    torch.save(forms[form], path / "part.pt")
    return path / "part.pt"


def both(pipeline: Any, path: Path) -> Path:
    peft_folder(pipeline, path / "unet")
    peft_folder(pipeline, path / "text_encoder", "text_encoder")
    return path


PATTERNS = {"rank_pattern": {"mid_block.*to_q": 3}, "alpha_pattern": {"mid_block.*to_q": 5}}
