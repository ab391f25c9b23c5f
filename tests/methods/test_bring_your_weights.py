"""The table of docs/bring-your-weights.md, "Adapters and edits": each row is a file of that format, judged by the library that defines it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import peft
import pytest
import torch
from lycoris import LycorisNetwork, create_lycoris_from_weights
from lycoris.modules.locon import LoConModule
from safetensors.torch import load_file

from bench.types import Context
from methods.overlay import lay_over
from methods.pipeline import load_pipeline
from tests.methods.published import (
    FLAT,
    LAYER,
    PATTERNS,
    SGM,
    SGM_HERE,
    bare,
    both,
    diffusers_lora,
    kohya,
    kohya_text,
    kohya_xl,
    lokr_xl,
    lycoris,
    mixed_ranks,
    old_2023,
    old_clip_names,
    partial,
    peft_drawn,
    peft_folder,
    processors,
)

ROOT = Path(__file__).parents[2]
Weights = dict[str, torch.Tensor]


def state(pipeline: Any) -> Weights:
    """Every tensor that an adapter may change."""
    parts = [part for part in ("unet", "text_encoder", "text_encoder_2") if getattr(pipeline, part, None) is not None]
    return {f"{part}.{name}": value.clone() for part in parts for name, value in getattr(pipeline, part).state_dict().items()}


def change(one: Weights, other: Weights) -> float:
    assert one.keys() == other.keys()
    return math.sqrt(sum(float(((one[name] - other[name]).double() ** 2).sum()) for name in one))


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
    *(
        Row("LoRA, kohya's names", f"text alone: {which}", lambda p, f, which=which: kohya_text(p, f, which), by_lycoris)
        for which in ("q", "fc1", "q fc1")
    ),
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
    Row("PEFT folder, network", "IA3", lambda p, f: peft_drawn(p, f, "IA3Config", feedforward_modules=[]), by_peft),
    Row("PEFT folder, network", "HRA", lambda p, f: peft_drawn(p, f, "HRAConfig", r=2), by_peft),
    Row("PEFT folder, network", "AdaLoRA", lambda p, f: peft_drawn(p, f, "AdaLoraConfig", init_r=3, target_r=2, total_step=100), by_peft),
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
    if row.case in ("OFT", "IA3", "HRA", "bias", "whole layers"):
        with pytest.raises(Exception, match=r"scale=0\.5 cannot act"):
            lay_over(half, path, 0.5)
        assert change(state(half), state(plain)) == 0
        return
    lay_over(half, path, 0.5)
    lay_over(full, path)
    assert change(state(half), state(plain)) == pytest.approx(0.5 * change(state(full), state(plain)), rel=1e-4)


def test_a_text_encoders_layers_alone_are_their_products(sd_context: Context, tmp_path: Path) -> None:
    """Each at its own alpha over rank: the file is read by the fallback, of which nobody else is the judge."""
    path = kohya_text(load_pipeline(sd_context), tmp_path / "adapter", "q fc1")
    given, ours, plain = load_file(path), load_pipeline(sd_context), load_pipeline(sd_context)
    lay_over(ours, path)
    for name, alpha in (("self_attn.q_proj", 1.0), ("mlp.fc1", 2.0)):
        flat = "lora_te_text_model_encoder_layers_0_" + name.replace(".", "_")
        found, before = (each.text_encoder.get_submodule(f"encoder.layers.0.{name}").weight for each in (ours, plain))
        product = given[f"{flat}.lora_up.weight"] @ given[f"{flat}.lora_down.weight"]
        torch.testing.assert_close(found - before, alpha / 4 * product, rtol=1e-4, atol=1e-5)
