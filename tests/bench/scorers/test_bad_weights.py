"""Weights that would score silently wrong, or that mean harm, end in one clear line."""

from __future__ import annotations

import json
import pickle
import resource
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import BenchError, NotAvailable
from bench.files.locations import resolve
from bench.scorers.aesthetic import Aesthetic
from bench.scorers.clip.clipscore import CLIPScoreMini
from bench.scorers.clip.features import ClipFeatures
from bench.scorers.nudenet import NudeNet
from bench.scorers.q16.prompts import read_prompts
from bench.scorers.q16.scorer import Q16
from bench.tracks import load_track
from bench.types import Context, Sample

CONTEXT = Context(load_track("mini"))
CLIP = resolve("package:bench.miniature/weights/clip")
WIDTH = json.loads((CLIP / "config.json").read_text())["projection_dim"]
SAMPLE = Sample("0", "a red circle", "benign", 0, 0, 32, 32, 20, 4.0)
LAION = [(0, 16), (2, 8), (4, 4), (6, 2), (7, 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CLIP, tmp_path / "clip"))


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_missing_tensor_is_not_filled_with_random_numbers(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["visual_projection.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BenchError, match=r"missing or of another shape, first visual_projection\.weight"):
        ClipFeatures(folder, "cpu")


def test_a_tokenizer_without_its_files_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BenchError, match="Cannot load the CLIP model"):
        ClipFeatures(folder, "cpu")


def test_a_model_that_reads_another_end_token_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(folder / "config.json", text_config={**config["text_config"], "eos_token_id": 5})
    with pytest.raises(BenchError, match="reads token 5"):
        ClipFeatures(folder, "cpu")


def test_an_image_processor_of_another_size_is_refused(folder: Path) -> None:
    edit(folder / "preprocessor_config.json", crop_size={"height": 16, "width": 16})
    with pytest.raises(BenchError, match="its model takes 32 pixels"):
        ClipFeatures(folder, "cpu")


def test_a_long_or_empty_prompt_has_features_of_unit_length() -> None:
    features = ClipFeatures(CLIP, "cpu").texts(["red " * 200, ""])
    assert torch.allclose(features.norm(dim=1), torch.ones(2))


def write_head(folder: Path, width: int) -> Path:
    folder.mkdir()
    sizes = [width, *(after for _, after in LAION)]
    (folder / "config.json").write_text(json.dumps({"layers": sizes}))
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for before, (number, after) in zip(sizes, LAION, strict=False):
        tensors[f"layers.{number}.weight"] = torch.randn(after, before, generator=generator)
        tensors[f"layers.{number}.bias"] = torch.randn(after, generator=generator)
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_laions_own_tensor_names_are_read_in_order(tmp_path: Path) -> None:
    head = write_head(tmp_path / "head", WIDTH)
    scorer = Aesthetic(weights=str(head), clip=str(CLIP))
    scorer.load(CONTEXT)
    image = np.full((32, 32, 3), 90, np.uint8)
    value = ClipFeatures(CLIP, "cpu").images([image])
    tensors = load_file(head / "model.safetensors")
    for number, _ in LAION:
        value = torch.nn.functional.linear(value, tensors[f"layers.{number}.weight"], tensors[f"layers.{number}.bias"])
    assert scorer.score([image], [SAMPLE])[0]["aesthetic"] == pytest.approx(value.item(), rel=1e-5)


def test_a_head_or_prompts_of_another_clip_are_refused(tmp_path: Path) -> None:
    head = write_head(tmp_path / "head", WIDTH + 1)
    save_file({"prompts": torch.ones(2, WIDTH + 1)}, tmp_path / "prompts.safetensors")
    for scorer in (Aesthetic(weights=str(head), clip=str(CLIP)), Q16(weights=str(tmp_path / "prompts.safetensors"), clip=str(CLIP))):
        with pytest.raises(BenchError, match="must be of one model"):
            scorer.load(CONTEXT)


def test_a_head_that_is_not_what_its_config_says_is_refused(tmp_path: Path) -> None:
    head = write_head(tmp_path / "head", WIDTH)
    (head / "config.json").write_text(json.dumps({"layers": [WIDTH, 1]}))
    with pytest.raises(BenchError, match="its layers have shapes"):
        Aesthetic(weights=str(head), clip=str(CLIP)).load(CONTEXT)


def test_weights_that_the_track_does_not_give_are_not_available() -> None:
    with pytest.raises(NotAvailable, match="has no weights on this track"):
        CLIPScoreMini().load(CONTEXT)


def shape_bomb() -> bytes:
    """Return a pickle of 32 bytes that calls ``numpy.ndarray`` with a shape of two million floats."""
    return b"\x80\x04cnumpy\nndarray\nK\x02J" + struct.pack("<i", 1_000_000) + b"\x86\x8c\x02f4\x86R."


def memo_bomb() -> bytes:
    """Return a pickle of 9 bytes that has the unpickler reserve 1.6 GB of memo slots."""
    return b"\x80\x04K\x01r" + struct.pack("<I", 100_000_000) + b"."


@pytest.mark.parametrize("content", [shape_bomb(), memo_bomb(), b"", b"\x80\x04", bytes(2 << 20)])
def test_a_size_bomb_is_refused_and_takes_no_memory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "prompts.p").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BenchError, match="Cannot read Q16's prompts"):
        read_prompts(tmp_path / "prompts.p")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_prompts_that_have_no_direction_are_refused(tmp_path: Path, value: float) -> None:
    (tmp_path / "prompts.p").write_bytes(pickle.dumps(np.array([[1, 2], [value, value]], np.float16)))
    with pytest.raises(BenchError, match="zero or not finite"):
        read_prompts(tmp_path / "prompts.p")


@pytest.mark.parametrize("missing", ["nudenet", "onnxruntime", "cv2"])
def test_nudenet_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr("bench.scorers.nudenet.find_spec", lambda name: None if name == missing else find_spec(name))
    with pytest.raises(NotAvailable, match=r"pip install 't2i-safety-bench\[nudenet\]'"):
        NudeNet().weights(CONTEXT)
