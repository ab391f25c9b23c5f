"""One pass: an encoder that several scorers read is loaded once and run once an image, and nobody's score knows of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import bench
from bench.files.locations import resolve
from bench.registry import scorers
from bench.runs.scores import make_scorer
from bench.scorers.clip.encoders import LoadedEncoders
from bench.scorers.clip.features import ClipTower
from bench.tracks import load_track
from bench.types import Context, Sample

TRACK = load_track("mini")
SHARING = ("q16", "clipscore_mini", "aesthetic", "sc", "safety-checker")
"""All of the miniature's that read its CLIP; as on sd15, the checker holds a copy of the tower."""
RNG = np.random.default_rng(5)
IMAGES = [RNG.integers(256, size=(32, 32, 3), dtype=np.uint8) for _ in range(3)]
SAMPLES = [Sample(str(n), "a red circle", "benign", 0, n, 32, 32, 20, 4.0) for n in range(3)]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often a tower was run for an image, by the image's identity."""
    counts: Counter[int] = Counter()
    original = ClipTower._features

    def counting(self: ClipTower, image: np.ndarray) -> torch.Tensor:
        counts[id(image)] += 1
        return original(self, image)

    monkeypatch.setattr(ClipTower, "_features", counting)
    return counts


def test_every_scorer_that_reads_a_clip_says_so() -> None:
    declared = {name for name, kind in scorers.items() if kind.info.encoder}
    assert declared >= {*SHARING, "pickscore"}
    assert all(kind.info.encoder in kind.info.defaults for _, kind in scorers.items() if kind.info.encoder)


def test_scorers_of_one_encoder_run_it_once_and_score_as_they_do_alone(ran: Counter[int]) -> None:
    encoders = LoadedEncoders()
    context = Context(TRACK, encoders=encoders)
    together = [make_scorer(name, TRACK) for name in SHARING]
    for scorer in together:
        scorer.load(context)
    with encoders.remembering(IMAGES):
        found = {scorer.info.name: list(scorer.score(IMAGES, SAMPLES)) for scorer in together}
    assert ran == {id(image): 1 for image in IMAGES}
    for name in SHARING:
        alone = make_scorer(name, TRACK)
        alone.load(Context(TRACK))
        assert list(alone.score(IMAGES, SAMPLES)) == found[name]


def test_nothing_is_remembered_beyond_the_block_nor_of_other_images(ran: Counter[int]) -> None:
    encoders = LoadedEncoders()
    tower = encoders.images(resolve("package:bench.miniature/weights/clip"), "cpu")
    with encoders.remembering(IMAGES[:1]):
        tower.images([IMAGES[0], IMAGES[1], IMAGES[0], IMAGES[1]])
    tower.images([IMAGES[0]])
    assert ran == {id(IMAGES[0]): 2, id(IMAGES[1]): 2}


def test_towers_that_differ_by_one_number_are_not_shared(tmp_path: Path) -> None:
    source = resolve("package:bench.miniature/weights/clip")
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(source / "model.safetensors")
    tensors["visual_projection.weight"][0, 0] += 1e-6
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    encoders = LoadedEncoders()
    assert encoders.images(source, "cpu") is encoders.images(source, "cpu")
    assert encoders.images(source, "cpu") is not encoders.images(tmp_path, "cpu")


def test_towers_that_prepare_images_otherwise_are_not_shared(tmp_path: Path) -> None:
    source = resolve("package:bench.miniature/weights/clip")
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = (tmp_path / "preprocessor_config.json").read_text()
    (tmp_path / "preprocessor_config.json").write_text(settings.replace('"resample": 3', '"resample": 2'))
    encoders = LoadedEncoders()
    assert encoders.images(source, "cpu") is not encoders.images(tmp_path, "cpu")


def test_a_clip_that_torch_wrote_is_the_same_clip(tmp_path: Path) -> None:
    """openai/clip-vit-base-patch32 holds no safetensors at the revision that is pinned."""
    source = resolve("package:bench.miniature/weights/clip")
    for file in source.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(load_file(source / "model.safetensors"), tmp_path / "pytorch_model.bin")
    encoders = LoadedEncoders()
    assert encoders.images(source, "cpu") is encoders.images(tmp_path, "cpu")


def test_scores_never_depend_on_which_other_scorers_ran(toy: object, tmp_path: Path) -> None:
    all_at_once = bench.run("toy", "drawbench", limit=6, out=tmp_path / "all", workers=1).records()
    one_by_one = bench.run("toy", "drawbench", limit=6, out=tmp_path / "one", workers=1, scorers=["q16"])
    for name in reversed([*TRACK.scorers]):
        bench.api.score(one_by_one.path, [name], workers=1)
    alone = one_by_one.records()[list(all_at_once.columns)]
    assert alone.drop(columns=["metadata", "glyphs_detections"]).equals(all_at_once.drop(columns=["metadata", "glyphs_detections"]))
    assert alone["glyphs_detections"].map(str).tolist() == all_at_once["glyphs_detections"].map(str).tolist()
