"""What a file of weights is where it is not what was asked for, so that a refusal can name the cause."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.files.selection import WEIGHTS

if TYPE_CHECKING:
    import torch

_HEADS = (
    (b"version https://git-lfs", "it is a git-lfs pointer, not weights: run `git lfs pull` in its folder"),
    (b"GGUF", "it holds quantised weights (GGUF): convert them to safetensors in float16 or bfloat16 first"),
    (b"<!DOCTYPE", "it is a web page, not weights: download the file itself"),
    (b"<html", "it is a web page, not weights: download the file itself"),
)
_RENAME = "rename it, or link to it under such a name, so that all of what it says is read"
_COUNTS = ("position_ids", "relative_position_index")
"""How tensors of integers end that a model counts by."""
_QUANTISED = (
    (".absmax", "bitsandbytes, 4 bits"),
    (".quant_map", "bitsandbytes, 4 bits"),
    (".SCB", "bitsandbytes, 8 bits"),
    ("scaled_fp8", "scaled float8"),
    (".scale_weight", "scaled float8"),
    (".weight_scale", "scaled integers or float8"),
    (".qweight", "GPTQ or AWQ"),
)
_ARCHITECTURES = (
    ("FLUX", ("double_blocks.", "single_transformer_blocks.")),
    ("Stable Diffusion 3", ("joint_blocks.", ".norm1_context.")),
    ("PixArt", ("adaln_single.",)),
    ("Stable Cascade", ("clip_txt_pooled_mapper.",)),
    ("Wan", ("patch_embedding.weight",)),
    ("ControlNet", ("controlnet_cond_embedding.", "control_model.", "controlnet_down_blocks.")),
    ("textual-inversion", ("string_to_param", "emb_params", "clip_l", "clip_g")),
    ("CLIP text-encoder", ("token_embedding.weight",)),
    ("CLIP vision-encoder", ("vision_model.", "visual_projection.")),
    ("autoencoder", ("post_quant_conv.", "quant_conv.", "decoder.conv_out.")),
)
"""Signs in the names of tensors; the first that is found counts."""
COMPVIS = ("model.diffusion_model.", "cond_stage_model.", "first_stage_model.", "conditioner.embedders.")
"""How tensors of a checkpoint in the layout of CompVis (LDM, sgm) begin."""


def no_tensors(file: Path) -> str:
    """Return why a file that may be undamaged is no file of tensors, and the way out; empty where nothing speaks against it."""
    with file.open("rb") as opened:
        head = opened.read(64)
    for start, why in _HEADS:
        if head.lstrip().startswith(start):
            return why
    # Eight bytes say how long the header is, which is JSON.
    if head[8:9] == b"{" and file.suffix != ".safetensors":
        return f"it holds safetensors, and its name does not end in .safetensors: {_RENAME}"
    known = [suffix for suffixes in WEIGHTS for suffix in suffixes]
    return "" if file.suffix in known else f"its name does not end in {', '.join(known)}: {_RENAME}"


def whole_numbers(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the first of a model's tensors that is one of integers, and its type: what quantised weights are; empty where there is none."""
    found = ((name, tensor) for name, tensor in tensors.items() if not tensor.is_floating_point() and tensor.numel() > 1)
    return next((f"{name} is {str(tensor.dtype).removeprefix('torch.')}" for name, tensor in found if not name.endswith(_COUNTS)), "")


def whole_numbers_in(file: Path) -> str:
    """Return the same of a safetensors file, of which the header alone is read."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        for name in opened.keys():  # noqa: SIM118  # it is no mapping
            found = opened.get_slice(name)
            if found.get_dtype()[0] in "IU" and found.get_shape() not in ([], [1]) and not name.endswith(_COUNTS):
                return f"{name} is {found.get_dtype()}"
    return ""


def quantised(names: Collection[str], config: Mapping[str, Any] | None = None) -> str:
    """Return the form in which weights are quantised, by their names or their model's configuration; empty where they are not."""
    told = (config or {}).get("quantization_config")
    if isinstance(told, Mapping):
        return str(told.get("quant_method") or "quantization_config")
    return next((form for sign, form in _QUANTISED if any(sign in name for name in names)), "")


def convert_first(form: str) -> str:
    """Return what is said of quantised weights."""
    return f"these are quantised weights ({form}), which are not laid over a model: convert them to safetensors in float16 or bfloat16 first"


def architecture(names: Collection[str]) -> str:
    """Return whose tensors these are where they are no U-Net's of Stable Diffusion; empty where that cannot be told."""
    return next((label for label, signs in _ARCHITECTURES if any(sign in name for name in names for sign in signs)), "")


def marked(names: Collection[str], header: Mapping[str, str]) -> dict[str, Any]:
    """Return how a checkpoint in one file says that it is to be sampled, as a scheduler's options; empty where it says nothing.

    Nothing in the layout of CompVis has a place for it, so that trainers leave marks: in the header, or an empty tensor.
    """
    found: dict[str, Any] = {}
    told = header.get("modelspec.prediction_type", "").lower()
    if told.startswith("v") or "v_pred" in names or header.get("ss_v_parameterization", "").lower() == "true":
        found["prediction_type"] = "v_prediction"
    elif told.startswith("eps"):
        found["prediction_type"] = "epsilon"
    if "ztsnr" in names or header.get("ss_zero_terminal_snr", "").lower() == "true":
        found["rescale_betas_zero_snr"] = True
    return found
