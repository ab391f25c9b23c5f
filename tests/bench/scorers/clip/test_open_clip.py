"""Image encoders: an open_clip folder gives what open_clip itself gives, a transformers folder what transformers gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from bench import torchvision_guard  # noqa: F401
from bench.errors import BenchError
from bench.files.locations import resolve
from bench.scorers.clip.encoders import load_image_encoder
from bench.scorers.clip.features import ClipFeatures, ClipTower

MODEL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 100, "width": 32, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic", "resize_mode": "shortest"}
RNG = np.random.default_rng(3)
IMAGES = [RNG.integers(256, size=size, dtype=np.uint8) for size in ((40, 56, 3), (32, 32, 3), (64, 33, 3))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random open_clip model in open_clip's own layout."""
    from open_clip.model import CLIP

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("open-clip")
    model = CLIP(**MODEL)  # type: ignore[arg-type]
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path / "open_clip_model.safetensors")
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}))
    return path


def test_an_open_clip_folder_gives_open_clips_own_features(folder: Path) -> None:
    import open_clip

    encoder = load_image_encoder(folder, "cpu")
    model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    with torch.no_grad():
        theirs = model.eval().encode_image(torch.stack([prepare(Image.fromarray(image)) for image in IMAGES]), normalize=True)
    ours = encoder.images(IMAGES)
    assert encoder.width == 24 and ours.shape == (3, 24)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_an_image_does_not_depend_on_its_neighbours(folder: Path) -> None:
    encoder = load_image_encoder(folder, "cpu")
    assert torch.equal(encoder.images(IMAGES)[1:2], encoder.images([IMAGES[1]]))


def test_a_transformers_folder_is_a_clip() -> None:
    path = resolve("package:bench.miniature/weights/clip")
    encoder = load_image_encoder(path, "cpu")
    assert isinstance(encoder, ClipTower)
    assert torch.equal(encoder.images([IMAGES[1]]), ClipFeatures(path, "cpu").images([IMAGES[1]]))


def test_a_damaged_open_clip_folder_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_bytes((folder / "open_clip_config.json").read_bytes())
    (tmp_path / "open_clip_model.safetensors").write_bytes((folder / "open_clip_model.safetensors").read_bytes()[:3000])
    with pytest.raises(BenchError, match="Cannot load the open_clip model"):
        load_image_encoder(tmp_path, "cpu")
