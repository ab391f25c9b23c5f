"""What is never laid over a base, and the words that say why: another base, a gate, a pointer, a setting that stands where nobody looks."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from bench.errors import BenchError, NotAvailable
from bench.runs.spec import RunSpec
from bench.types import Context
from methods.adapters.watch import Warned, strict
from methods.finding import find
from methods.generic import LoRA
from methods.overlay import lay_over, save_partial
from methods.pipeline import load_pipeline
from methods.rece import RECE
from methods.uce import UCE

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v"
TEXT = "text_model_encoder_layers_0_self_attn_q_proj"
FLAT = "lora_unet_" + LAYER.replace(".", "_")

Tensors = dict[str, torch.Tensor]
one = torch.ones(1)


def pair(out: int = 64, width: int = 32, flat: str = FLAT) -> Tensors:
    return {f"{flat}.lora_up.weight": torch.ones(out, 2), f"{flat}.lora_down.weight": torch.ones(2, width), f"{flat}.alpha": torch.tensor(2.0)}


def diffusers(layer: str = LAYER, out: int = 64, width: int = 32, part: str = "unet") -> Tensors:
    return {f"{part}.{layer}.lora_A.weight": torch.ones(2, width), f"{part}.{layer}.lora_B.weight": torch.ones(out, 2)}


def refused(context: Context, path: Path, says: str, scale: float = 1.0) -> None:
    """One line that says the cause; the base is what it was."""
    pipeline = load_pipeline(context)
    parts = (pipeline.unet, pipeline.text_encoder)
    before = [{name: value.clone() for name, value in part.state_dict().items()} for part in parts]
    with pytest.raises(BenchError, match=says) as caught:
        lay_over(pipeline, path, scale)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value) and "make env" not in str(caught.value)
    for part, held in zip(parts, before, strict=True):
        after = part.state_dict()
        assert after.keys() == held.keys() and all(torch.equal(value, held[name]) for name, value in after.items())


def _linear() -> Tensors:
    return {f"unet.{LAYER}.lora_linear_layer.down.weight": torch.ones(2, 32), f"unet.{LAYER}.lora_linear_layer.up.weight": torch.ones(64, 2)}


def _loha() -> Tensors:
    return {f"{FLAT}.hada_w{n}_{side}": torch.ones(64, 2) if side == "a" else torch.ones(2, 32) for n in (1, 2) for side in "ab"}


def _lokr() -> Tensors:
    sizes = {"w1_a": (4, 2), "w1_b": (2, 4), "w2_a": (16, 2), "w2_b": (2, 8)}
    return {f"{FLAT}.lokr_{end}": torch.ones(*size) for end, size in sizes.items()} | {f"{FLAT}.alpha": one}


NAMED: list[tuple[str, Tensors, dict[str, str], str]] = [
    ("SPM", pair(), {"prompts": "x", "rank": "2"}, r"an adapter with a gate \(SPM\).*bench new-method"),
    ("GLoCE", {f"{FLAT}.lora_update.weight": one, f"{FLAT}.lora_degen.weight": one}, {}, r"an adapter with a gate \(GLoCE\)"),
    ("FLUX", {"double_blocks.0.img_attn.qkv.lora_A.weight": one}, {}, "these are FLUX tensors; this track's base is Stable Diffusion"),
    ("FLUX of diffusers", diffusers("single_transformer_blocks.0.attn.to_q", part="transformer"), {}, "these are FLUX tensors"),
    ("FLUX of kohya", pair(flat="lora_unet_double_blocks_0_img_attn_proj"), {}, "these are FLUX tensors"),
    ("SD3", diffusers("transformer_blocks.0.attn.add_q_proj", part="transformer"), {}, "these are SD3 tensors"),
    ("SD3 of kohya", pair(flat="lora_unet_joint_blocks_0_context_block_attn_proj"), {}, "these are SD3 tensors"),
    ("a transformer", diffusers("blocks.0.attn.to_q", part="transformer"), {}, r"these are a transformer's \(SD3, FLUX or their kin\) tensors"),
    ("PEFT alone", {f"base_model.model.{LAYER}.lora_A.weight": one}, {}, "a PEFT file without its adapter_config.json: its alpha is unknown"),
    (
        "SDXL",
        diffusers(width=2048),
        {},
        "a LoRA made for Stable Diffusion XL; this track's base is Stable Diffusion. .* reads 2048 channels",
    ),
    ("SD 2", pair(width=1024), {}, "made for Stable Diffusion 2.x"),
    ("its header says", pair(width=1024), {"ss_base_model_version": "sd_v2"}, r"made for sd_v2 \(its header says\)"),
    ("blocks", diffusers(LAYER.replace("mid_block", "down_blocks.7")), {}, r"2 of its 2 tensors fit nowhere: unet\.down_blocks\.7\..* is no layer"),
    ("blocks of kohya", pair(flat=FLAT.replace("mid_block", "down_blocks_7")), {}, "fit nowhere"),
    ("one block too many", diffusers() | diffusers(LAYER.replace("0.attn2", "9.attn2")), {}, "2 of its 4 tensors fit nowhere"),
    ("two text encoders", diffusers() | diffusers("encoder.layers.0.self_attn.q_proj", 32, part="text_encoder_2"), {}, "a part for 'text_encoder_2'"),
    ("text of kohya", pair() | pair(32, flat="lora_te2_text_model_encoder_layers_0_self_attn_q_proj"), {}, "text_encoder_2"),
    ("sgm", pair(width=2048, flat="lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"), {}, "made for Stable Diffusion XL"),
    ("v", pair(), {"ss_v_parameterization": "True"}, "trained for v_prediction .* this track samples epsilon. Use a track with"),
    ("modelspec v", pair(), {"modelspec.prediction_type": "v"}, "trained for v_prediction"),
    (
        "metadata",
        diffusers(),
        {"lora_adapter_metadata": json.dumps({"unet.r": 3, "unet.target_modules": [LAYER], "unet.nothing": 4})},
        "could not be instantiated",
    ),
    ("metadata no JSON", diffusers(), {"lora_adapter_metadata": "{"}, "lora_adapter_metadata is no JSON: its strength is unknown"),
    (
        "a pattern of nothing",
        diffusers(),
        {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.target_modules": [LAYER], "unet.alpha_pattern": {"nowhere": 4}})},
        "alpha_pattern",
    ),
    ("no change", diffusers() | {f"unet.{LAYER}.lora_B.weight": torch.zeros(64, 2)}, {}, "it changes no weight of the base model"),
    ("foreign keys", pair() | {"note": one}, {}, "an adapter in kohya's names with 1 other tensors in it, such as 'note'"),
    ("half a pair", {f"unet.{LAYER}.lora_A.weight": torch.ones(2, 32)}, {}, "has lora_A.weight and no lora_B.weight"),
    ("Custom Diffusion", {f"{LAYER}.processor.to_v_custom_diffusion.weight": one}, {}, "Custom Diffusion's attention processors"),
    ("textual inversion", {"<vorn>": torch.ones(2, 32)}, {}, "a textual inversion"),
    ("textual inversion of A1111", {"emb_params": torch.ones(2, 32)}, {}, "--method embedding:FILE"),
    ("CompVis", {"model.diffusion_model.input_blocks.0.0.weight": one}, {}, "its first tensor has shape .*, no convolution's"),
    ("text encoder", {"text_model.encoder.layers.0.self_attn.q_proj.weight": one}, {}, "--method text-encoder:FOLDER"),
    ("float8", {name: tensor.to(torch.float8_e4m3fn) for name, tensor in diffusers().items()}, {}, r"quantised weights \(.* is float8_e4m3fn\)"),
    ("uint8", {"conv_in.weight": torch.ones(2).to(torch.uint8), "conv_in.weight.absmax": one}, {}, "quantised weights"),
    ("T-LoRA", {f"{FLAT}.{end}": one for end in ("q_layer.weight", "p_layer.weight", "lambda_layer")}, {}, "a T-LoRA, whose rank depends"),
    (
        "LoHa of another base",
        {name.replace(FLAT, f"{FLAT}9"): value for name, value in (_loha() | {f"{FLAT}.alpha": one}).items()},
        {},
        r"a LyCORIS adapter \(LoHa\) made for another base",
    ),
    ("metadata of another shape", diffusers(), {"lora_adapter_metadata": "[]"}, "lora_adapter_metadata is no JSON object"),
    ("metadata without layers", diffusers(), {"lora_adapter_metadata": json.dumps({"unet.r": 4})}, "lora_adapter_metadata lacks unet.target_modules"),
    ("metadata without parts", diffusers(), {"lora_adapter_metadata": json.dumps({"r": 4})}, "lora_adapter_metadata says of no part"),
    ("a down of kohya alone", {f"{FLAT}.lora_down.weight": torch.ones(2, 32)}, {}, "has lora_down.weight and no lora_up.weight"),
    ("an alpha alone", pair() | {f"{FLAT}9.alpha": one}, {}, "9 has an alpha and no tensors that it could scale"),
    ("an alpha of many", pair() | {f"{FLAT}.alpha": torch.ones(3)}, {}, r"has an alpha of shape \(3,\), expected one number"),
    ("text's ends in a network", _linear(), {}, "has the end of a text encoder's layer"),
    ("half a LoHa", {f"{FLAT}.hada_w1_a": torch.ones(64, 2), f"{FLAT}.hada_w1_b": torch.ones(2, 32)}, {}, "has hada_w1_a and no hada_w2_a"),
    ("LoHa without alpha", _loha(), {}, "has no alpha, so that its strength is unknown"),
    ("LoKr without alpha", {f"{FLAT}.lokr_w1": torch.ones(4, 4), f"{FLAT}.lokr_w2": torch.ones(16, 8)}, {}, "has no alpha"),
    ("half a LoKr", {f"{FLAT}.lokr_w1": torch.ones(4, 4), f"{FLAT}.alpha": one}, {}, "one of the two factors of a LoKr, lokr_w1"),
    ("LoKr of low ranks", _lokr(), {}, "LyCORIS cannot read it and says: AttributeError: "),
    ("one text encoder twice", pair(32, flat=f"lora_te_{TEXT}") | pair(32, flat=f"lora_te1_{TEXT}"), {}, "it has two tensors for text_encoder"),
    ("bias alone", {f"{FLAT}.diff_b": torch.ones(64)}, {}, r"changes its bias \(diff_b\) and has no diff"),
    ("IA3 of LyCORIS", {f"{FLAT}.weight": torch.ones(64, 1), f"{FLAT}.on_input": torch.tensor(False)}, {}, "is an IA3's, which LyCORIS saves"),
    *(
        (f"prefix {prefix}", {name.replace("unet.", prefix): value for name, value in diffusers().items()}, {}, f"names have '{said}' in front")
        for prefix, said in (
            ("module.", "module."),
            ("diffusion_model.", "diffusion_model."),
            ("model.diffusion_model.", "model.diffusion_model."),
            ("unet.base_model.model.", "base_model.model."),
            ("module.unet.", "module.unet."),
        )
    ),
    ("LoHa with more", {f"{FLAT}.diff": torch.ones(64, 32), f"{FLAT}.extra": one}, {}, "leaves out .*extra"),
]


@pytest.mark.parametrize(("tensors", "header", "says"), [each[1:] for each in NAMED], ids=[each[0] for each in NAMED])
def test_the_cause_stands_in_one_line(tensors: Tensors, header: dict[str, str], says: str, sd_context: Context, tmp_path: Path) -> None:
    file = tmp_path / "given.safetensors"
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, file, metadata=header)
    refused(sd_context, file, says)


def _peft(pipeline: Any, folder: Path, **settings: Any) -> Path:
    model = get_peft_model(pipeline.unet, LoraConfig(**{"r": 2, "lora_alpha": 8, "target_modules": ["to_q"], "init_lora_weights": False} | settings))
    model.save_pretrained(folder)
    model.unload()
    return folder


def _edit(change: Callable[[Tensors], Tensors], **config: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / "adapter_model.safetensors"
        save_file(change(load_file(file)), file)
        written = folder / "adapter_config.json"
        written.write_text(json.dumps(json.loads(written.read_text()) | config))

    return edit


PEFT: list[tuple[str, Callable[[Path], None], str]] = [
    (
        "other blocks",
        _edit(lambda held: {name.replace("mid_block", "down_blocks.7"): value for name, value in held.items()}),
        "is no layer of the base",
    ),
    ("surplus", _edit(lambda held: held | {"base_model.model.conv_in.lora_C.weight": one}), "no place for 1 tensors"),
    ("lacking", _edit(lambda held: dict(list(held.items())[1:])), "it lacks 1 tensors"),
    (
        "another class",
        _edit(dict, auto_mapping={"base_model_class": "FluxTransformer2DModel"}),
        "a PEFT adapter of a FluxTransformer2DModel",
    ),
    ("a pattern of nothing", _edit(dict, alpha_pattern={"nowhere": 4}), "alpha_pattern"),
    ("a kind of later releases", _edit(dict, peft_type="NEWLORA"), "PEFT cannot read it and says: KeyError: 'NEWLORA'"),
    ("an alpha in quotes", _edit(dict, lora_alpha="8"), "PEFT cannot read it and says: TypeError: "),
    ("a setting of later releases", _edit(dict, brand_new=True), "brand_new"),
    ("no kind", _edit(dict, peft_type=None), "names no peft_type"),
    ("no configuration", lambda folder: (folder / "adapter_config.json").unlink(), "without its adapter_config.json"),
    ("damaged configuration", lambda folder: (folder / "adapter_config.json").write_text("{"), r"cannot be read"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("damage", "says"), [each[1:] for each in PEFT], ids=[each[0] for each in PEFT])
def test_a_peft_folder_is_taken_whole_or_refused(damage: Callable[[Path], None], says: str, sd_context: Context, tmp_path: Path) -> None:
    folder = _peft(load_pipeline(sd_context), tmp_path)
    damage(folder)
    refused(sd_context, folder, says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a git-lfs pointer, not weights: run `git lfs pull`"),
        (b"GGUF\x03\x00\x00\x00", r"quantised weights \(GGUF\)"),
    ],
)
@pytest.mark.parametrize("name", ["w.safetensors", "w.bin"])
def test_what_is_no_file_of_tensors_says_what_it_is(name: str, content: bytes, says: str, sd_context: Context, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refused(sd_context, tmp_path / name, says)


def test_a_folder_of_receler_is_named(sd_context: Context, tmp_path: Path) -> None:
    (tmp_path / "eraser_config.json").write_text("{}")
    torch.save({"down_blocks.0.attentions.0": {"w": one}}, tmp_path / "eraser_weights.pt")
    refused(sd_context, tmp_path, r"an adapter with a gate \(Receler\)")


def test_peft_settings_beside_other_names_are_not_passed_by(sd_context: Context, tmp_path: Path) -> None:
    save_file(diffusers(), tmp_path / "pytorch_lora_weights.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 8}))
    refused(sd_context, tmp_path, r"whose strength \(r 2, lora_alpha 8\) nobody reads for it")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 2}))
    lay_over(load_pipeline(sd_context), tmp_path)


def test_tensors_without_a_prefix_beside_peft_settings_are_pefts(sd_context: Context, tmp_path: Path) -> None:
    folder = _peft(load_pipeline(sd_context), tmp_path / "whole")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "adapter_config.json").write_bytes((folder / "adapter_config.json").read_bytes())
    held = load_file(folder / "adapter_model.safetensors")
    save_file({name.removeprefix("base_model.model."): value for name, value in held.items()}, tmp_path / "bare" / "adapter_model.safetensors")
    one, other = load_pipeline(sd_context), load_pipeline(sd_context)
    lay_over(one, folder)
    lay_over(other, tmp_path / "bare")
    assert all(torch.equal(value, other.unet.state_dict()[name]) for name, value in one.unet.state_dict().items())


def test_without_lycoris_it_says_what_to_install(sd_context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(pair() | {f"{FLAT}.dora_scale": torch.ones(64, 1)}, tmp_path / "w.safetensors")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "lycoris":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotAvailable, match=r"a LyCORIS adapter \(kohya DoRA\).*needs the library lycoris-lora: pip install"):
        lay_over(load_pipeline(sd_context), tmp_path / "w.safetensors")


def test_lycoris_prints_nothing(sd_context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_file({f"{FLAT}.diff": torch.ones(64, 32)}, tmp_path / "w.safetensors")
    lay_over(load_pipeline(sd_context), tmp_path / "w.safetensors")
    assert capfd.readouterr() == ("", "")


def test_a_pickle_of_lycoris_runs_nothing(sd_context: Context, tmp_path: Path) -> None:
    """The library reads a .pt by a torch.load that runs what is in it; here it is given tensors that were read before."""
    torch.save({f"{FLAT}.diff": torch.ones(64, 32)}, tmp_path / "w.pt")
    pipeline, base = load_pipeline(sd_context), load_pipeline(sd_context)
    lay_over(pipeline, tmp_path / "w.pt")
    torch.testing.assert_close(pipeline.unet.get_submodule(LAYER).weight, base.unet.get_submodule(LAYER).weight + 1)


# Settings that cannot act.


def test_a_scale_acts_on_an_adapter_alone(sd_context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(sd_context)
    pipeline.unet.save_pretrained(tmp_path / "whole" / "unet")
    save_partial(tmp_path / "part", {"conv_in.bias": 2 + dict(pipeline.unet.named_parameters())["conv_in.bias"]})
    refused(sd_context, tmp_path / "whole", r"scale=0\.1 cannot act: .* holds a whole U-Net, which replaces the base's", 0.1)
    refused(sd_context, tmp_path / "part", r"scale=0\.1 cannot act: .* holds tensors of a U-Net", 0.1)
    with pytest.raises(BenchError, match=r"scale=0\.1 cannot act"):
        LoRA(weights=str(tmp_path / "part"), scale=0.1).load(sd_context)
    LoRA(weights=str(tmp_path / "part")).load(sd_context)
    for number in (float("nan"), float("inf")):
        with pytest.raises(BenchError, match="lora needs scale to be a number"):
            LoRA(weights=str(tmp_path / "part"), scale=number).load(sd_context)
    with pytest.raises(BenchError, match="lora at scale=0 is the base model"):
        LoRA(weights=str(tmp_path / "part"), scale=0.0).load(sd_context)


@pytest.mark.parametrize("method", [UCE, RECE])
def test_a_saved_edit_takes_no_settings_of_the_solution(method: Any, context: Context, tmp_path: Path) -> None:
    bias = dict(load_pipeline(context).unet.named_parameters())["conv_in.bias"]
    save_partial(tmp_path, {"conv_in.bias": 2 + bias})
    with pytest.raises(BenchError, match=r"guide='x' cannot act: weights holds an edit that is solved already"):
        method(weights=str(tmp_path), guide="x").load(context)
    method(weights=str(tmp_path), **context.track.methods.get(method.info.name, {})).load(context)


def test_the_bases_own_tensors_are_no_edit(sd_context: Context, tmp_path: Path) -> None:
    bias = dict(load_pipeline(sd_context).unet.named_parameters())["conv_in.bias"]
    save_partial(tmp_path, {"conv_in.bias": bias}, half=False)
    refused(sd_context, tmp_path, "the base's own: they change nothing")


# Identity, and what the libraries say.


def test_what_decides_the_strength_is_part_of_a_runs_identity(context: Context, tmp_path: Path) -> None:
    folder = _peft(load_pipeline(context), tmp_path)
    before = RunSpec(f"lora:{folder}", "i2p", limit=2).identity()["method"]["weights"]
    assert set(before) == {"adapter_model.safetensors", "adapter_config.json"}
    _edit(dict, lora_alpha=4)(folder)
    after = RunSpec(f"lora:{folder}", "i2p", limit=2).identity()["method"]["weights"]
    assert before["adapter_config.json"] != after["adapter_config.json"]


def test_the_parts_of_a_folder_of_peft_folders_are_hashed(sd_context: Context, tmp_path: Path) -> None:
    _peft(load_pipeline(sd_context), tmp_path / "unet")
    assert set(find(tmp_path).hashes()) == {"unet/adapter_model.safetensors", "unet/adapter_config.json"}


def test_a_plain_lora_is_hashed_as_before(context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(context)
    pipeline.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    type(pipeline).save_lora_weights(tmp_path, unet_lora_layers=get_peft_model_state_dict(pipeline.unet))
    assert set(find(tmp_path).hashes()) == {"pytorch_lora_weights.safetensors"}


@pytest.mark.parametrize("library", ["diffusers.loaders.peft", "transformers.integrations.peft", "peft.tuners", "LyCORIS"])
def test_a_librarys_warning_is_an_error(library: str, sd_context: Context, capfd: pytest.CaptureFixture[str]) -> None:
    import logging
    import warnings

    load_pipeline(sd_context)  # which silences them
    with pytest.raises(Warned, match="it lacks"), strict():
        logging.getLogger(library).warning("it lacks %s", "much")
    with pytest.raises(Warned, match="ignored"), strict():
        warnings.warn("ignored", stacklevel=1)
    with strict(("known",)):
        logging.getLogger(library).warning("known since long")
        warnings.warn("of code", FutureWarning, stacklevel=1)
    assert capfd.readouterr() == ("", "")
