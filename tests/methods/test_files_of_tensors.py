"""One file of tensors: all that it holds is used, in whatever it is stored, or the line says what it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from safetensors.torch import load_file, save_file

from bench.errors import BenchError
from bench.registry import find_method
from bench.types import Context
from methods.overlay import lay_over
from methods.pipeline import load_pipeline

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v"
UNET = "u/diffusion_pytorch_model.safetensors"
ENCODER = "t/model.safetensors"


def refuses(name: str, context: Context, says: str) -> str:
    adapter, parameters = find_method(name)
    with pytest.raises(BenchError, match=says) as raised:
        adapter(**parameters).load(context)
    line = str(raised.value)
    assert "\n" not in line and "\x1b" not in line and "damaged" not in line and "make env" not in line
    return line


def loads(name: str, context: Context) -> Any:
    adapter, parameters = find_method(name)
    method: Any = adapter(**parameters)
    method.load(context)
    return method.sampler.pipeline


@pytest.fixture
def edit(sd_context: Context) -> dict[str, torch.Tensor]:
    """A tensor of the U-Net, doubled."""
    return {f"{LAYER}.weight": 2 * dict(load_pipeline(sd_context).unet.named_parameters())[f"{LAYER}.weight"].detach()}


@pytest.fixture
def copied(tiny_sd: Path, tmp_path: Path) -> Path:
    """The base's U-Net and text encoder, changed, each in a folder of its own and of no pipeline."""
    for part, name in (("unet", "u"), ("text_encoder", "t"), ("vae", "v")):
        shutil.copytree(tiny_sd / part, tmp_path / "copy" / name)
    for file in (tmp_path / "copy" / UNET, tmp_path / "copy" / ENCODER):
        save_file({name: value * 1.1 if value.is_floating_point() else value for name, value in load_file(file).items()}, file, {"format": "pt"})
    return tmp_path / "copy"


def configured(folder: Path, **settings: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


# Entries of a checkpoint.


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ({"vae": {"a": torch.ones(2)}, "step": 3}, "'vae'"),
        ({"text_encoder_lora": {"a": torch.ones(2)}, "step": 3}, "'text_encoder_lora'"),
        ({"vae": {"deep": {"a": torch.ones(2)}}}, "'vae'"),
        ({"concept": torch.ones(2)}, "'concept'"),
        ({"things": [torch.ones(2)], "step": 3}, "'things'"),
    ],
)
@pytest.mark.parametrize("inside", ["unet", "state_dict"])
def test_further_tensors_of_a_checkpoint_are_not_dropped(
    inside: str, beside: dict[str, Any], says: str, edit: dict[str, torch.Tensor], sd_context: Context, tmp_path: Path
) -> None:
    torch.save({inside: edit, **beside}, tmp_path / "w.pt")
    refuses(f"unet:{tmp_path / 'w.pt'}", sd_context, f"keeps tensors under '{inside}' and under {says}.*save what is meant in a file of its own")


@pytest.mark.parametrize("inside", ["unet", "state_dict"])
def test_a_trainers_state_is_none_of_the_weights(inside: str, edit: dict[str, torch.Tensor], sd_context: Context, tmp_path: Path) -> None:
    one = torch.ones(2)
    state = {"optimizer": {"state": {0: one}}, "lr_schedulers": [one], "rng_state": one, "ema_state_dict": {"a": one}, "unet_ema": {"a": one}}
    torch.save({inside: edit, **state, "step": torch.tensor(3)}, tmp_path / "w.pt")
    pipeline = loads(f"unet:{tmp_path / 'w.pt'}", sd_context)
    assert torch.equal(dict(pipeline.unet.named_parameters())[f"{LAYER}.weight"], edit[f"{LAYER}.weight"])


def test_a_text_encoder_is_not_taken_out_of_more(copied: Path, sd_context: Context, tmp_path: Path) -> None:
    torch.save({"text_encoder": load_file(copied / ENCODER), "unet": load_file(copied / UNET)}, tmp_path / "w.pt")
    refuses(f"text-encoder:{tmp_path / 'w.pt'}", sd_context, "keeps tensors under 'text_encoder' and under 'unet'")


# Types of numbers.


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32])
def test_whole_numbers_are_quantised_weights(dtype: torch.dtype, copied: Path, sd_context: Context, tmp_path: Path) -> None:
    for file, method in ((copied / UNET, "unet"), (copied / ENCODER, "text-encoder")):
        tensors = {name: (value * 20).round().to(dtype) for name, value in load_file(file).items()}
        save_file(tensors, tmp_path / "low.safetensors", {"format": "pt"})
        says = rf"quantised weights \(.* is {str(dtype).removeprefix('torch.')}\)"
        refuses(f"{method}:{tmp_path / 'low.safetensors'}", sd_context, says)
        torch.save(tensors, tmp_path / "low.bin")
        refuses(f"{method}:{tmp_path / 'low.bin'}", sd_context, says)
        shutil.move(tmp_path / "low.safetensors", file)
        refuses(f"{method}:{file.parent}", sd_context, r"quantised weights \(.* is [IU](8|32)\)")


@pytest.mark.parametrize("form", ["diffusers", "kohya", "PEFT", "network"])
def test_doubles_are_read(form: str, copied: Path, sd_context: Context, tmp_path: Path) -> None:
    from tests.methods import published

    torch.manual_seed(1)
    pipeline = load_pipeline(sd_context)
    if form == "PEFT":
        path = published.peft_folder(pipeline, tmp_path / "a")
        file = path / "adapter_model.safetensors"
    elif form == "kohya":
        path = file = published.kohya(pipeline, tmp_path / "a")
    elif form == "network":
        path, file = copied / "u", copied / UNET
    else:
        path = published.diffusers_lora(pipeline, tmp_path / "a", header=False)
        file = path / "pytorch_lora_weights.safetensors"
    single, double = load_pipeline(sd_context), load_pipeline(sd_context)
    lay_over(single, path)
    save_file({name: value.double() for name, value in load_file(file).items()}, file, {"format": "pt"})
    lay_over(double, path)
    assert double.unet.dtype == torch.float32
    for name, value in single.unet.state_dict().items():
        torch.testing.assert_close(double.unet.state_dict()[name], value, rtol=1e-5, atol=1e-6)


# Names of files.


@pytest.mark.parametrize("name", ["0123abcd", "w.SAFETENSORS", "w.pt"])
@pytest.mark.parametrize("method", ["lora", "unet", "text-encoder", "pipeline", "embedding"])
def test_safetensors_under_another_name_say_so(method: str, name: str, sd_context: Context, tmp_path: Path) -> None:
    save_file({"x": torch.ones(2)}, tmp_path / name)
    line = refuses(f"{method}:{tmp_path / name}", sd_context, r"safetensors, and its name does not end in \.safetensors: rename it, or link to it")
    assert name in line


def test_a_pickle_under_no_name_says_so(edit: dict[str, torch.Tensor], sd_context: Context, tmp_path: Path) -> None:
    torch.save(edit, tmp_path / "0123abcd")
    for method in ("lora", "unet", "text-encoder", "pipeline"):
        refuses(f"{method}:{tmp_path / '0123abcd'}", sd_context, r"its name does not end in .*\.pt.*: rename it, or link to it")


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}])
@pytest.mark.parametrize("method", ["unet", "text-encoder", "pipeline"])
def test_a_pickle_of_other_things_is_not_damaged(method: str, content: Any, sd_context: Context, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    refuses(f"{method}:{tmp_path / 'w.pt'}", sd_context, "expected {name: tensor}")


# Folders of other parts.


def test_another_parts_folder_is_named(copied: Path, sd_context: Context) -> None:
    refuses(f"unet:{copied / 't'}", sd_context, "it is a text encoder: .*--method text-encoder:")
    refuses(f"text-encoder:{copied / 'u'}", sd_context, "it is a UNet2DConditionModel, expected a CLIPTextModel")
    refuses(f"text-encoder:{copied / 'v'}", sd_context, "it is a AutoencoderKL, expected a CLIPTextModel")
    configured(copied / "t", model_type="t5", architectures=["T5EncoderModel"])
    refuses(f"text-encoder:{copied / 't'}", sd_context, "it is a t5 .T5EncoderModel., expected a CLIPTextModel")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"in_channels": 9}, "takes 9 channels .* inpainting"),
        ({"num_class_embeds": 5}, "takes class labels"),
        ({"cross_attention_dim": 48}, "its weights are not those of its config.json"),
        ({"norm_num_groups": 3}, "its config.json describes no network"),
    ],
)
def test_a_configuration_of_another_model_is_not_damage(settings: dict[str, Any], says: str, copied: Path, sd_context: Context) -> None:
    configured(copied / "u", **settings)
    refuses(f"unet:{copied / 'u'}", sd_context, says)


# A configuration beside a file.


def test_the_configuration_beside_a_file_counts(copied: Path, sd_context: Context) -> None:
    for file, method in ((UNET, "unet"), (ENCODER, "text-encoder")):
        loads(f"{method}:{copied / file}", sd_context)
    configured(copied / "u", flip_sin_to_cos=False, sample_size=64, _name_or_path="x", later="y")
    configured(copied / "t", hidden_act="relu", torch_dtype="float16", eos_token_id=2)
    says = "its config.json says {}: give its folder, which is read by it"
    refuses(f"unet:{copied / UNET}", sd_context, says.format("flip_sin_to_cos False, the base True"))
    refuses(f"text-encoder:{copied / ENCODER}", sd_context, says.format("hidden_act 'relu', the base '(quick_)?gelu'"))
    assert not loads(f"unet:{copied / 'u'}", sd_context).unet.config.flip_sin_to_cos
    assert loads(f"text-encoder:{copied / 't'}", sd_context).text_encoder.config.hidden_act == "relu"


def test_a_configuration_of_something_else_beside_a_file_does_not(edit: dict[str, torch.Tensor], sd_context: Context, tmp_path: Path) -> None:
    save_file(edit, tmp_path / "w.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "x", "flip_sin_to_cos": False}))
    loads(f"unet:{tmp_path / 'w.safetensors'}", sd_context)


# Adapters' strengths.


@pytest.mark.parametrize("kind", ["HRAConfig", "MissConfig"])
def test_a_scale_that_pefts_kind_passes_by_is_refused(kind: str, sd_context: Context, tmp_path: Path) -> None:
    import peft

    config = getattr(peft, kind, None)
    if config is None:
        pytest.skip("this release of PEFT has no such kind")
    torch.manual_seed(1)
    model = get_peft_model(load_pipeline(sd_context).unet, config(target_modules=["to_q"], r=4))
    with torch.no_grad():
        for parameter in (each for each in model.parameters() if each.requires_grad):
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    lay_over(load_pipeline(sd_context), tmp_path)
    with pytest.raises(BenchError, match=r"scale=0\.5 cannot act on an adapter of the kind"):
        lay_over(load_pipeline(sd_context), tmp_path, 0.5)


@pytest.mark.parametrize("form", ["bare", "processors", "unet.processors", "lora.down", "lora_A"])
def test_an_alpha_that_no_library_reads_is_refused(form: str, sd_context: Context, tmp_path: Path) -> None:
    down, up = torch.ones(4, 32), torch.ones(64, 4)
    prefix, ends = {
        "bare": (LAYER, (".lora_A.weight", ".lora_B.weight", ".alpha")),
        "processors": (LAYER.replace(".to_v", ".processor"), (".to_v_lora.down.weight", ".to_v_lora.up.weight", ".to_v_lora.alpha")),
        "unet.processors": ("unet." + LAYER.replace(".to_v", ".processor"), (".to_v_lora.down.weight", ".to_v_lora.up.weight", ".to_v_lora.alpha")),
        "lora.down": (LAYER, (".lora.down.weight", ".lora.up.weight", ".lora.alpha")),
        "lora_A": (f"unet.{LAYER}", (".lora_A.weight", ".lora_B.weight", ".alpha")),
    }[form]
    save_file({prefix + end: tensor for end, tensor in zip(ends, (down, up, torch.tensor(1.0)), strict=True)}, tmp_path / "w.safetensors")
    refuses(f"lora:{tmp_path / 'w.safetensors'}", sd_context, r"with alphas, such as '.*alpha', which diffusers reads in kohya's names alone")
