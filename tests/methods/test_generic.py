"""Weights as methods without any code: ``unet:``, ``lora:``, ``text-encoder:``, and METHOD:WEIGHTS in general."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPConfig, CLIPModel, CLIPTextModel

import bench
from bench.errors import BenchError, NotAvailable
from bench.registry import find_method
from bench.runs.find import folder_of
from bench.runs.spec import RunSpec
from bench.types import Context, Generated, Sample
from methods.finding import PARTIAL
from methods.generic import UNet, as_location
from methods.overlay import save_partial
from methods.pipeline import load_pipeline
from methods.sampler import Sampler
from methods.text_encoder import AdvUnlearn, SafeCLIP, TextEncoder
from methods.uce import UCE


def pictures(method: bench.types.Method, samples: list[Sample], context: Context) -> np.ndarray:
    method.load(context)
    return np.stack([outcome.image for outcome in method.generate(samples) if isinstance(outcome, Generated)])


def test_a_name_with_weights_is_the_parameter(tmp_path: Path) -> None:
    save_partial(tmp_path / "w", {"conv_in.bias": torch.zeros(1)})
    adapter, parameters = find_method(f"unet:{tmp_path / 'w'}")
    assert adapter is UNet and parameters == {"weights": str(tmp_path / "w")}
    spec = RunSpec(f"unet:{tmp_path / 'w'}", "i2p", limit=2)
    assert list(spec.identity()["method"]["weights"]) == [PARTIAL]
    assert "/" not in folder_of(spec)[0].path.name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("unte:x", "Did you mean 'unet'?"),
        ("sld-max:x", "'sld-max:x' is no method. METHOD:WEIGHTS names one of these"),
        ("unet:", "'unet:' is no method"),
    ],
)
def test_a_wrong_name_is_one_clear_line(name: str, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        find_method(name)


def test_what_is_no_path_is_a_repository_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert as_location("owner/name") == "owner/name"
    assert as_location("owner/other@main/sub/folder") == "hub:owner/other@main/sub/folder"
    assert as_location("hub:a/b") == "hub:a/b"
    assert as_location("./missing/x") == "./missing/x"
    assert as_location(str(tmp_path / "missing")) == str(tmp_path / "missing")


def test_without_weights_it_says_what_to_name(context: Context) -> None:
    with pytest.raises(BenchError, match=r"'unet' needs weights: --method unet:FOLDER"):
        UNet().weights(context)


def test_a_saved_edit_gives_the_pictures_of_the_method(few: list[Sample], context: Context, tmp_path: Path) -> None:
    method = UCE()
    solved = pictures(method, few, context)
    changed = {name: tensor for name, tensor in method.sampler.pipeline.unet.named_parameters() if "attn2.to_" in name}
    save_partial(tmp_path, changed, half=False)
    assert np.array_equal(solved, pictures(UNet(weights=str(tmp_path)), few, context))
    assert np.array_equal(solved, pictures(UCE(weights=str(tmp_path)), few, context))


@pytest.fixture
def encoder(sd_context: Context, tmp_path: Path) -> Path:
    """A text encoder that differs from the base's."""
    folder = tmp_path / "encoder"
    model = load_pipeline(sd_context).text_encoder
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", [TextEncoder, AdvUnlearn, SafeCLIP])
def test_a_text_encoder_is_the_only_thing_swapped(kind: type, few: list[Sample], sd_context: Context, encoder: Path) -> None:
    method = kind(weights=str(encoder))
    assert set(method.weights(sd_context)) == {"config.json", "model.safetensors"}
    mine = pictures(method, few, sd_context)
    theirs, base = method.sampler.pipeline, load_pipeline(sd_context)
    for part in ("unet", "vae"):
        ours, own = getattr(theirs, part).state_dict(), getattr(base, part).state_dict()
        assert all(torch.equal(ours[name], own[name]) for name in own)
    base.text_encoder = CLIPTextModel.from_pretrained(encoder)
    assert np.array_equal(mine, np.stack([each.image for each in Sampler(base).generate(few)]))


def test_a_whole_clip_gives_its_text_half(sd_context: Context, tmp_path: Path) -> None:
    base = load_pipeline(sd_context).text_encoder
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(3)
    clip = CLIPModel(CLIPConfig(text_config=base.config.to_dict(), vision_config=tower | {"image_size": 16, "patch_size": 4}, projection_dim=32))
    clip.save_pretrained(tmp_path)
    method = SafeCLIP(weights=str(tmp_path))
    method.load(sd_context)
    saved = load_file(tmp_path / "model.safetensors")
    for name, value in method.sampler.pipeline.text_encoder.state_dict().items():
        key = name if name.startswith("text_model.") else f"text_model.{name}"
        if key in saved:
            assert torch.equal(value, saved[key]), name
    assert any(key.startswith("text_model.") for key in saved)


@pytest.mark.parametrize("damage", ["truncated", "no config", "other width"])
def test_a_text_encoder_that_does_not_fit_is_one_clear_line(damage: str, sd_context: Context, context: Context, encoder: Path) -> None:
    if damage == "truncated":
        file = encoder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "no config":
        (encoder / "config.json").unlink()
    else:
        sd_context = context
    with pytest.raises(BenchError, match=r"Cannot load the text encoder|holds no text encoder|its hidden_size is 32, expected 128"):
        TextEncoder(weights=str(encoder)).load(sd_context)


@pytest.mark.parametrize("kind", [AdvUnlearn, SafeCLIP])
def test_the_authors_encoders_are_not_available_on_the_miniature(kind: type, context: Context) -> None:
    with pytest.raises(NotAvailable, match=r"has no weights for track 'mini'\. Give them, trained on this track's base"):
        kind().weights(context)
