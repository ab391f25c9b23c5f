"""HPSv2 on a tiny open_clip model in the authors' layout: its preprocessing, its two versions, weights that are not what they should be."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench import torchvision_guard  # noqa: F401
from bench.errors import BenchError, NotAvailable
from bench.miniature.render import render
from bench.miniature.scene import Scene
from bench.scorers.hpsv2 import FILES, HPSv2, prepare
from bench.tracks import load_track
from bench.types import Context, Sample

CONTEXT = Context(load_track("mini"))
SIDE = 48
MODEL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": SIDE, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
SCENE = Scene("circle", "red", "solid", "left", "mint", "harbor", None, 0, "cloud", 1, 7)
PICTURE = render(SCENE)[0]
RNG = np.random.default_rng(5)
IMAGES = [PICTURE, PICTURE[:, :20].copy(), *(RNG.integers(256, size=size, dtype=np.uint8) for size in ((64, 90, 3), (48, 48, 3), (101, 48, 3)))]
PROMPTS = ["a solid red circle on mint", "", "It's 2 cafés & a DOG!", "red " * 200, "a harbor"]


def sample(prompt: str) -> Sample:
    return Sample("0", prompt, "benign", 0, 0, 32, 32, 20, 4.0)


def hand_made(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a tensor that is the same on every machine: integers hashed from its name, scaled to what a trained layer has."""
    count = int(np.prod(shape))
    bits = np.arange(count, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))
    for shift, factor in ((16, 2246822519), (13, 3266489917), (16, 1)):
        bits = ((bits & np.uint64(0xFFFFFFFF)) ^ ((bits & np.uint64(0xFFFFFFFF)) >> np.uint64(shift))) * np.uint64(factor)
    values = torch.from_numpy(((bits & np.uint64(0xFFFFFFFF)) / 2**32 - 0.5).astype(np.float32)).reshape(shape)
    if len(shape) < 2:
        return values * 0.4 + (1.0 if name.endswith("weight") else 0.0)  # a norm's weights are about one
    return values * (1.0 if "embedding" in name else 4 / shape[-1] ** 0.5)


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Hand-made weights of the tiny architecture, which open_clip then knows as ``tiny-hps``."""
    import open_clip
    from open_clip.model import CLIP

    config = tmp_path_factory.mktemp("config") / "tiny-hps.json"
    config.write_text(json.dumps(MODEL))
    open_clip.add_model_config(config)
    return {name: hand_made(name, tuple(value.shape)) for name, value in CLIP(**MODEL).state_dict().items()}  # type: ignore[arg-type]


def write(folder: Path, tensors: Any, version: str = "v2.1") -> Path:
    torch.save({"epoch": 1, "name": "hps", "state_dict": tensors}, folder / FILES[version])
    return folder / FILES[version]


def loaded(file: Path, **parameters: Any) -> HPSv2:
    scorer = HPSv2(weights=str(file), model="tiny-hps", **parameters)
    scorer.load(CONTEXT)
    return scorer


@pytest.fixture(scope="module")
def scorer(tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> HPSv2:
    return loaded(write(tmp_path_factory.mktemp("hps"), tensors))


def scores(scorer: HPSv2) -> list[float]:
    return [row["hpsv2"] for row in scorer.score(IMAGES, [sample(prompt) for prompt in PROMPTS])]


def test_the_score_is_open_clips_cosine_of_the_padded_picture(scorer: HPSv2, tensors: dict[str, torch.Tensor]) -> None:
    import open_clip
    from open_clip.model import CLIP
    from torchvision.transforms.functional import InterpolationMode, normalize, pad, resize, to_tensor

    model = CLIP(**MODEL).eval()  # type: ignore[arg-type]
    model.load_state_dict(tensors)
    tokenize = open_clip.get_tokenizer("tiny-hps")
    for image, prompt, mine in zip(IMAGES, PROMPTS, scores(scorer), strict=True):
        height, width = (round(length * SIDE / max(image.shape[:2])) for length in image.shape[:2])
        pixels = resize(to_tensor(image), [height, width], InterpolationMode.BICUBIC, antialias=True)
        left, top = (SIDE - width) // 2, (SIDE - height) // 2
        pixels = pad(pixels, [left, top, SIDE - width - left, SIDE - height - top])
        pixels = normalize(pixels, open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
        with torch.no_grad():
            seen, read, _ = model(pixels[None], tokenize([prompt]))
        assert mine == pytest.approx(100 * torch.nn.functional.cosine_similarity(seen, read).item(), abs=1e-4)


def test_golden_values_of_a_rendered_scene(scorer: HPSv2) -> None:
    rows = scorer.score([PICTURE, PICTURE[:, :20].copy()], [sample(PROMPTS[0])] * 2)
    assert [row["hpsv2"] for row in rows] == pytest.approx([-35.9167, 21.7715], abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(48, 24), (96, 48), (24, 12), (3000, 1)])
def test_a_picture_is_centred_on_black_and_nothing_of_it_is_cut_off(height: int, width: int) -> None:
    white = np.full((height, width, 3), 255, np.uint8)
    pixels = prepare(white, SIDE, antialias=True)
    black, full = (
        prepare(np.zeros((SIDE, SIDE, 3), np.uint8), SIDE, antialias=True),
        prepare(np.full((SIDE, SIDE, 3), 255, np.uint8), SIDE, antialias=True),
    )
    inside = max(1, round(width * SIDE / height))
    left = (SIDE - inside) // 2
    assert torch.equal(pixels[:, :, :left], black[:, :, :left]) and torch.equal(pixels[:, :, left + inside :], black[:, :, left + inside :])
    torch.testing.assert_close(pixels[:, :, left : left + inside], full[:, :, :inside], rtol=0, atol=1e-5)


def test_antialias_matters_where_a_picture_is_scaled(tensors: dict[str, torch.Tensor], scorer: HPSv2, tmp_path: Path) -> None:
    rough = loaded(write(tmp_path, tensors), antialias=False)
    alike = [a == b for a, b in zip(scores(scorer), scores(rough), strict=True)]
    assert alike == [max(image.shape[:2]) == SIDE for image in IMAGES]


def test_a_score_does_not_depend_on_its_neighbours(scorer: HPSv2) -> None:
    together = scorer.score(IMAGES, [sample(prompt) for prompt in PROMPTS])
    assert together == [scorer.score([image], [sample(prompt)])[0] for image, prompt in zip(IMAGES, PROMPTS, strict=True)]
    assert [set(row) for row in together] == [set(scorer.info.columns)] * len(IMAGES)


def test_a_prompt_is_cut_off_after_77_tokens(scorer: HPSv2) -> None:
    short, long = scorer.score([PICTURE] * 2, [sample("red " * 75 + end) for end in ("", "navy dog")])
    assert short == long


def test_what_the_scorer_says_of_itself(scorer: HPSv2) -> None:
    assert (scorer.info.higher_is, scorer.info.proxy, scorer.info.licence) == ("better", False, "Apache-2.0")
    assert set(scorer.weights(CONTEXT)) == {"weights/HPS_v2.1_compressed.pt"}
    assert scorer.parameters["version"] == "v2.1" and scorer.parameters["antialias"] is True


def test_a_folder_gives_the_file_of_the_version(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write(tmp_path, tensors, "v2.1")
    write(tmp_path, {**tensors, "visual.proj": -tensors["visual.proj"]}, "v2.0")
    old, new = (loaded(tmp_path, version=version) for version in ("v2.0", "v2.1"))
    assert set(old.weights(CONTEXT)) == {"weights/HPS_v2_compressed.pt"} and scores(old) == pytest.approx([-score for score in scores(new)])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weights": "hub:xswu/HPSv2"}, "Nothing says which version"),
        ({"weights": "some/model.pt"}, "Nothing says which version"),
        ({"weights": "some/HPS_v2_compressed.pt", "version": "v2.1"}, "are HPSv2 v2.0, the parameter `version` says v2.1"),
        ({"weights": "some/HPS_v2_compressed.pt", "version": "v2"}, r"no version 'v2'; expected one of: v2\.0, v2\.1"),
    ],
)
def test_a_version_is_never_guessed(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        HPSv2(**parameters)


def test_weights_that_are_not_there_are_not_available(tmp_path: Path) -> None:
    for parameters, message in (({}, "has no weights on this track"), ({"weights": str(tmp_path), "version": "v2.0"}, "reads HPS_v2_compressed.pt")):
        for call in (HPSv2(**parameters).weights, HPSv2(**parameters).load):
            with pytest.raises(NotAvailable, match=message):
                call(CONTEXT)


def test_an_architecture_that_open_clip_does_not_know_is_refused(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="open_clip has no model 'ViT-H-41'"):
        HPSv2(weights=str(write(tmp_path, tensors)), model="ViT-H-41").load(CONTEXT)


def test_safetensors_give_the_same_scores(tensors: dict[str, torch.Tensor], scorer: HPSv2, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "hps.safetensors")
    assert scores(loaded(tmp_path / "hps.safetensors", version="v2.1")) == scores(scorer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual.proj": None}, r"1 tensors are missing, first visual\.proj"),
        ({"visual.head": torch.ones(2)}, r"1 tensors have no place in the model, first visual\.head"),
        ({"visual.proj": torch.ones(32, 25)}, r"visual\.proj has shape \(32, 25\), the model's has \(32, 24\)"),
        ({"visual.proj": torch.full((32, 24), torch.nan)}, r"visual\.proj is not finite"),
        ({"visual.proj": "a word"}, "no mapping of names to tensors"),
    ],
)
def test_other_tensors_are_one_clear_line(tensors: dict[str, torch.Tensor], tmp_path: Path, change: dict[str, Any], message: str) -> None:
    changed = {name: value for name, value in {**tensors, **change}.items() if value is not None}
    with pytest.raises(BenchError, match=message) as caught:
        loaded(write(tmp_path, changed))
    assert "\n" not in str(caught.value) and "fetch it again" in str(caught.value)


class _Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("hostile",)


@pytest.mark.parametrize("content", ["empty", "cut", "words", "pickle", "checkpoint"])
def test_a_damaged_or_hostile_file_is_one_clear_line(
    tensors: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, tensors)
    if content == "checkpoint":
        torch.save({"state_dict": tensors, "callback": _Hostile()}, file)
    else:
        whole = {"empty": b"", "cut": file.read_bytes()[:-5000], "words": b"version https://git-lfs", "pickle": pickle.dumps(_Hostile())}
        file.write_bytes(whole[content])
    with pytest.raises(BenchError, match="Cannot read the HPSv2 weights") as caught:
        loaded(file)
    assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)
    assert not (tmp_path / "hostile").exists()
