"""ImageReward on a tiny BLIP in the authors' layout: its numbers, its tokens, weights that are not what they should be."""

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
from bench.scorers.imagereward import ImageReward, prepare
from bench.tracks import load_track
from bench.types import Context, Sample

CONTEXT = Context(load_track("mini"))
SIDE, PATCH, VISION, TEXT, LAYERS = 48, 16, 128, 64, 2
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz0123456789.,'&",
    *(f"##{each}" for each in "abcdefghijklmnopqrstuvwxyz"),
]
WORDS += ["red", "circle", "cafe", "dog", "solid", "mint", "harbor"]
SCENE = Scene("circle", "red", "solid", "left", "mint", "harbor", None, 0, "cloud", 1, 7)
PICTURE = render(SCENE)[0]
RNG = np.random.default_rng(5)
IMAGES = [PICTURE, PICTURE[:, :20].copy(), *(RNG.integers(256, size=size, dtype=np.uint8) for size in ((64, 90, 3), (48, 48, 3), (101, 48, 3)))]
PROMPTS = ["a solid red circle on mint", "", "It's 2 cafés & a DOG!", "red " * 200, "[ENC] a harbor"]


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
        return values * 0.4 + (1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)
    return values * (1.0 if "embed" in name else 4 / shape[-1] ** 0.5)


def layer(name: str, after: int, before: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def shapes() -> dict[str, tuple[int, ...]]:
    """Return every tensor of the authors' file at a tiny size, by their names and in their order."""
    vision, text = "blip.visual_encoder", "blip.text_encoder"
    found: dict[str, tuple[int, ...]] = {f"{vision}.cls_token": (1, 1, VISION), f"{vision}.pos_embed": (1, (SIDE // PATCH) ** 2 + 1, VISION)}
    found |= {f"{vision}.patch_embed.proj.weight": (VISION, 3, PATCH, PATCH), f"{vision}.patch_embed.proj.bias": (VISION,)}
    for number in range(LAYERS):
        block = f"{vision}.blocks.{number}"
        found |= norm(f"{block}.norm1", VISION) | layer(f"{block}.attn.qkv", 3 * VISION, VISION) | layer(f"{block}.attn.proj", VISION, VISION)
        found |= norm(f"{block}.norm2", VISION) | layer(f"{block}.mlp.fc1", 160, VISION) | layer(f"{block}.mlp.fc2", VISION, 160)
    found |= norm(f"{vision}.norm", VISION) | {f"{text}.embeddings.position_ids": (1, 40)}
    found |= {f"{text}.embeddings.word_embeddings.weight": (len(WORDS) + 2, TEXT), f"{text}.embeddings.position_embeddings.weight": (40, TEXT)}
    found |= norm(f"{text}.embeddings.LayerNorm", TEXT)
    for number in range(LAYERS):
        block = f"{text}.encoder.layer.{number}"
        for attention, width in (("attention", TEXT), ("crossattention", VISION)):
            found |= layer(f"{block}.{attention}.self.query", TEXT, TEXT)
            found |= layer(f"{block}.{attention}.self.key", TEXT, width) | layer(f"{block}.{attention}.self.value", TEXT, width)
            found |= layer(f"{block}.{attention}.output.dense", TEXT, TEXT) | norm(f"{block}.{attention}.output.LayerNorm", TEXT)
        found |= layer(f"{block}.intermediate.dense", 96, TEXT) | layer(f"{block}.output.dense", TEXT, 96) | norm(f"{block}.output.LayerNorm", TEXT)
    found |= layer("blip.vision_proj", 16, VISION) | layer("blip.text_proj", 16, TEXT)
    for number, after, before in ((0, 24, TEXT), (2, 16, 24), (4, 8, 16), (6, 4, 8), (7, 1, 4)):
        found |= layer(f"mlp.layers.{number}", after, before)
    return found


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    made = {name: hand_made(name, shape) for name, shape in shapes().items()}
    return {**made, "blip.text_encoder.embeddings.position_ids": torch.arange(40)[None]}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    return folder


def write(folder: Path, tensors: Any) -> Path:
    torch.save(tensors, folder / "ImageReward.pt")
    return folder / "ImageReward.pt"


def loaded(weights: Path, tokenizer: Path) -> ImageReward:
    scorer = ImageReward(weights=str(weights), tokenizer=str(tokenizer), vision_layers=LAYERS, text_layers=LAYERS)
    scorer.load(CONTEXT)
    return scorer


@pytest.fixture(scope="module")
def scorer(tensors: dict[str, torch.Tensor], tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageReward:
    return loaded(write(tmp_path_factory.mktemp("reward"), tensors), tokenizer)


def scores(scorer: ImageReward) -> list[float]:
    return [row["imagereward"] for row in scorer.score(IMAGES, [sample(prompt) for prompt in PROMPTS])]


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Heads of 64, for (positions, width)."""
    query, key, value = (each.unflatten(-1, (-1, 64)).transpose(0, 1) for each in (query, key, value))
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(0, 1).flatten(1)


def by_hand(tensors: dict[str, torch.Tensor], pixels: torch.Tensor, tokens: list[int], words: int) -> float:
    """The model written out from the paper's description: ViT with norms first, BERT with norms last and a look at the image in between."""

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def normed(name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
        return torch.nn.functional.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps)

    gelu, v, t = torch.nn.functional.gelu, "blip.visual_encoder", "blip.text_encoder"
    patches = torch.nn.functional.conv2d(pixels[None], tensors[f"{v}.patch_embed.proj.weight"], tensors[f"{v}.patch_embed.proj.bias"], PATCH)[0]
    x = torch.cat([tensors[f"{v}.cls_token"][0], patches.flatten(1).T]) + tensors[f"{v}.pos_embed"][0]
    for number in range(LAYERS):
        block = f"{v}.blocks.{number}"
        x = x + linear(f"{block}.attn.proj", attend(*linear(f"{block}.attn.qkv", normed(f"{block}.norm1", x, 1e-6)).chunk(3, -1)))
        x = x + linear(f"{block}.mlp.fc2", gelu(linear(f"{block}.mlp.fc1", normed(f"{block}.norm2", x, 1e-6))))
    seen = normed(f"{v}.norm", x, 1e-6)
    y = tensors[f"{t}.embeddings.word_embeddings.weight"][tokens] + tensors[f"{t}.embeddings.position_embeddings.weight"][: len(tokens)]
    y, mask = normed(f"{t}.embeddings.LayerNorm", y, 1e-12), (torch.arange(len(tokens)) < words)[None, None]
    for number in range(LAYERS):
        block = f"{t}.encoder.layer.{number}"
        for attention, source, hidden in (("attention", None, mask), ("crossattention", seen, None)):
            name, origin = f"{block}.{attention}", y if source is None else source
            mixed = attend(linear(f"{name}.self.query", y), linear(f"{name}.self.key", origin), linear(f"{name}.self.value", origin), hidden)
            y = normed(f"{name}.output.LayerNorm", linear(f"{name}.output.dense", mixed) + y, 1e-12)
        y = normed(f"{block}.output.LayerNorm", linear(f"{block}.output.dense", gelu(linear(f"{block}.intermediate.dense", y))) + y, 1e-12)
    value = y[0]
    for number in (0, 2, 4, 6, 7):
        value = linear(f"mlp.layers.{number}", value)
    return (value.item() - 0.16717362830052426) / 1.0333394966054072


def test_the_score_is_the_models_written_out_by_hand(scorer: ImageReward, tensors: dict[str, torch.Tensor]) -> None:
    ids = {word: number for number, word in enumerate([*WORDS, "[DEC]", "[ENC]"])}
    texts = {
        PROMPTS[0]: ["a", "solid", "red", "circle", "o", "##n", "mint"],
        PROMPTS[1]: [],
        PROMPTS[2]: ["i", "##t", "'", "s", "2", "cafe", "##s", "&", "a", "dog", "[UNK]"],
        PROMPTS[3]: ["red"] * 33,
        PROMPTS[4]: ["[ENC]", "a", "harbor"],
    }
    for image, prompt, mine in zip(IMAGES, PROMPTS, scores(scorer), strict=True):
        tokens = [ids[word] for word in ("[CLS]", *texts[prompt], "[SEP]")]
        filled = tokens + [ids["[PAD]"]] * (35 - len(tokens))
        assert mine == pytest.approx(by_hand(tensors, prepare(image, SIDE), filled, len(tokens)), abs=5e-6)


def test_golden_values_of_a_rendered_scene(scorer: ImageReward) -> None:
    rows = scorer.score([PICTURE, PICTURE[:, :20].copy()], [sample(PROMPTS[0])] * 2)
    assert [row["imagereward"] for row in rows] == pytest.approx([-3.17572, -4.04428], abs=1e-4)


@pytest.mark.parametrize("size", [(48, 48), (48, 100), (101, 48), (31, 60)])
def test_the_middle_of_a_picture_is_seen_as_open_clip_sees_it(size: tuple[int, int]) -> None:
    import open_clip
    from PIL import Image

    image = np.random.default_rng(1).integers(256, size=(*size, 3), dtype=np.uint8)
    theirs = open_clip.image_transform(SIDE, is_train=False)(Image.fromarray(image))
    torch.testing.assert_close(prepare(image, SIDE), theirs, rtol=0, atol=1e-6)


def test_a_score_does_not_depend_on_its_neighbours(scorer: ImageReward) -> None:
    together = scorer.score(IMAGES, [sample(prompt) for prompt in PROMPTS])
    assert together == [scorer.score([image], [sample(prompt)])[0] for image, prompt in zip(IMAGES, PROMPTS, strict=True)]
    assert [set(row) for row in together] == [set(scorer.info.columns)] * len(IMAGES)


def test_what_the_scorer_says_of_itself(scorer: ImageReward, tokenizer: Path) -> None:
    assert (scorer.info.higher_is, scorer.info.proxy) == ("better", False)
    (tokenizer / "model.safetensors").write_bytes(b"BERT itself, which nothing reads")
    assert set(scorer.weights(CONTEXT)) == {"weights/ImageReward.pt", "tokenizer/vocab.txt", "tokenizer/tokenizer_config.json"}


def test_the_projections_that_no_reward_goes_through_may_be_left_out(
    tensors: dict[str, torch.Tensor], tokenizer: Path, scorer: ImageReward, tmp_path: Path
) -> None:
    kept = {name: value.clone() for name, value in tensors.items() if "_proj." not in name and "position_ids" not in name}
    save_file(kept, tmp_path / "reward.safetensors")
    assert scores(loaded(tmp_path / "reward.safetensors", tokenizer)) == scores(scorer)


def test_weights_that_are_not_there_are_not_available(tensors: dict[str, torch.Tensor], tokenizer: Path, tmp_path: Path) -> None:
    file = str(write(tmp_path, tensors))
    for parameters, message in (
        ({}, "has no weights on this track"),
        ({"weights": file}, "has no tokenizer on this track"),
        ({"weights": str(tokenizer), "tokenizer": str(tokenizer)}, r"reads ImageReward\.pt"),
    ):
        for call in (ImageReward(**parameters).weights, ImageReward(**parameters).load):
            with pytest.raises(NotAvailable, match=message):
                call(CONTEXT)


V, T = "blip.visual_encoder", "blip.text_encoder"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{V}.blocks.1.attn.qkv.weight": None}, rf"1 tensors are missing, first {V}\.blocks\.1\.attn\.qkv\.weight"),
        ({f"{T}.encoder.layer.1.crossattention.self.key.bias": None}, rf"first {T}\.encoder\.layer\.1\.crossattention\.self\.key\.bias"),
        ({f"{V}.pos_embed": None}, r"pos_embed is missing"),
        ({"mlp.layers.7.weight": None, "mlp.layers.7.bias": None}, "do not end in one number"),
        ({f"{V}.blocks.2.norm1.bias": torch.ones(VISION)}, rf"1 tensors have no place in the model, first {V}\.blocks\.2\.norm1\.bias"),
        ({f"{T}.pooler.dense.bias": torch.ones(TEXT)}, rf"no place in the model, first {T}\.pooler\.dense\.bias"),
        ({f"{T}.encoder.layer.0.crossattention.self.key.weight": torch.ones(TEXT, TEXT)}, r"has shape \(64, 64\), the model's has \(64, 128\)"),
        ({f"{V}.pos_embed": torch.ones(1, 12, VISION)}, "12 positions are no square"),
        ({f"{V}.pos_embed": torch.ones(12, VISION)}, "expected 3 dimensions"),
        ({f"{V}.pos_embed": torch.ones(1, 10, 100)}, "100 wide, which 64 does not divide"),
        ({f"{T}.embeddings.position_embeddings.weight": torch.ones(34, TEXT)}, "34 positions, a prompt has 35"),
        ({"mlp.layers.0.bias": torch.full((24,), torch.inf)}, r"mlp\.layers\.0\.bias is not finite"),
        ({"mlp.layers.0.bias": 3}, "no mapping of names to tensors"),
    ],
)
def test_other_tensors_are_one_clear_line(
    tensors: dict[str, torch.Tensor], tokenizer: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    changed = {name: value for name, value in {**tensors, **change}.items() if value is not None}
    with pytest.raises(BenchError, match=message) as caught:
        loaded(write(tmp_path, changed), tokenizer)
    assert "\n" not in str(caught.value) and "Fetch ImageReward.pt again" in str(caught.value)


def test_a_file_that_lost_its_last_layers_is_refused(tensors: dict[str, torch.Tensor], tokenizer: Path, tmp_path: Path) -> None:
    shallow = {name: value for name, value in tensors.items() if f"{V}.blocks.{LAYERS - 1}." not in name}
    with pytest.raises(BenchError, match=rf"12 tensors are missing, first {V}\.blocks\.1\."):
        loaded(write(tmp_path, shallow), tokenizer)


@pytest.mark.parametrize("content", ["empty", "cut", "another", "not json"])
def test_another_tokenizer_is_one_clear_line(tensors: dict[str, torch.Tensor], tmp_path: Path, content: str) -> None:
    folder = tmp_path / "bert"
    folder.mkdir()
    if content in ("cut", "another"):
        (folder / "vocab.txt").write_text("\n".join(WORDS[:-3] if content == "cut" else [*WORDS, "more"]))
    if content == "not json":
        (folder / "tokenizer.json").write_text("{")
    with pytest.raises(BenchError, match=r"Cannot read the tokenizer .* bert-base-uncased") as caught:
        loaded(write(tmp_path, tensors), folder)
    assert "\n" not in str(caught.value)


class _Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("hostile",)


@pytest.mark.parametrize("content", ["empty", "cut", "words", "pickle", "checkpoint"])
def test_a_damaged_or_hostile_file_is_one_clear_line(
    tensors: dict[str, torch.Tensor], tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, tensors)
    if content == "checkpoint":
        torch.save({**tensors, "callback": _Hostile()}, file)
    else:
        whole = {"empty": b"", "cut": file.read_bytes()[:-5000], "words": b"version https://git-lfs", "pickle": pickle.dumps(_Hostile())}
        file.write_bytes(whole[content])
    with pytest.raises(BenchError, match="Cannot read the ImageReward weights") as caught:
        loaded(file, tokenizer)
    assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)
    assert not (tmp_path / "hostile").exists()
