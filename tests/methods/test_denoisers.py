"""What every denoiser family keeps, on a tiny pipeline of each kind; and that nothing else knows a network by its class."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from bench.errors import BenchError
from methods.denoisers import FAMILIES, KINDS, family_of
from methods.denoisers.family import DenoiserFamily, Text, joined
from methods.pipeline import read_pipeline

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
PROMPTS = ["a red circle", "vorn " * 30]
TINY = {"StableDiffusionPipeline": "tiny_sd", "StableDiffusionXLPipeline": "tiny_sdxl", "LatentConsistencyModelPipeline": "tiny_lcm"}


@pytest.fixture(params=sorted(TINY))
def family(request: pytest.FixtureRequest) -> DenoiserFamily:
    return family_of(read_pipeline(request.getfixturevalue(TINY[request.param]), torch.float32))


def text(family: DenoiserFamily, prompts: list[str]) -> Text:
    with torch.no_grad():
        return family.encode(prompts, CPU)


def test_every_kind_is_tried_here_and_known_by_its_part(family: DenoiserFamily) -> None:
    assert set(TINY) == set(KINDS)
    kind = type(family.pipeline).__name__
    assert [each for each in FAMILIES if kind in each.kinds] == [type(family)]
    assert family.network is getattr(family.pipeline, family.part)
    assert family.is_xl == ("XL" in kind)


def test_what_holds_no_known_network_is_one_clear_line() -> None:
    with pytest.raises(BenchError, match="A SimpleNamespace holds no denoiser that is known; expected a diffusers pipeline with a part named unet"):
        family_of(SimpleNamespace(vae=None))


def test_latents_are_of_the_autoencoders_shape(family: DenoiserFamily) -> None:
    with torch.no_grad():
        latents = family.autoencoder.encode(torch.zeros(1, 3, 32, 64)).latent_dist.mean
    assert family.latent_shape(32, 64) == tuple(latents.shape[1:]) == (4, 8, 16)
    assert family.size == 32


def test_prompts_are_encoded_as_the_pipeline_does(family: DenoiserFamily) -> None:
    found = text(family, PROMPTS)
    with torch.no_grad():
        theirs = family.pipeline.encode_prompt(PROMPTS, device=CPU, num_images_per_prompt=1, do_classifier_free_guidance=False)
    assert torch.equal(found.states, theirs[0]) and found.states.ndim == 3
    assert (found.pooled is not None) == family.is_xl
    if found.pooled is not None:
        assert torch.equal(found.pooled, theirs[2])


def test_no_prompt_is_the_empty_one_or_zeros(family: DenoiserFamily) -> None:
    with torch.no_grad():
        empty = family.empty(3, CPU)
    assert len(empty.states) == 3
    if family.is_xl:
        assert empty.pooled is not None and not empty.states.any() and not empty.pooled.any()
        family.pipeline.register_to_config(force_zeros_for_empty_prompt=False)
        with torch.no_grad():
            empty = family.empty(3, CPU)
    assert torch.equal(empty.states, text(family, [""] * 3).states)


def test_a_prediction_is_the_networks_own(family: DenoiserFamily) -> None:
    prompt, latents, time = text(family, PROMPTS), torch.randn(2, *family.latent_shape(32, 48)), torch.tensor([5, 700])
    arguments: dict[str, Any] = {"encoder_hidden_states": prompt.states}
    if family.is_xl:
        arguments["added_cond_kwargs"] = {"text_embeds": prompt.pooled, "time_ids": torch.tensor([[32.0, 48, 0, 0, 32, 48]] * 2)}
    with torch.no_grad():
        theirs = family.network(latents, time, **arguments).sample
        assert torch.equal(family.predict(latents, time, prompt, 32, 48), theirs) and theirs.shape == latents.shape
        other = copy.deepcopy(family.network)
        other.conv_out.bias += 1
        assert torch.equal(family.predict(latents, time, prompt, 32, 48, other), other(latents, time, **arguments).sample)
        assert torch.equal(family.predict(latents, time, prompt, 32, 48), theirs)


def test_latents_are_decoded_by_the_autoencoders_scale(family: DenoiserFamily) -> None:
    latents = torch.randn(2, *family.latent_shape(32, 32))
    family.autoencoder.register_to_config(scaling_factor=0.5)
    with torch.no_grad():
        pictures = family.decode(latents)
        assert torch.equal(pictures, family.autoencoder.decode(latents / 0.5).sample) and pictures.shape == (2, 3, 32, 32)
        family.autoencoder.register_to_config(latents_mean=[0.1] * 4, latents_std=[2.0] * 4)
        assert torch.allclose(family.decode(latents), family.autoencoder.decode(latents * 2.0 / 0.5 + 0.1).sample)


def test_the_schedulers_word_says_what_is_predicted(family: DenoiserFamily) -> None:
    assert family.prediction_type == "epsilon"
    family.pipeline.scheduler.register_to_config(prediction_type="v_prediction")
    assert family.prediction_type == "v_prediction"


def test_projections_are_the_keys_and_values_of_the_text_alone(family: DenoiserFamily) -> None:
    found, own = family.projections(), dict(family.network.named_parameters())
    width = text(family, PROMPTS).states.shape[2]
    assert found and all(own[name] is weight and weight.shape[1] == width for name, weight in found.items())
    # Those of the text, and no others, see the prompt's states.
    seen: set[str] = set()
    states = text(family, ["a"]).states
    for name, module in family.network.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda module, args, name=name: seen.add(f"{name}.weight") if torch.equal(args[0], states) else None)
    with torch.no_grad():
        family.predict(torch.randn(1, *family.latent_shape(32, 32)), 5, text(family, ["a"]), 32, 32)
    assert seen == set(found)


def test_parts_are_every_model_once_in_the_order_of_running(family: DenoiserFamily) -> None:
    models = [each for each in family.pipeline.components.values() if isinstance(each, torch.nn.Module)]
    assert len(family.parts()) == len(models) and {id(each) for each in family.parts()} == {id(each) for each in models}
    assert family.parts()[-2:] == [family.network, family.autoencoder]
    assert [each.name for each in family.text_parts()] == ["text_encoder", "text_encoder_2"][: 1 + family.is_xl]
    assert all(each.model is getattr(family.pipeline, each.name) and each.tokenizer.model_max_length == 16 for each in family.text_parts())
    assert family.adaptable() == {family.part: family.network, **{each.name: each.model for each in family.text_parts()}}


def test_a_part_that_is_given_back_is_no_part_and_the_rest_stays_what_it_is(family: DenoiserFamily) -> None:
    prompt, is_xl = text(family, ["a"]), family.is_xl
    for part in family.text_parts():
        setattr(family.pipeline, part.name, None)
    assert family.text_parts() == [] and family.parts() == [family.network, family.autoencoder] and family.is_xl == is_xl
    with torch.no_grad():
        family.predict(torch.randn(1, *family.latent_shape(32, 32)), 5, prompt, 32, 32)


def test_attention_is_written_out(family: DenoiserFamily) -> None:
    prompt, latents = text(family, ["a"]), torch.randn(1, *family.latent_shape(32, 32))
    with torch.no_grad():
        fused = family.predict(latents, 5, prompt, 32, 32)
        family.write_out_attention(family.network)
        assert torch.allclose(family.predict(latents, 5, prompt, 32, 32), fused, atol=1e-5)
    assert {type(each).__name__ for each in family.network.attn_processors.values()} == {"AttnProcessor"}


def test_skip_features_come_behind_those_from_below(family: DenoiserFamily) -> None:
    widths: list[int] = []
    for module, _ in family.skips():
        module.register_forward_pre_hook(lambda module, args: widths.append(args[0].shape[1]))
    with torch.no_grad():
        family.predict(torch.randn(1, *family.latent_shape(32, 32)), 5, text(family, ["a"]), 32, 32)
    assert family.skips() and len(widths) == len(family.skips())
    assert all(width < whole for (_, width), whole in zip(family.skips(), widths, strict=True))


def test_a_networks_folder_is_read_whole_or_not_at_all(family: DenoiserFamily, tmp_path: Path) -> None:
    other = copy.deepcopy(family.network)
    other.conv_out.bias.data += 1
    for folder, variant in (("plain", None), ("half", "fp16")):
        other.save_pretrained(tmp_path / folder, variant=variant)
        found = family.read_network(tmp_path / folder)
        assert all(torch.equal(value, found.state_dict()[name]) for name, value in other.state_dict().items())
    family.replace_network(found)
    assert family.network is found is getattr(family.pipeline, family.part)
    file = tmp_path / "plain" / "diffusion_pytorch_model.safetensors"
    save_file({name: value for name, value in load_file(file).items() if name != "conv_out.bias"}, file, metadata={"format": "pt"})
    with pytest.raises(BenchError, match=r"its weights lack conv_out\.bias\. The folder is damaged or incomplete: fetch it again\.$"):
        family.read_network(tmp_path / "plain")


def test_a_lora_is_saved_and_named_as_diffusers_does(family: DenoiserFamily, tmp_path: Path) -> None:
    family.network.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q"]))
    layers = get_peft_model_state_dict(family.network)
    family.save_lora(tmp_path, layers)
    saved = load_file(tmp_path / "pytorch_lora_weights.safetensors")
    assert set(saved) == {f"{family.part}.{name}" for name in layers} == set(family.lora_state(saved))


def test_texts_are_repeated_and_joined_row_by_row() -> None:
    one, two = Text(torch.zeros(1, 2, 3), torch.zeros(1, 4)), Text(torch.ones(2, 2, 3), torch.ones(2, 4))
    both = joined([one.repeat(2), two])
    assert both.pooled is not None
    assert both.states[:, 0, 0].tolist() == both.pooled[:, 0].tolist() == [0, 0, 1, 1]
    assert joined([Text(one.states), Text(two.states)]).pooled is None


RECIPES = ("backbone", "edits", "trainable", "policy", "alignguard", "esd", "spo", "spo_config", "preferences", "draws", "libraalign/sources")
"""Those that work on a base model; training/miniature builds its own."""

NETWORKS = {name for room in (diffusers.models, diffusers.pipelines) for name in dir(room) if name[0].isupper()}
"""Every class of a network or a pipeline in diffusers."""

OF_ANY_FAMILY = {"StableDiffusionSafetyChecker", "AutoPipelineForText2Image", "AutoPipelineForImage2Image"}
"""What looks at pictures, and what loads whatever a folder says that it is."""


def known_by_class(tree: ast.AST) -> Iterator[str]:
    """Where a source reaches for a network by its class or by its name among a pipeline's parts; what a text says in passing does not count."""
    parts = {family.part for family in FAMILIES}
    for node in ast.walk(tree):
        found = ""
        if isinstance(node, ast.Attribute):
            found = node.attr
        elif isinstance(node, ast.Name):
            found = node.id
        elif isinstance(node, ast.alias):
            found = node.name.rpartition(".")[2]
        elif isinstance(node, ast.Constant) and node.value in NETWORKS:
            found = str(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr", "hasattr"):
            found = next((str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)), "")
        if found in NETWORKS - OF_ANY_FAMILY or (found in parts and not isinstance(node, ast.Name)):
            yield f"line {getattr(node, 'lineno', 0)}: {found}"


def knowing(path: Path) -> list[str]:
    return list(known_by_class(ast.parse(path.read_text(encoding="utf-8"))))


def test_nothing_else_knows_a_network_by_its_class() -> None:
    own = ROOT / "methods" / "denoisers"
    files = [path for path in (ROOT / "methods").rglob("*.py") if own not in path.parents]
    files += [ROOT / "training" / f"{name}.py" for name in RECIPES]
    assert len(files) > 25
    assert {path.relative_to(ROOT).as_posix(): found for path in files if (found := knowing(path))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "pipeline.unet.dtype",
        "getattr(pipeline, 'unet')",
        "setattr(pipeline, 'unet', None)",
        "from diffusers import UNet2DConditionModel",
        "def f(unet: UNet2DConditionModel): ...",
        "getattr(diffusers, 'StableDiffusionXLPipeline')",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert list(known_by_class(ast.parse(source)))


def test_only_its_own_file_names_the_u_net() -> None:
    files = (ROOT / "methods" / "denoisers").glob("*.py")
    assert {path.name for path in files if any(found.endswith((": unet", ": UNet2DConditionModel")) for found in knowing(path))} == {"unet.py"}
