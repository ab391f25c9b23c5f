"""Learned tokens: every format gives the bits of diffusers' own pipeline, at every place in the prompt; what cannot act is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

from bench.errors import BenchError
from bench.seeds import generator
from bench.types import Context, Generated, Sample
from methods.embedding import Embedding

WIDTH = 32


def vectors(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def pictures(method: Embedding, samples: list[Sample], context: Context) -> np.ndarray:
    assert all(len(digest) == 64 for digest in method.weights(context).values()) and method.weights(context)
    method.load(context)
    return np.stack([outcome.image for outcome in method.generate(samples) if isinstance(outcome, Generated)])


def theirs(pipeline: Any, prompts: list[str], samples: list[Sample], negative: str | None = None) -> np.ndarray:
    pipeline.set_progress_bar_config(disable=True)
    found = pipeline(
        prompts,
        negative_prompt=None if negative is None else [negative] * len(samples),
        num_inference_steps=samples[0].steps,
        guidance_scale=samples[0].guidance,
        generator=[generator(sample) for sample in samples],
        width=32,
        height=32,
    ).images
    return np.stack([np.asarray(image) for image in found])


@pytest.fixture
def short(few: list[Sample]) -> list[Sample]:
    """Prompts that leave room."""
    texts = ["a red circle", "a blue square", "a <w> circle", "circle"]
    return [replace(sample, prompt=text) for sample, text in zip(few, texts, strict=True)]


def learned_embeds(folder: Path, count: int) -> Path:
    save_file({"<w>": vectors(count)}, folder / "learned_embeds.safetensors")
    return folder


def learned_embeds_bin(folder: Path, count: int) -> Path:
    torch.save({"<w>": vectors(count).squeeze(0)}, folder / "learned_embeds.bin")
    return folder / "learned_embeds.bin"


def a1111_pt(folder: Path, count: int) -> Path:
    content = {"string_to_token": {"*": 265}, "string_to_param": {"*": vectors(count)}, "name": "<w>", "step": 3, "sd_checkpoint": None}
    torch.save(content, folder / "any.pt")
    return folder / "any.pt"


def a1111_safetensors(folder: Path, count: int) -> Path:
    save_file({"emb_params": vectors(count)}, folder / "w.safetensors")
    return folder / "w.safetensors"


def bare_tensor(folder: Path, count: int) -> Path:
    torch.save(vectors(count), folder / "w.pt")
    return folder / "w.pt"


FORMATS = (learned_embeds, learned_embeds_bin, a1111_pt, a1111_safetensors, bare_tensor)


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("count", [1, 3])
def test_each_format_gives_the_bits_of_diffusers(
    write: Callable[[Path, int], Path], count: int, short: list[Sample], sd_context: Context, tiny_sd: Path, tmp_path: Path
) -> None:
    judge = StableDiffusionPipeline.from_pretrained(tiny_sd)
    base = theirs(judge, [each.prompt for each in short], short)
    judge.load_textual_inversion({"<w>": vectors(count)}, token="<w>")
    mine = pictures(Embedding(weights=str(write(tmp_path, count))), short, sd_context)
    assert np.array_equal(mine, theirs(judge, [f"{each.prompt} <w>" for each in short], short))
    assert not np.array_equal(mine, base)


def test_the_tokens_are_placed_as_asked(short: list[Sample], sd_context: Context, tiny_sd: Path, tmp_path: Path) -> None:
    judge = StableDiffusionPipeline.from_pretrained(tiny_sd)
    prompts = [each.prompt for each in short]
    base = theirs(judge, prompts, short)
    judge.load_textual_inversion({"<w>": vectors(2)}, token="<w>")
    path = str(learned_embeds(tmp_path, 2))
    named = pictures(Embedding(weights=path, placement="named"), short, sd_context)
    assert np.array_equal(named, theirs(judge, prompts, short))
    assert [not np.array_equal(a, b) for a, b in zip(named, base, strict=True)] == [False, False, True, False]
    negative = pictures(Embedding(weights=path, placement="negative"), short, sd_context)
    assert np.array_equal(negative, theirs(judge, prompts, short, negative="<w>"))


@pytest.mark.parametrize("pair", [("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1")])
@pytest.mark.parametrize("placement", ["append", "negative"])
def test_a_pair_for_sdxl_gives_the_bits_of_diffusers(
    pair: tuple[str, str], placement: str, short: list[Sample], xl_context: Context, tiny_sdxl: Path, tmp_path: Path
) -> None:
    file = tmp_path / "w.safetensors"
    save_file({pair[0]: vectors(2), pair[1]: vectors(2, seed=2)}, file)
    judge = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl, add_watermarker=False)
    judge.load_textual_inversion({"<w>": vectors(2)}, token="<w>", tokenizer=judge.tokenizer, text_encoder=judge.text_encoder)
    judge.load_textual_inversion({"<w>": vectors(2, seed=2)}, token="<w>", tokenizer=judge.tokenizer_2, text_encoder=judge.text_encoder_2)
    mine = pictures(Embedding(weights=str(file), placement=placement), short, xl_context)
    prompts = [each.prompt for each in short]
    expected = theirs(judge, prompts, short, "<w>") if placement == "negative" else theirs(judge, [f"{each} <w>" for each in prompts], short)
    assert np.array_equal(mine, expected)


def test_soft_prompts_of_several_files_are_all_appended(short: list[Sample], sd_context: Context, tiny_sd: Path, tmp_path: Path) -> None:
    judge = StableDiffusionPipeline.from_pretrained(tiny_sd)
    for seed, name in enumerate(("one", "two")):
        torch.save({f"<{name}>": vectors(1, seed)}, tmp_path / f"{name}.bin")
        judge.load_textual_inversion({f"<{name}>": vectors(1, seed)}, token=f"<{name}>")
    mine = pictures(Embedding(weights=str(tmp_path)), short, sd_context)
    assert np.array_equal(mine, theirs(judge, [f"{each.prompt} <one> <two>" for each in short], short))


def test_a_long_prompt_makes_room_for_the_tokens(few: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    method = Embedding(weights=str(learned_embeds(tmp_path, 3)))
    long = [replace(few[0], prompt="a red circle " * 20)]
    mine = pictures(method, long, sd_context)
    written = method._written(long[0].prompt)
    assert written.endswith(" <w>") and written.startswith("a red circle a red")
    tokenizer = method.sampler.pipeline.tokenizer
    ids = tokenizer(method.sampler.pipeline.maybe_convert_prompt(written, tokenizer)).input_ids
    assert len(ids) == tokenizer.model_max_length
    named = pictures(Embedding(weights=str(tmp_path), placement="named"), long, sd_context)
    assert not np.array_equal(mine, named)


@pytest.mark.parametrize(
    ("content", "parameters", "says"),
    [
        ({"<w>": torch.ones(1, 64)}, {}, "is 64 wide, and the base's text_encoder 32: it was learned for another model"),
        ({"circle</w>": torch.ones(1, WIDTH)}, {}, "names its token 'circle</w>', which the base knows already. Give another: --set token=NAME"),
        ({"<w>": torch.zeros(1, WIDTH)}, {}, "is all zeros"),
        ({"<w>": torch.full((1, WIDTH), float("nan"))}, {}, "is not finite"),
        ({"<w>": torch.ones(40, WIDTH)}, {}, r"alone are longer than a prompt may be \(16 tokens\)"),
        ({"<w>": torch.ones(2, 2, WIDTH)}, {}, r"has shape \(2, 2, 32\)"),
        ({"clip_l": torch.ones(1, WIDTH), "clip_g": torch.ones(1, WIDTH)}, {}, "learned for SDXL .* this track's base is Stable Diffusion"),
        ({"clip_l": torch.ones(1, WIDTH)}, {}, "it has no clip_g"),
        ({"<w>": torch.ones(1, WIDTH)}, {"placement": "before"}, "needs placement to be one of: append, negative, named; got 'before'"),
        ({"<a>": torch.ones(WIDTH), "<b>": torch.ones(WIDTH)}, {"token": "<c>"}, "holds 2 tokens"),
        ({"step": 3}, {}, "it is no embedding"),
        ({"<w>": torch.ones(1, WIDTH)}, {"token": "circle"}, "names its token 'circle', which the base knows already"),
        ({"<w>": torch.ones(1, WIDTH)}, {"token": " "}, "needs token to be one word, as prompts write it; got ' '"),
        ({"<w>": torch.ones(1, WIDTH)}, {"token": ""}, "needs token to be one word"),
        ({"<w>": torch.ones(1, WIDTH)}, {"token": "two words"}, "needs token to be one word"),
        ({"<w>": torch.ones(1, WIDTH)}, {"token": ["a"]}, "needs token to be one word"),
        ({"<w>": torch.ones(1, WIDTH)}, {"token": 123}, "needs token to be one word"),
    ],
)
def test_what_cannot_act_is_refused(content: dict[str, Any], parameters: dict[str, Any], says: str, sd_context: Context, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(BenchError, match=says) as raised:
        Embedding(weights=str(tmp_path / "w.pt"), **parameters).load(sd_context)
    assert "\n" not in str(raised.value)


def test_a_folder_of_several_forms_is_taken_whole(short: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    save_file({"emb_params": vectors(1)}, tmp_path / "first.safetensors")
    save_file({"<w>": vectors(1, 2).half()}, tmp_path / "second.fp16.safetensors")
    torch.save({"<v>": vectors(1, 3)}, tmp_path / "third.pt")
    method = Embedding(weights=str(tmp_path))
    assert len(method.weights(sd_context)) == 3
    method.load(sd_context)
    assert method.tokens == ["<first>", "<w>", "<v>"]


def test_two_files_of_one_token_are_refused(sd_context: Context, tmp_path: Path) -> None:
    for name in ("learned_embeds", "learned_embeds-steps-500"):
        save_file({"<w>": vectors(1)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(BenchError, match="both hold the token '<w>': which counts is not said"):
        Embedding(weights=str(tmp_path)).load(sd_context)


def test_one_encoders_tokens_are_refused_on_sdxl(xl_context: Context, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"learned for one text encoder, and this track's base has 2 \(SDXL\): expected clip_l and clip_g"):
        Embedding(weights=str(learned_embeds(tmp_path, 1))).load(xl_context)


def test_a_pickle_of_more_than_tensors_is_refused(sd_context: Context, tmp_path: Path) -> None:
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors(1))})
    torch.save({"string_to_param": parameters, "name": "<w>"}, tmp_path / "ldm.pt")
    with pytest.raises(BenchError, match=r"holds more than tensors, .* save it as {token: vectors} in safetensors"):
        Embedding(weights=str(tmp_path / "ldm.pt")).load(sd_context)


@pytest.mark.parametrize(("placement", "reached"), [("append", "1111"), ("negative", "1111"), ("named", "0010")])
def test_it_counts_the_prompts_that_its_tokens_enter(placement: str, reached: str, short: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    method = Embedding(weights=str(learned_embeds(tmp_path, 2)), placement=placement)
    method.load(sd_context)
    found = [each.acted for each in method.generate(short) if isinstance(each, Generated)]
    assert found == [6 * int(each) for each in reached]


def test_a_token_behind_what_is_cut_off_does_not_act(short: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    method = Embedding(weights=str(learned_embeds(tmp_path, 1)), placement="named")
    method.load(sd_context)
    long = [replace(each, prompt=f"{'red circle ' * 20}<w>") for each in short]
    assert [each.acted for each in method.generate(long) if isinstance(each, Generated)] == [0] * 4


@pytest.mark.parametrize(
    ("parameters", "guidance", "says"),
    [
        ({"placement": "named"}, 4.0, "no prompt writes <w>, so its images would be the base's"),
        ({"placement": "named", "token": "<v>"}, 4.0, "no prompt writes <v>"),
        ({"placement": "named", "token": "circle"}, 4.0, ""),
        ({"placement": "negative"}, 1.0, "acts by guidance, and none is computed here"),
        ({}, 1.0, ""),
    ],
)
def test_it_says_beforehand_where_it_cannot_act(
    parameters: dict[str, str], guidance: float, says: str, short: list[Sample], sd_context: Context, tmp_path: Path
) -> None:
    method = Embedding(weights=str(learned_embeds(tmp_path, 1)), **parameters)
    found = method.cannot_act(sd_context, replace(short[0], guidance=guidance))
    assert says in found and bool(says) is bool(found)


def test_a_name_of_ones_own_is_what_prompts_write(short: list[Sample], sd_context: Context, tmp_path: Path) -> None:
    named = [replace(each, prompt=f"{each.prompt} qxz") for each in short]
    path = str(learned_embeds(tmp_path, 2))
    own = pictures(Embedding(weights=path, placement="named", token="qxz"), named, sd_context)
    assert np.array_equal(own, pictures(Embedding(weights=path, token="qxz"), short, sd_context))
