"""Whole models in every form that users have: what is read is what diffusers reads, bit for bit, or the line names the cause."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from bench.errors import BenchError
from bench.registry import find_method
from bench.types import Context, Generated, Sample
from methods.pipeline import load_pipeline, read_pipeline
from methods.sampler import Sampler
from tests.methods.whole import UNET, changed, doubled, pictures, refuses, theirs

# A pipeline's other parts.


def test_a_pipeline_that_differs_nowhere_else_is_its_u_net(copied: Path, few: list[Sample], sd_context: Context) -> None:
    doubled(copied, UNET)
    changed(copied, "scheduler", _class_name="PNDMScheduler", clip_sample_range=2.0)
    assert np.array_equal(pictures(f"unet:{copied}", few, sd_context), pictures(f"pipeline:{copied}", few, sd_context))
    half = StableDiffusionPipeline.from_pretrained(copied, dtype=torch.float16)
    half.save_pretrained(copied.with_name("half"), variant="fp16")
    pictures(f"unet:{copied.with_name('half')}", few, sd_context)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: doubled(folder, "text_encoder/model.safetensors"), "text_encoder"),
        (lambda folder: doubled(folder, "vae/diffusion_pytorch_model.safetensors"), "vae"),
        (lambda folder: changed(folder, "vae", scaling_factor=0.5), "vae"),
        (lambda folder: changed(folder, "scheduler", prediction_type="v_prediction"), "prediction_type v_prediction, the base has epsilon"),
        (lambda folder: changed(folder, "scheduler", rescale_betas_zero_snr=True), "rescale_betas_zero_snr True, the base has False"),
        (lambda folder: changed(folder, "scheduler", beta_end=0.03), "beta_end 0.03"),
        (lambda folder: changed(folder, "scheduler", timestep_spacing="trailing"), "timestep_spacing trailing"),
        (lambda folder: changed_tokenizer(folder), "tokenizer"),
    ],
    ids=["text encoder", "autoencoder", "autoencoder's scale", "v prediction", "zero SNR", "betas", "spacing", "tokenizer"],
)
@pytest.mark.parametrize("inside", ["", "/unet"])
def test_what_else_a_pipeline_changes_is_refused_by_name(
    change: Callable[[Path], None], says: str, inside: str, copied: Path, few: list[Sample], sd_context: Context
) -> None:
    doubled(copied, UNET)
    change(copied)
    line = refuses(f"unet:{copied}{inside}", sd_context, says)
    assert f"--method pipeline:{copied}." in line
    mine = pictures(f"pipeline:{copied}", few, sd_context)
    assert np.array_equal(mine, theirs(StableDiffusionPipeline.from_pretrained(copied), few, sd_context))


def changed_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer" / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    words = [word for word in vocabulary if word.isalpha()][:2] if isinstance(vocabulary, dict) else []
    vocabulary[words[0]], vocabulary[words[1]] = vocabulary[words[1]], vocabulary[words[0]]
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["unet", "text-encoder", "pipeline"])
def test_the_base_itself_is_no_method(name: str, dtype: str, copied: Path, sd_context: Context) -> None:
    for part, kind in (("unet", UNet2DConditionModel), ("text_encoder", CLIPTextModel)):
        kind.from_pretrained(copied / part).to(getattr(torch, dtype)).save_pretrained(copied / part)
    said = refuses(f"{name}:{copied}", sd_context, "its pictures would be the base's" if name == "pipeline" else "the base's own")
    assert name == "pipeline" or dtype == "float32" or f"rounded to {dtype}" in said


def test_other_weights_act_at_every_step(tuned: StableDiffusionPipeline, few: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    tuned.save_pretrained(tmp_path / "tuned")
    adapter, parameters = find_method(f"pipeline:{tmp_path / 'tuned'}")
    method = adapter(**parameters)
    method.load(sd_context)
    assert [each.acted for each in method.generate(few) if isinstance(each, Generated)] == [6] * len(few)


def test_a_text_encoder_of_a_pipeline_with_another_u_net_is_refused(copied: Path, sd_context: Context) -> None:
    doubled(copied, "text_encoder/model.safetensors")
    adapter, parameters = find_method(f"text-encoder:{copied}")
    adapter(**parameters).load(sd_context)
    doubled(copied, UNET)
    assert f"--method pipeline:{copied}." in refuses(f"text-encoder:{copied}", sd_context, "in more than its text_encoder: unet")


def test_a_tracks_own_word_against_the_pipelines_is_refused(copied: Path, few: list[Sample], sd_context: Context) -> None:
    changed(copied, "scheduler", prediction_type="v_prediction")
    doubled(copied, UNET)
    said = {**sd_context.track.scheduler, "prediction_type": "epsilon"}
    against = Context(sd_context.track.model_copy(update={"scheduler": said}))
    refuses(f"pipeline:{copied}", against, "was trained with prediction_type v_prediction; the track samples with epsilon")
    agreed = Context(sd_context.track.model_copy(update={"scheduler": {**said, "prediction_type": "v_prediction"}}))
    assert np.array_equal(pictures(f"pipeline:{copied}", few, agreed), pictures(f"pipeline:{copied}", few, sd_context))


def test_the_manifest_has_the_pipelines_own_scheduler(copied: Path, sd_context: Context) -> None:
    changed(copied, "scheduler", prediction_type="v_prediction")
    adapter, parameters = find_method(f"pipeline:{copied}")
    method = adapter(**parameters)
    assert "scheduler/scheduler_config.json" in method.weights(sd_context)
    assert method.scheduled(sd_context) == (copied, sd_context.track.scheduler)


def test_zero_snr_under_a_class_without_it_is_refused(copied: Path, sd_context: Context) -> None:
    changed(copied, "scheduler", rescale_betas_zero_snr=True)
    context = Context(sd_context.track.model_copy(update={"scheduler": {"class": "PNDMScheduler"}}))
    refuses(f"pipeline:{copied}", context, "PNDMScheduler does not sample a model that was trained with zero terminal SNR")


@pytest.mark.parametrize("name", ["tiny_sdxl", "mini"])
def test_a_pipeline_of_another_base_is_refused(name: str, sd_context: Context, context: Context, request: pytest.FixtureRequest) -> None:
    folder = context.track.base_path() if name == "mini" else request.getfixturevalue(name)
    refuses(f"pipeline:{folder}", sd_context, "it is a StableDiffusionXLPipeline; this track's base is a|is of another model than the track's base")


def test_an_sdxl_pipeline_gives_the_bits_of_diffusers(tiny_sdxl: Path, few: list[Sample], xl_context: Context, tmp_path: Path) -> None:
    shutil.copytree(tiny_sdxl, tmp_path / "xl")
    doubled(tmp_path / "xl", "text_encoder_2/model.safetensors")
    refuses(f"unet:{tmp_path / 'xl'}", xl_context, "text_encoder_2")
    mine = pictures(f"pipeline:{tmp_path / 'xl'}", few, xl_context)
    assert np.array_equal(mine, theirs(StableDiffusionXLPipeline.from_pretrained(tmp_path / "xl", add_watermarker=False), few, xl_context))


# Forms of files.


def saved(pipeline: Any, folder: Path, form: str) -> Path:
    """A whole pipeline's folder in one of the forms of docs/bring-your-weights.md."""
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "fp16": {"variant": "fp16"},
        "bin": {"safe_serialization": False},
        "bin fp16": {"safe_serialization": False, "variant": "fp16"},
        "sharded": {"max_shard_size": "100KB"},
    }
    if form == "both":
        saved(pipeline, folder, "plain")
        return saved(pipeline, folder, "fp16")
    half = "fp16" in form
    pipeline = pipeline.to(torch.float16) if half else pipeline
    pipeline.save_pretrained(folder, **options[form])
    if half:
        pipeline.to(torch.float32)
    return folder


FORMS = ("plain", "fp16", "bin", "bin fp16", "sharded", "both")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_folder_is_read_as_base_network_encoder_and_pipeline(
    form: str, tuned: StableDiffusionPipeline, few: list[Sample], sd_context: Context, tmp_path: Path
) -> None:
    if "fp16" in form:
        tuned = tuned.to(torch.float16).to(torch.float32)  # what such a file can hold
    folder = saved(tuned, tmp_path / "saved", form)
    if form == "both":
        tuned = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    context = Context(sd_context.track.model_copy(update={"base": str(folder)}))
    expected = theirs(tuned, few, sd_context)
    assert np.array_equal(pictures("sd-v1.5", few, context), expected)
    assert np.array_equal(pictures(f"pipeline:{folder}", few, sd_context), expected)
    network, encoder = Sampler(load_pipeline(sd_context)), Sampler(load_pipeline(sd_context))
    network.pipeline.unet, encoder.pipeline.text_encoder = tuned.unet, tuned.text_encoder
    for sampler, name, part in ((network, "unet", "unet"), (encoder, "text-encoder", "text_encoder")):
        shutil.copytree(folder / part, tmp_path / name)
        mine = pictures(f"{name}:{tmp_path / name}", few, sd_context)
        assert np.array_equal(mine, np.stack([each.image for each in sampler.generate(few)]))


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_one_file_of_compvis_is_read_as_diffusers_does(
    suffix: str, tuned: StableDiffusionPipeline, tiny_sd: Path, few: list[Sample], sd_context: Context, tmp_path: Path, compvis: Any
) -> None:
    file = tmp_path / f"whole{suffix}"
    tensors = compvis(tuned)
    save_file(tensors, file) if suffix == ".safetensors" else torch.save({"state_dict": tensors, "global_step": 3}, file)
    judge = StableDiffusionPipeline.from_single_file(str(file), config=str(tiny_sd), local_files_only=True)
    for part in ("unet", "vae", "text_encoder"):
        expected, found = getattr(tuned, part).state_dict(), getattr(judge, part).state_dict()
        assert expected.keys() == found.keys() and all(torch.equal(value, found[name]) for name, value in expected.items()), part
    expected_pictures = theirs(judge, few, sd_context)
    base = Context(sd_context.track.model_copy(update={"base": str(file), "base_config": str(tiny_sd)}))
    assert np.array_equal(pictures("sd-v1.5", few, base), expected_pictures)
    assert {"config/tokenizer/tokenizer.json", file.name} <= set(base.track.base_weights())
    assert np.array_equal(pictures(f"pipeline:{file}", few, sd_context), expected_pictures)
    assert "text_encoder; vae" in refuses(f"unet:{file}", sd_context, "in more than its unet")
    assert "vae; unet" in refuses(f"text-encoder:{file}", sd_context, "in more than its text_encoder")
    alone = Context(sd_context.track.model_copy(update={"base": str(file)}))
    with pytest.raises(BenchError, match=r"is a single file, and .*base_config: FOLDER"):
        load_pipeline(alone)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_u_net_in_the_names_of_compvis_is_converted(
    prefix: str, few: list[Sample], sd_context: Context, xl_context: Context, tmp_path: Path, compvis: Any
) -> None:
    for context, tiny in ((sd_context, StableDiffusionPipeline), (xl_context, StableDiffusionXLPipeline)):
        pipeline = tiny.from_pretrained(context.track.base_path())
        with torch.no_grad():
            for parameter in pipeline.unet.parameters():
                parameter.mul_(1.1)
        start = "model.diffusion_model."
        own = {name: value for name, value in compvis(pipeline).items() if name.startswith(start)}
        save_file({f"{prefix}{name.removeprefix(start)}": value for name, value in own.items()}, tmp_path / "u.safetensors")
        assert np.array_equal(pictures(f"unet:{tmp_path / 'u.safetensors'}", few, context), theirs(pipeline, few, context))
        judge = UNet2DConditionModel.from_single_file(own, config=str(context.track.base_path()), subfolder="unet", local_files_only=True)
        assert all(torch.equal(value, judge.state_dict()[name]) for name, value in pipeline.unet.state_dict().items())
        del own[f"{start}input_blocks.1.0.in_layers.0.weight"]
        save_file(own, tmp_path / "lacks.safetensors")
        refuses(f"unet:{tmp_path / 'lacks.safetensors'}", context, "lacks? .*(in_layers|norm1)")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "unet.", "model.", "module._orig_mod.unet.", "unet.module.", "model.diffusion_model."])
@pytest.mark.parametrize("some", [True, False])
def test_prefixes_of_a_u_net_are_taken_off(prefix: str, some: bool, few: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(sd_context)
    with torch.no_grad():
        for name, parameter in pipeline.unet.named_parameters():
            if not some or "attn2" in name:
                parameter.mul_(1.1)
    state = {name: value for name, value in pipeline.unet.state_dict().items() if not some or "attn2" in name}
    save_file({f"{prefix}{name}": value for name, value in state.items()}, tmp_path / "u.safetensors")
    expected = np.stack([each.image for each in Sampler(pipeline).generate(few)])
    assert np.array_equal(pictures(f"unet:{tmp_path / 'u.safetensors'}", few, sd_context), expected)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "text_model.", "text_encoder.text_model.", "cond_stage_model.transformer.text_model.", "_orig_mod."]
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_text_encoder_in_one_file_is_taken_whole(
    prefix: str, suffix: str, few: list[Sample], sd_context: Context, tuned: StableDiffusionPipeline, tmp_path: Path
) -> None:
    names = {name: name.removeprefix("text_model.") for name in tuned.text_encoder.state_dict()}
    state = {f"{prefix}{names[name]}": value for name, value in tuned.text_encoder.state_dict().items()}
    file = tmp_path / f"te{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    base = load_pipeline(sd_context)
    base.text_encoder = tuned.text_encoder
    expected = np.stack([each.image for each in Sampler(base).generate(few)])
    assert np.array_equal(pictures(f"text-encoder:{file}", few, sd_context), expected)
    state.pop(next(name for name in state if name.endswith("layers.1.layer_norm1.bias")))
    torch.save(state, tmp_path / "lacks.pt")
    refuses(f"text-encoder:{tmp_path / 'lacks.pt'}", sd_context, "lacks? .*layer_norm1.bias")


def test_float8_is_the_same_number_in_the_bases_dtype(few: list[Sample], sd_context: Context, copied: Path, tmp_path: Path) -> None:
    low = {name: value.to(torch.float8_e4m3fn) for name, value in load_file(copied / UNET).items()}
    save_file(low, tmp_path / "low.safetensors")
    save_file(low, copied / UNET, metadata={"format": "pt"})
    judge = StableDiffusionPipeline.from_pretrained(copied, dtype=torch.float32)
    expected = theirs(judge, few, sd_context)
    assert np.array_equal(pictures(f"unet:{tmp_path / 'low.safetensors'}", few, sd_context), expected)
    assert np.array_equal(pictures(f"unet:{copied / 'unet'}", few, sd_context), expected)
    encoder = copied / "text_encoder/model.safetensors"
    save_file({name: value.to(torch.float8_e5m2) for name, value in load_file(encoder).items()}, encoder, metadata={"format": "pt"})
    judge.text_encoder = CLIPTextModel.from_pretrained(copied / "text_encoder", dtype=torch.float32)
    assert np.array_equal(pictures(f"pipeline:{copied}", few, sd_context), theirs(judge, few, sd_context))


# Networks that want something else, and messages.


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"in_channels": 9}, "takes 9 channels where latents have 4: it is an inpainting U-Net"),
        ({"in_channels": 8}, "takes 8 channels .* edits pictures"),
        ({"out_channels": 8}, "gives 8 channels"),
        ({"class_embed_type": "timestep"}, "takes class labels .*'timestep'"),
        ({"num_class_embeds": 5}, "takes class labels"),
        ({"addition_embed_type": "text", "addition_embed_type_num_heads": 4}, "its addition_embed_type is 'text', expected none"),
        ({"encoder_hid_dim_type": "text_proj", "encoder_hid_dim": 32}, "takes more than text"),
    ],
)
@pytest.mark.parametrize("how", ["unet", "pipeline", "base"])
def test_a_network_that_is_not_driven_right_is_refused(settings: dict[str, Any], says: str, how: str, copied: Path, sd_context: Context) -> None:
    config = UNet2DConditionModel.load_config(copied / "unet")
    UNet2DConditionModel.from_config({**config, **settings}).save_pretrained(copied / "unet")
    if how == "base":
        with pytest.raises(BenchError, match=says):
            load_pipeline(Context(sd_context.track.model_copy(update={"base": str(copied)})))
    else:
        refuses(f"{how}:{copied}", sd_context, says)


@pytest.mark.parametrize("guidance", [1.0, 4.0, 8.5])
@pytest.mark.parametrize("how", ["base", "unet", "pipeline"])
def test_a_guidance_distilled_network_is_told_its_scale(how: str, guidance: float, few: list[Sample], tiny_lcm: Path, sd_context: Context) -> None:
    samples = [replace(sample, steps=4, guidance=guidance) for sample in few]
    context = Context(sd_context.track.model_copy(update={"scheduler": {"class": "LCMScheduler"}}))
    if how == "base":
        mine = pictures("sd-v1.5", samples, Context(context.track.model_copy(update={"base": str(tiny_lcm)})))
    else:
        mine = pictures(f"{how}:{tiny_lcm}", samples, context)
    parts = diffusers.LatentConsistencyModelPipeline.from_pretrained(tiny_lcm)
    assert np.array_equal(mine, theirs(parts, samples, context))
    assert np.array_equal(mine, theirs(StableDiffusionPipeline(**parts.components, requires_safety_checker=False), samples, context))


def test_a_method_that_steers_refuses_a_distilled_network(few: list[Sample], tiny_lcm: Path, sd_context: Context) -> None:
    adapter, _ = find_method("sld-max")
    method = adapter(warmup=1)
    method.load(Context(sd_context.track.model_copy(update={"base": str(tiny_lcm)})))
    with pytest.raises(BenchError, match="has its guidance distilled into it"):
        method.generate(few)


@pytest.mark.parametrize(
    ("scheduler", "steps", "guidance"), [("LCMScheduler", 4, 1.0), ("LCMScheduler", 2, 1.5), ("EulerAncestralDiscreteScheduler", 1, 0.0)]
)
def test_few_steps_are_those_of_diffusers(
    scheduler: str, steps: int, guidance: float, few: list[Sample], sd_context: Context, xl_context: Context
) -> None:
    samples = [replace(sample, steps=steps, guidance=guidance) for sample in few]
    for tiny, pipeline in ((sd_context, StableDiffusionPipeline), (xl_context, StableDiffusionXLPipeline)):
        context = Context(tiny.track.model_copy(update={"scheduler": {"class": scheduler, "timestep_spacing": "trailing"}}))
        mine = pictures("sd-v1.5", samples, context)
        assert np.array_equal(mine, theirs(pipeline.from_pretrained(tiny.track.base_path()), samples, context))


@pytest.mark.parametrize("name", ["file", "header"])
def test_marks_of_v_prediction_are_never_passed_by(
    name: str, tuned: StableDiffusionPipeline, tiny_sd: Path, few: list[Sample], sd_context: Context, tmp_path: Path, compvis: Any
) -> None:
    extra = {"v_pred": torch.zeros(1)} if name == "file" else {}
    header = {"modelspec.prediction_type": "v"} if name == "header" else {}
    file = tmp_path / "v.safetensors"
    save_file({**compvis(tuned), **extra}, file, metadata=header)
    refuses(f"unet:{file}", sd_context, "prediction_type v_prediction, the base has epsilon")
    with pytest.raises(BenchError, match="was trained with prediction_type v_prediction; the track samples with epsilon"):
        load_pipeline(Context(sd_context.track.model_copy(update={"base": str(file), "base_config": str(tiny_sd)})))
    judge = StableDiffusionPipeline.from_single_file(str(file), config=str(tiny_sd), local_files_only=True)
    expected = theirs(judge, few, sd_context, {**sd_context.track.scheduler, "prediction_type": "v_prediction"})
    assert np.array_equal(pictures(f"pipeline:{file}", few, sd_context), expected)
    save_file(tuned.unet.state_dict(), file, metadata={"modelspec.prediction_type": "v"})
    refuses(f"unet:{file}", sd_context, "was trained with prediction_type v_prediction; the track samples with epsilon")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["double_blocks.0.img_mod.lin.weight", "single_blocks.0.linear1.weight"], "these are FLUX tensors; this track's base is Stable Diffusion"),
        (["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"], "these are SD3 tensors; this track's base is Stable Diff"),
        (["transformer_blocks.0.norm1_context.linear.weight"], "these are SD3 tensors"),
        (["text_model.embeddings.token_embedding.weight"], "it is a text encoder: .* `--method text-encoder:FOLDER`"),
        (["emb_params"], "it is a textual inversion, .* `--method embedding:FILE`"),
        (["cond_stage_model.transformer.x.weight"], "it holds no U-Net"),
        (["conv_in.weight", "conv_in.weight.absmax"], r"quantised weights \(bitsandbytes, 4 bits\).*convert them to safetensors in float16"),
        (["scaled_fp8", "conv_in.weight"], r"quantised weights \(scaled float8\)"),
    ],
)
def test_tensors_of_another_architecture_or_form_are_named(names: list[str], says: str, sd_context: Context, tmp_path: Path) -> None:
    save_file({name: torch.ones(2, 2) for name in names}, tmp_path / "w.safetensors")
    line = refuses(f"unet:{tmp_path / 'w.safetensors'}", sd_context, says)
    assert "make env" not in line and "damaged" not in line


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "w.safetensors", "git-lfs pointer, not weights: run `git lfs pull`"),
        (b"GGUF\x03\x00", "w.gguf", r"quantised weights \(GGUF\): convert them"),
        (b"<!DOCTYPE html>", "w.ckpt", "it is a web page"),
    ],
)
def test_a_file_that_is_whole_and_no_weights_is_named(
    content: bytes, name: str, says: str, copied: Path, sd_context: Context, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    for method in ("unet", "text-encoder", "pipeline"):
        line = refuses(f"{method}:{tmp_path / name}", sd_context, says)
        assert "damaged" not in line
    if name.endswith(".safetensors"):
        (copied / UNET).write_bytes(content)
        for method in ("unet", "pipeline"):
            refuses(f"{method}:{copied}", sd_context, says)


def test_a_quantised_folder_is_named(copied: Path, sd_context: Context) -> None:
    changed(copied, "unet", quantization_config={"quant_method": "bitsandbytes"})
    refuses(f"unet:{copied}", sd_context, r"quantised weights \(bitsandbytes\)")


def test_another_class_or_width_is_named(copied: Path, sd_context: Context, tiny_sdxl: Path) -> None:
    refuses(f"unet:{tiny_sdxl}", sd_context, "it is a StableDiffusionXLPipeline; this track's base is a StableDiffusionPipeline")
    shutil.copytree(tiny_sdxl / "unet", copied.with_name("alone"))
    refuses(f"unet:{copied.with_name('alone')}", sd_context, "addition_embed_type is 'text_time'")
    save_file({"mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight": torch.ones(64, 1024)}, copied.with_name("w.safetensors"))
    refuses(f"unet:{copied.with_name('w.safetensors')}", sd_context, r"they take text 1024 \(Stable Diffusion 2.x\) wide, the base 32")
    changed(copied, "unet", _class_name="FluxTransformer2DModel")
    refuses(f"unet:{copied}", sd_context, "it is a FluxTransformer2DModel, expected a UNet2DConditionModel")
    shutil.move(copied / "unet", copied / "transformer")
    refuses(f"unet:{copied}", sd_context, "is a pipeline around a FluxTransformer2DModel")
    changed_index = json.loads((copied / "model_index.json").read_text())
    (copied / "model_index.json").write_text(json.dumps({**changed_index, "_class_name": "FluxPipeline"}))
    refuses(f"pipeline:{copied}", sd_context, "it is a FluxPipeline; this track's base is a StableDiffusionPipeline")


def test_surplus_tensors_are_not_dropped(copied: Path, sd_context: Context) -> None:
    save_file({**load_file(copied / UNET), "extra.weight": torch.ones(1)}, copied / UNET, metadata={"format": "pt"})
    refuses(f"unet:{copied / 'unet'}", sd_context, "1 tensors that its config.json has no place for, first extra.weight")


def test_only_the_embedded_base_is_mended_by_installing(context: Context, copied: Path, sd_context: Context) -> None:
    (copied / UNET).write_bytes((copied / UNET).read_bytes()[:900])
    line = refuses(f"unet:{copied / 'unet'}", sd_context, "damaged or incomplete: fetch it again")
    assert "make env" not in line
    from methods.parts import damaged

    assert str(damaged("x", context.track.base_path() / "unet", "why")).endswith("damaged or incomplete: install the project again: `make env`.")


def test_a_file_without_a_part_says_which(tuned: StableDiffusionPipeline, tiny_sd: Path, sd_context: Context, tmp_path: Path, compvis: Any) -> None:
    file = tmp_path / "novae.safetensors"
    save_file({name: value for name, value in compvis(tuned).items() if not name.startswith("first_stage_model.")}, file)
    refuses(f"pipeline:{file}", sd_context, "it holds no vae")
    with pytest.raises(BenchError, match="which holds no configuration"):
        read_pipeline(file, torch.float32)
