"""Hashing, listing and loading agree on which files of a folder are used, whichever form its weights have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from bench.errors import BenchError
from bench.files.hashes import hash_weights, missing_in
from bench.files.selection import weights_of
from bench.reports import needs
from bench.tracks import load_track
from methods.parts import read_model
from methods.pipeline import read_pipeline

LAYOUTS: dict[str, list[dict[str, Any]]] = {
    "plain": [{}],
    "fp16-only": [{"variant": "fp16"}],
    "bin-only": [{"safe_serialization": False}],
    "bin, fp16 safetensors": [{"safe_serialization": False}, {"variant": "fp16"}],
    "sharded": [{"max_shard_size": "100KB"}],
    "sharded fp16": [{"max_shard_size": "100KB", "variant": "fp16"}],
    "both": [{}, {"variant": "fp16"}],
    "fp16 and bf16": [{"variant": "bf16"}, {"variant": "fp16"}],
    "every form": [{"safe_serialization": False}, {"variant": "fp16"}, {}],
}


@pytest.fixture(params=LAYOUTS)
def folder(request: pytest.FixtureRequest, tiny_sd: Path, tmp_path: Path) -> Path:
    """A pipeline in one of the layouts, the numbers of each form its own."""
    for number, options in enumerate(LAYOUTS[request.param]):
        pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None, requires_safety_checker=False)
        with torch.no_grad():
            for model in (pipeline.unet, pipeline.text_encoder, pipeline.vae):
                for parameter in model.parameters():
                    parameter.mul_(1 + number)
        pipeline.save_pretrained(tmp_path / "saved", **options)
    return tmp_path / "saved"


def test_what_is_hashed_is_what_is_loaded(folder: Path) -> None:
    read = [name for name in hash_weights(folder) if name.endswith((".safetensors", ".bin"))]
    pipeline = read_pipeline(folder, torch.float32)
    assert missing_in(folder) == []
    for part in ("unet", "text_encoder", "vae"):
        files = [folder / name for name in read if name.startswith(f"{part}/")]
        held: dict[str, torch.Tensor] = {}
        for file in files:
            held |= load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
        own = getattr(pipeline, part).state_dict()
        bare = {name.removeprefix("text_model."): value for name, value in held.items() if not name.endswith("position_ids")}
        found = {name.removeprefix("text_model."): value for name, value in own.items() if not name.endswith("position_ids")}
        assert bare.keys() == found.keys() and all(torch.equal(value.float(), found[name]) for name, value in bare.items()), part


def test_without_what_is_hashed_neither_the_list_nor_the_loader_has_it(folder: Path) -> None:
    track = load_track("mini").model_copy(update={"base": str(folder)})
    listed = next(each for each in needs._of_track(track) if each.needs == "base model")
    assert listed.there and listed.get == ""
    weights = [file for file in (folder / "vae").iterdir() if file.suffix in (".safetensors", ".bin")]
    for file in sorted(weights, key=lambda file: file.name not in hash_weights(folder / "vae")):
        file.unlink()
        if weights_of(each.name for each in (folder / "vae").iterdir()).whole:
            read_pipeline(folder, torch.float32)  # another form is left
            continue
        listed = next(each for each in needs._of_track(track) if each.needs == "base model")
        assert not listed.there and missing_in(folder) == ["vae"] and "vae" in listed.get
        with pytest.raises(BenchError, match="vae"):
            read_pipeline(folder, torch.float32)
        return
    raise AssertionError("nothing was missed")


def test_a_single_file_and_shards_side_by_side_are_read_as_they_are_hashed(tiny_sd: Path, tmp_path: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(tiny_sd / "unet")
    unet.save_pretrained(tmp_path, max_shard_size="100KB")
    save_file({name: value * 2 for name, value in unet.state_dict().items()}, tmp_path / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    assert all("-of-" in name for name in hash_weights(tmp_path) if name.endswith(".safetensors"))
    found = read_model(tmp_path, torch.float32, "UNet2DConditionModel", "the network").state_dict()
    assert all(torch.equal(value, found[name]) for name, value in unet.state_dict().items())


@pytest.mark.parametrize(
    ("names", "files", "variant", "whole"),
    [
        (["model.safetensors", "pytorch_model.bin"], ("model.safetensors",), None, True),
        (["model.fp16.safetensors", "pytorch_model.bin"], ("pytorch_model.bin",), None, True),
        (["model.ema.safetensors", "model.fp16.safetensors"], ("model.fp16.safetensors",), "fp16", True),
        (["model.onnx", "pytorch_model.bin"], ("pytorch_model.bin",), None, True),
        (["a-00001-of-00002.safetensors"], ("a-00001-of-00002.safetensors",), None, False),
        (["config.json"], (), None, False),
    ],
)
def test_one_form_of_a_folder_counts(names: list[str], files: tuple[str, ...], variant: str | None, whole: bool) -> None:
    form = weights_of(names)
    assert (form.files, form.variant, form.whole) == (files, variant, whole)
