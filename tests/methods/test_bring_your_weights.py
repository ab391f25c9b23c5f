"""The table of docs/bring-your-weights.md, "Adapters and edits": each row is a file of that format, judged by the library that defines it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import peft
import pytest
import torch
from lycoris import LycorisNetwork, create_lycoris_from_weights
from lycoris.modules.locon import LoConModule
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from bench.types import Context
from methods.overlay import lay_over
from methods.pipeline import load_pipeline

ROOT = Path(__file__).parents[2]
QV = ["to_q", "to_v"]
CLIP = ["q_proj", "k_proj", "v_proj", "out_proj"]
LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v"
FLAT = "lora_unet_" + LAYER.replace(".", "_")
CONV = "mid_block.resnets.0.conv1"
FLAT_CONV = "lora_unet_" + CONV.replace(".", "_")

Weights = dict[str, torch.Tensor]
Tensors = dict[str, torch.Tensor]


def state(pipeline: Any) -> Weights:
    """Every tensor that an adapter may change."""
    parts = [part for part in ("unet", "text_encoder", "text_encoder_2") if getattr(pipeline, part, None) is not None]
    return {f"{part}.{name}": value.clone() for part in parts for name, value in getattr(pipeline, part).state_dict().items()}


def change(one: Weights, other: Weights) -> float:
    assert one.keys() == other.keys()
    return math.sqrt(sum(float(((one[name] - other[name]).double() ** 2).sum()) for name in one))


# Files.


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


# Judges: what each library itself makes of the file.


def by_diffusers(pipeline: Any, path: Path) -> None:
    pipeline.load_lora_weights(str(path))
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()


def by_load_lora_adapter(pipeline: Any, path: Path) -> None:
    source: Any = str(path / "pytorch_lora_weights.safetensors") if path.is_dir() else torch.load(path, weights_only=True)
    pipeline.unet.load_lora_adapter(source, prefix=None, adapter_name="x", use_safetensors=path.is_dir())
    pipeline.fuse_lora(components=["unet"])
    pipeline.unload_lora_weights()


def by_peft(pipeline: Any, path: Path) -> None:
    peft.PeftModel.from_pretrained(pipeline.unet, path).merge_and_unload(safe_merge=True)


def by_transformers(pipeline: Any, path: Path) -> None:
    pipeline.text_encoder.load_adapter(str(path))
    pipeline.fuse_lora(components=["text_encoder"])
    pipeline.unload_lora_weights()


def by_both(pipeline: Any, path: Path) -> None:
    by_peft(pipeline, path / "unet")
    by_transformers(pipeline, path / "text_encoder")


def by_lycoris(pipeline: Any, path: Path) -> None:
    before = LycorisNetwork.LORA_PREFIX
    try:
        for prefix, part in (("lora_unet", pipeline.unet), ("lora_te_text_model", pipeline.text_encoder)):
            LycorisNetwork.LORA_PREFIX = prefix
            create_lycoris_from_weights(1.0, str(path), part)[0].merge_to(1.0)
    finally:
        LycorisNetwork.LORA_PREFIX = before


def by_lycoris_xl(pipeline: Any, path: Path) -> None:
    """The library's own reading, the U-Net's layer by the name that it has in diffusers."""
    given = {name.replace(SGM, SGM_HERE): tensor for name, tensor in load_file(path).items()}
    before = LycorisNetwork.LORA_PREFIX
    texts = ("lora_te2", pipeline.text_encoder_2)
    try:
        for prefix, part in (("lora_unet", pipeline.unet), texts):
            LycorisNetwork.LORA_PREFIX = prefix
            network = create_lycoris_from_weights(1.0, "", part, weights_sd=given)[0]
            assert len(network.loras) == 1
            network.merge_to(1.0)
    finally:
        LycorisNetwork.LORA_PREFIX = before


def by_locon(pipeline: Any, path: Path) -> None:
    """The library's own layer, told that its scale is of inputs."""
    given = load_file(path)
    layer = pipeline.unet.get_submodule(LAYER)
    module = LoConModule(FLAT, layer, 1, 4, float(given[f"{FLAT}.alpha"]), weight_decompose=True, wd_on_out=False)
    with torch.no_grad():
        module.lora_up.weight.copy_(given[f"{FLAT}.lora_up.weight"])
        module.lora_down.weight.copy_(given[f"{FLAT}.lora_down.weight"])
        module.dora_scale.copy_(given[f"{FLAT}.dora_scale"])
    module.merge_to(1.0)


def by_load_state_dict(pipeline: Any, path: Path) -> None:
    tensors: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    if "unet" in tensors:
        pipeline.text_encoder.load_state_dict({name.removeprefix("text_model."): tensor for name, tensor in tensors["text_encoder"].items()})
        tensors = tensors["unet"]
    result = pipeline.unet.load_state_dict({name.removeprefix("module._orig_mod.unet."): tensor for name, tensor in tensors.items()}, strict=False)
    assert not result.unexpected_keys


class Row(NamedTuple):
    """A format: its row of the table, a case of it, what makes a file, and who judges."""

    row: str
    case: str
    make: Callable[[Any, Path], Path]
    judge: Callable[[Any, Path], None]
    base: str = "sd_context"


def both(pipeline: Any, path: Path) -> Path:
    peft_folder(pipeline, path / "unet")
    peft_folder(pipeline, path / "text_encoder", "text_encoder")
    return path


PATTERNS = {"rank_pattern": {"mid_block.*to_q": 3}, "alpha_pattern": {"mid_block.*to_q": 5}}

ROWS = [
    Row("LoRA, diffusers' names", "plain", lambda p, f: diffusers_lora(p, f, header=False), by_diffusers),
    Row("LoRA, diffusers' names", "mixed ranks", mixed_ranks, by_diffusers),
    Row("LoRA, settings in the header", "alpha", lambda p, f: diffusers_lora(p, f, lora_alpha=8), by_diffusers),
    Row("LoRA, settings in the header", "rslora", lambda p, f: diffusers_lora(p, f, r=4, lora_alpha=8, use_rslora=True), by_diffusers),
    Row("LoRA, settings in the header", "patterns", lambda p, f: diffusers_lora(p, f, lora_alpha=8, **PATTERNS), by_diffusers),
    Row("LoRA with a text encoder's part", "both", lambda p, f: diffusers_lora(p, f, text=True, lora_alpha=8), by_diffusers),
    Row("LoRA with a text encoder's part", "that alone", lambda p, f: diffusers_lora(p, f, text=True, unet=False, lora_alpha=8), by_diffusers),
    Row("LoRA, diffusers' names of 2023", "both", old_2023, by_diffusers),
    Row("LoRA, attention processors", "prefix", lambda p, f: processors(p, f, "unet."), by_diffusers),
    Row("LoRA, attention processors", "none", lambda p, f: processors(p, f, ""), by_load_lora_adapter),
    Row("LoRA of the network alone", "alpha", bare, by_load_lora_adapter),
    Row("DoRA, diffusers' names", "alpha", lambda p, f: diffusers_lora(p, f, lora_alpha=8, use_dora=True), by_diffusers),
    Row("LoRA, kohya's names", "alphas", kohya, by_lycoris),
    Row("LoRA, kohya's names", "text", lambda p, f: kohya(p, f, text=True), by_lycoris),
    Row("LoRA, kohya's names", "SDXL", kohya_xl, by_diffusers, "xl_context"),
    Row("PEFT folder, network", "alpha", peft_folder, by_peft),
    Row("PEFT folder, network", "no class", lambda p, f: peft_folder(p, f, plain=True), by_peft),
    Row("PEFT folder, network", "rslora", lambda p, f: peft_folder(p, f, use_rslora=True), by_peft),
    Row("PEFT folder, network", "patterns", lambda p, f: peft_folder(p, f, **PATTERNS), by_peft),
    Row("PEFT folder, network", "bias", lambda p, f: peft_folder(p, f, target_modules=["to_q", "to_out.0"], bias="lora_only"), by_peft),
    Row("PEFT folder, network", "whole layers", lambda p, f: peft_folder(p, f, modules_to_save=["conv_out"]), by_peft),
    Row("PEFT folder, network", "DoRA", lambda p, f: peft_folder(p, f, use_dora=True), by_peft),
    Row("PEFT folder, network", "LoHa", lambda p, f: peft_folder(p, f, kind=peft.LoHaConfig, r=2, alpha=4), by_peft),
    Row("PEFT folder, network", "LoKr", lambda p, f: peft_folder(p, f, kind=peft.LoKrConfig, r=2, alpha=4), by_peft),
    Row("PEFT folder, network", "OFT", lambda p, f: peft_folder(p, f, kind=peft.OFTConfig, oft_block_size=4), by_peft),
    Row("PEFT folder, text encoder", "new names", lambda p, f: peft_folder(p, f, "text_encoder"), by_transformers),
    Row("PEFT folder, text encoder", "no class", lambda p, f: peft_folder(p, f, "text_encoder", plain=True), by_transformers),
    Row("PEFT folder, text encoder", "old names", lambda p, f: old_clip_names(peft_folder(p, f, "text_encoder")), by_transformers),
    Row("PEFT folders of several parts", "both", both, by_both),
    Row("DoRA, kohya's names", "of outputs", lambda p, f: lycoris(p, f, "DoRA"), by_lycoris),
    Row("DoRA, kohya's names", "of inputs", lambda p, f: lycoris(p, f, "DoRA of inputs"), by_locon),
    *(
        Row("LyCORIS: LoHa, LoKr, full, norms, Tucker", kind, lambda p, f, kind=kind: lycoris(p, f, kind), by_lycoris)
        for kind in ("LoHa", "LoKr", "full", "norm", "Tucker")
    ),
    Row("LyCORIS: LoHa, LoKr, full, norms, Tucker", "SDXL", lokr_xl, by_lycoris_xl, "xl_context"),
    Row("Tensors of the network (ESD, UCE, RECE)", "bf16", lambda p, f: partial(p, f, "bf16"), by_load_state_dict),
    Row("Tensors of the network (ESD, UCE, RECE)", "wrapped", lambda p, f: partial(p, f, "wrapped"), by_load_state_dict),
    Row("Tensors of several parts (Concept Ablation)", "both", lambda p, f: partial(p, f, "two parts"), by_load_state_dict),
    Row("Tensors of several parts (Concept Ablation)", "and a step", lambda p, f: partial(p, f, "two parts and a step"), by_load_state_dict),
]


@pytest.fixture(autouse=True)
def _drawn() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        yield


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.row}: {row.case}")
def test_a_format_changes_the_base_as_its_library_does(row: Row, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    context = request.getfixturevalue(row.base)
    path = row.make(load_pipeline(context), tmp_path / "adapter")
    plain, ours, theirs = load_pipeline(context), load_pipeline(context), load_pipeline(context)
    lay_over(ours, path)
    row.judge(theirs, path)
    wanted = change(state(theirs), state(plain))
    assert wanted > 0.1
    assert change(state(ours), state(theirs)) < 1e-5 * wanted


HALVES = [row for row in ROWS if row.case in ("alpha", "alphas", "text", "patterns", "new names", "LoHa", "of outputs", "full", "both")]


@pytest.mark.parametrize("row", HALVES, ids=lambda row: f"{row.row}: {row.case}")
@pytest.mark.parametrize(("trained", "base"), [("float32", "float16"), ("float32", "bfloat16"), ("bfloat16", "float32")])
def test_half_precision_is_the_librarys_too(row: Row, trained: str, base: str, sd_context: Context, tmp_path: Path) -> None:
    """An adapter in one precision over a base in another: what is laid is cast, and nothing is taken for left out."""
    path = row.make(load_pipeline(replace(sd_context, dtype=trained)), tmp_path / "adapter")
    context = replace(sd_context, dtype=base)
    plain, ours, theirs = load_pipeline(context), load_pipeline(context), load_pipeline(context)
    lay_over(ours, path)
    row.judge(theirs, path)
    wanted = change(state(theirs), state(plain))
    assert {value.dtype for value in state(ours).values()} == {value.dtype for value in state(plain).values()}
    assert change(state(ours), state(theirs)) < 0.01 * wanted


def test_the_document_lists_these_formats() -> None:
    text = (ROOT / "docs" / "bring-your-weights.md").read_text(encoding="utf-8")
    section = text.split("## Adapters and edits\n")[1].split("\n## ")[0]
    table = section.split("\n### ")[0]
    listed = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:]
    assert listed == list(dict.fromkeys(row.row for row in ROWS))


@pytest.mark.parametrize("folder", [False, True])
def test_alpha_of_the_header_is_the_trained_strength(folder: bool, context: Context, tmp_path: Path) -> None:
    """The change is alpha over rank times the product, four times what rank alone gives."""
    path = diffusers_lora(load_pipeline(context), tmp_path, lora_alpha=8)
    file = path / "pytorch_lora_weights.safetensors"
    tensors = load_file(file)
    ours = load_pipeline(context)
    lay_over(ours, path if folder else file)
    found = ours.unet.state_dict()[f"{LAYER}.weight"] - load_pipeline(context).unet.state_dict()[f"{LAYER}.weight"]
    product = tensors[f"unet.{LAYER}.lora_B.weight"] @ tensors[f"unet.{LAYER}.lora_A.weight"]
    torch.testing.assert_close(found, 4 * product, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("row", [row for row in ROWS if row.judge in (by_diffusers, by_peft, by_lycoris)], ids=lambda row: f"{row.row}: {row.case}")
def test_half_the_scale_is_half_the_change_or_refused(row: Row, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """DoRA and OFT are not linear in their scale, and what replaces tensors has none."""
    if "DoRA" in row.case + row.row:
        pytest.skip("the libraries differ in what a DoRA's scale is")
    context = request.getfixturevalue(row.base)
    path = row.make(load_pipeline(context), tmp_path / "adapter")
    plain, half, full = (load_pipeline(context) for _ in range(3))
    if row.case in ("OFT", "bias", "whole layers"):
        with pytest.raises(Exception, match=r"scale=0\.5 cannot act"):
            lay_over(half, path, 0.5)
        assert change(state(half), state(plain)) == 0
        return
    lay_over(half, path, 0.5)
    lay_over(full, path)
    assert change(state(half), state(plain)) == pytest.approx(0.5 * change(state(full), state(plain)), rel=1e-4)
