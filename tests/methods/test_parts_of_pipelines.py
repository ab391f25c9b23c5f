"""A part of a pipeline, and all around it that decides pictures: schedulers, settings, indexes; and Stable Diffusion XL in one file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from bench.types import Context, Sample
from methods.pipeline import read_pipeline
from tests.methods.whole import UNET, changed, doubled, pictures, refuses, theirs

# Schedulers of another noise.

EDM = {"_class_name": "EDMEulerScheduler", "sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5, "prediction_type": "epsilon"}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "num_train_timesteps": 1000}


def scheduled_as(folder: Path, config: dict[str, Any]) -> None:
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "scheduler": ["diffusers", config["_class_name"]]}))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (EDM, r"trained with the noise of EDM \(sigma_data\) \(its scheduler is EDMEulerScheduler\); the track samples with DDIMScheduler"),
        ({**EDM, "_class_name": "EDMDPMSolverMultistepScheduler"}, "the noise of EDM"),
        (FLOW, "trained with flow matching"),
        ({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True, "prediction_type": "flow_prediction"}, "trained with flow matching"),
        ({"_class_name": "VQDiffusionScheduler"}, "trained with the noise of VQDiffusionScheduler"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "trained with the noise of ScoreSdeVeScheduler"),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous", "prediction_type": "v_prediction"}, "continuous noise levels"),
        ({"_class_name": "MyScheduler"}, "noise levels that its configuration does not say"),
        ({"_class_name": "LCMScheduler"}, "does not say its beta_start: LCMScheduler takes 0.00085 where nothing is said, DDIMScheduler 0.0001"),
    ],
    ids=lambda value: value["_class_name"] if isinstance(value, dict) else "",
)
def test_noise_that_the_tracks_class_does_not_sample_is_refused(config: dict[str, Any], says: str, copied: Path, sd_context: Context) -> None:
    scheduled_as(copied, config)
    doubled(copied, UNET)
    if config["_class_name"] == "MyScheduler":
        scheduled_as(copied, {"_class_name": "DDIMScheduler"})
        changed(copied, "scheduler", _class_name="MyScheduler")
    for name in (f"unet:{copied}", f"unet:{copied / 'unet'}", f"pipeline:{copied}"):
        refuses(name, sd_context, says)
    if config["_class_name"] not in ("MyScheduler", "VQDiffusionScheduler"):
        refuses("sd-v1.5", Context(sd_context.track.model_copy(update={"base": str(copied)})), says)


def test_a_pipeline_of_edm_runs_on_a_track_of_its_class(copied: Path, few: list[Sample], sd_context: Context) -> None:
    scheduled_as(copied, EDM)
    track = sd_context.track.model_copy(update={"base": str(copied), "scheduler": {"class": "EDMEulerScheduler"}})
    mine = pictures("sd-v1.5", few, Context(track))
    assert np.array_equal(mine, theirs(StableDiffusionPipeline.from_pretrained(copied), few, Context(track)))


# The same network named another way, and what else decides pictures.


def test_a_part_of_a_pipeline_is_compared_however_it_is_named(
    copied: Path, sd_context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled(copied, UNET)
    doubled(copied, "text_encoder/model.safetensors")
    changed(copied, "scheduler", prediction_type="v_prediction")
    (tmp_path / "folder").symlink_to(copied / "unet")
    (tmp_path / "file.safetensors").symlink_to(copied / UNET)
    shutil.copytree(copied / "unet", copied / "checkpoint-500" / "unet")
    shutil.copytree(copied / "unet", copied / "unet_ema")
    monkeypatch.chdir(copied / "unet")
    named = ["./", ".", "../unet", copied / UNET, tmp_path / "folder", tmp_path / "file.safetensors"]
    for name in [*named, copied / "checkpoint-500", copied / "checkpoint-500" / "unet", copied / "unet_ema"]:
        refuses(f"unet:{name}", sd_context, r"prediction_type v_prediction, the base has epsilon\); text_encoder\. .*--method pipeline:\S*/copy\.$")
    refuses(f"text-encoder:{copied / 'text_encoder/model.safetensors'}", sd_context, "prediction_type v_prediction, .*; unet")


def test_a_part_of_the_hub_is_compared_with_its_pipelines_own_schedule(
    copied: Path, sd_context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the hub's client lays it out: files are links to blobs of other names."""
    doubled(copied, UNET)
    changed(copied, "scheduler", prediction_type="v_prediction")
    snapshot, blobs = tmp_path / "hub" / "models--o--v" / "snapshots" / ("a" * 40), tmp_path / "hub" / "models--o--v" / "blobs"
    blobs.mkdir(parents=True)
    for number, name in enumerate(["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", UNET]):
        shutil.copy(copied / name, blobs / str(number))
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blobs / str(number))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("unet", UNET):
        refuses(f"unet:o/v@{'a' * 40}/{name}", sd_context, "prediction_type v_prediction, the base has epsilon")


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("unet", {"flip_sin_to_cos": False}),
        ("unet", {"freq_shift": 1}),
        ("unet", {"act_fn": "gelu"}),
        ("unet", {"attention_head_dim": 8}),
        ("unet", {"norm_eps": 1e-2}),
        ("unet", {"center_input_sample": True}),
        ("text_encoder", {"use_attention_mask": True}),
        ("text_encoder", {"layer_norm_eps": 1e-1}),
        ("text_encoder", {"num_attention_heads": 2}),
        ("vae", {"norm_num_groups": 4}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_the_bases_tensors_under_other_settings_are_another_model(
    part: str, settings: dict[str, Any], copied: Path, few: list[Sample], sd_context: Context
) -> None:
    changed(copied, part, **settings)
    expected = theirs(StableDiffusionPipeline.from_pretrained(copied), few, sd_context)
    assert not np.array_equal(expected, pictures("sd-v1.5", few, sd_context))
    assert np.array_equal(pictures(f"pipeline:{copied}", few, sd_context), expected)
    method = {"unet": "unet", "text_encoder": "text-encoder"}
    if part in method:
        assert np.array_equal(pictures(f"{method[part]}:{copied}", few, sd_context), expected)
    other = "text-encoder" if part == "unet" else "unet"
    name, value = next(iter(settings.items()))
    assert f"{name} {value}, the base has" in refuses(f"{other}:{copied}", sd_context, "in more than its")


def test_settings_that_change_no_picture_are_no_difference(copied: Path, few: list[Sample], sd_context: Context) -> None:
    changed(copied, "unet", sample_size=64, dropout=0.1, attention_head_dim=[4, 4], upcast_attention=True, _name_or_path="elsewhere")
    changed(copied, "text_encoder", attention_dropout=0.1, architectures=["CLIPModel"], eos_token_id=2)
    for name in ("unet", "text-encoder"):
        refuses(f"{name}:{copied}", sd_context, "the base's own")
    refuses(f"pipeline:{copied}", sd_context, "is the track's base itself")
    refuses(f"text-encoder:{copied}", replace(sd_context, dtype="float16"), r"unet \(upcast_attention True, the base has False\)")


def test_what_an_sdxl_index_says_is_compared(tiny_sdxl: Path, few: list[Sample], xl_context: Context, tmp_path: Path) -> None:
    folder = tmp_path / "xl"
    shutil.copytree(tiny_sdxl, folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "force_zeros_for_empty_prompt": False}))
    expected = theirs(StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False), few, xl_context)
    assert np.array_equal(pictures(f"pipeline:{folder}", few, xl_context), expected)
    doubled(folder, UNET)
    refuses(f"unet:{folder}", xl_context, "force_zeros_for_empty_prompt False, the base has True")
    (folder / "model_index.json").write_text(json.dumps(index))
    changed(folder, "text_encoder_2", eos_token_id=5)
    refuses(f"unet:{folder}", xl_context, r"text_encoder_2 \(eos_token_id 5, the base has \d+\)")
    expected = theirs(StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False), few, xl_context)
    assert np.array_equal(pictures(f"pipeline:{folder}", few, xl_context), expected)


@pytest.mark.parametrize("inside", ["", "/model.safetensors"])
def test_a_second_text_encoder_does_not_take_the_firsts_place(inside: str, tiny_sdxl: Path, xl_context: Context, tmp_path: Path) -> None:
    shutil.copytree(tiny_sdxl, tmp_path / "xl")
    (tmp_path / "link").symlink_to(tmp_path / "xl" / "text_encoder_2")
    for folder in (tmp_path / "xl" / "text_encoder_2", tmp_path / "link"):
        refuses(f"text-encoder:{folder}{inside}", xl_context, r"it is a pipeline's text_encoder_2, .*the first.*--method pipeline:\S*/xl\.$")


# Indexes.


@pytest.mark.parametrize("how", ["pipeline", "base"])
@pytest.mark.parametrize("value", [[None, None], None, "x"], ids=["off", "absent", "no pair"])
@pytest.mark.parametrize("part", ["text_encoder", "tokenizer", "vae", "unet", "scheduler"])
def test_an_index_without_a_part_is_refused_though_the_part_lies_there(part: str, value: Any, how: str, copied: Path, sd_context: Context) -> None:
    doubled(copied, UNET)
    index = json.loads((copied / "model_index.json").read_text())
    index[part] = value
    (copied / "model_index.json").write_text(json.dumps({name: each for name, each in index.items() if each is not None}))
    says = rf"its model_index.json names no {part}, without which a StableDiffusionPipeline makes no picture: write its library and class into it"
    if how == "base":
        refuses("sd-v1.5", Context(sd_context.track.model_copy(update={"base": str(copied)})), says)
    else:
        refuses(f"pipeline:{copied}", sd_context, says)


@pytest.mark.parametrize("part", ["unet", "scheduler"])
def test_a_part_of_its_authors_own_code_is_refused(part: str, copied: Path, sd_context: Context) -> None:
    index = json.loads((copied / "model_index.json").read_text())
    (copied / "model_index.json").write_text(json.dumps({**index, part: ["my_code", "Mine"]}))
    line = refuses(f"pipeline:{copied}", sd_context, f"its {part} is a Mine of my_code, and code that comes with weights is never run: expected")
    assert "damaged" not in line


def test_a_class_that_is_a_list_is_refused(copied: Path, sd_context: Context, tuned: Any, compvis: Any, tmp_path: Path) -> None:
    index = json.loads((copied / "model_index.json").read_text())
    (copied / "model_index.json").write_text(json.dumps({**index, "_class_name": ["pipeline", "MyPipeline"]}))
    says = r"it is a \['pipeline', 'MyPipeline'\]; expected one of: StableDiffusionPipeline"
    own = Context(sd_context.track.model_copy(update={"base": str(copied)}))
    refuses("sd-v1.5", own, says)
    refuses(f"unet:{sd_context.track.base}", own, says)
    save_file(compvis(tuned), tmp_path / "whole.safetensors")
    of_file = Context(sd_context.track.model_copy(update={"base": str(tmp_path / "whole.safetensors"), "base_config": str(copied)}))
    refuses("sd-v1.5", of_file, r"they are of a \['pipeline', 'MyPipeline'\]; expected one of")
    refuses(f"pipeline:{copied}", sd_context, r"it is a \['pipeline', 'MyPipeline'\]; this track's base is a StableDiffusionPipeline")


@pytest.mark.parametrize("how", ["unet", "pipeline", "base"])
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"in_channels": 9}, "takes 9 channels where latents have 4: it is an inpainting U-Net"),
        ({"num_class_embeds": 5}, "takes class labels"),
        ({"block_out_channels": [64, 64]}, "its weights are not those of its config.json .*expected shape.* give the config.json that was saved"),
    ],
)
def test_a_configuration_that_is_not_its_tensors_is_not_called_damage(
    settings: dict[str, Any], says: str, how: str, copied: Path, sd_context: Context
) -> None:
    changed(copied, "unet", **settings)
    if how == "pipeline" and "block_out_channels" in settings:
        says = "is of another model than the track's base: its unet has block_out_channels"
    where = Context(sd_context.track.model_copy(update={"base": str(copied)})) if how == "base" else sd_context
    line = refuses("sd-v1.5" if how == "base" else f"{how}:{copied}", where, says)
    assert "damaged" not in line


# Stable Diffusion XL in one file.


@pytest.fixture
def two_widths(tiny_sdxl: Path, tmp_path: Path) -> StableDiffusionXLPipeline:
    """A tiny SDXL whose second text encoder is wider, as the real one's, its projection no square; by the first's width the library tells them."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl, add_watermarker=False)
    torch.manual_seed(12)
    wider = {**pipeline.text_encoder_2.config.to_dict(), "hidden_size": 48, "intermediate_size": 96, "projection_dim": 40}
    pipeline.text_encoder_2 = CLIPTextModelWithProjection(CLIPTextConfig(**wider))
    network = {**pipeline.unet.config, "cross_attention_dim": 32 + 48, "projection_class_embeddings_input_dim": 40 + 6 * 8}
    pipeline.unet = UNet2DConditionModel.from_config(network)
    pipeline.save_pretrained(tmp_path / "two-widths")
    return pipeline


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_an_sdxl_in_one_file_is_read_as_diffusers_does(
    suffix: str, two_widths: Any, few: list[Sample], xl_context: Context, tmp_path: Path, compvis: Any
) -> None:
    tuned_xl, folder = two_widths, tmp_path / "two-widths"
    context = Context(xl_context.track.model_copy(update={"base": str(folder)}))
    with torch.no_grad():
        for model in (tuned_xl.unet, tuned_xl.text_encoder, tuned_xl.text_encoder_2, tuned_xl.vae):
            for parameter in model.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
    file = tmp_path / f"xl{suffix}"
    tensors = compvis(tuned_xl)
    save_file(tensors, file) if suffix == ".safetensors" else torch.save({"state_dict": tensors}, file)
    judge = StableDiffusionXLPipeline.from_single_file(str(file), config=str(folder), local_files_only=True, add_watermarker=False)
    for each in (judge, read_pipeline(file, torch.float32, folder)):
        for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
            expected, found = getattr(tuned_xl, part).state_dict(), getattr(each, part).state_dict()
            assert expected.keys() == found.keys() and all(torch.equal(value, found[name]) for name, value in expected.items()), part
    expected_pictures = theirs(judge, few, context)
    base = Context(context.track.model_copy(update={"base": str(file), "base_config": str(folder)}))
    assert np.array_equal(pictures("sd-v1.5", few, base), expected_pictures)
    assert np.array_equal(pictures(f"pipeline:{file}", few, context), expected_pictures)
    assert "text_encoder; text_encoder_2; vae" in refuses(f"unet:{file}", context, "in more than its unet")
    assert "text_encoder_2; vae; unet" in refuses(f"text-encoder:{file}", context, "in more than its text_encoder")


def test_an_sdxl_in_one_file_without_a_tensor_or_a_text_encoder_says_so(two_widths: Any, xl_context: Context, tmp_path: Path, compvis: Any) -> None:
    context = Context(xl_context.track.model_copy(update={"base": str(tmp_path / "two-widths")}))
    tensors, file = compvis(two_widths), tmp_path / "lacks.safetensors"
    lost = "conditioner.embedders.1.model.transformer.resblocks.1.ln_2.bias"
    save_file({name: value for name, value in tensors.items() if name != lost}, file)
    refuses(f"pipeline:{file}", context, r"its weights lack \S*layers\.1\.layer_norm2\.bias")
    save_file({name: value for name, value in tensors.items() if "embedders.1" not in name}, file)
    refuses(f"pipeline:{file}", context, "it holds no text_encoder_2")
