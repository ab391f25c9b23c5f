"""Where pictures come from: real pipelines of two families, the image-to-image pass, methods that block, damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from bench.errors import BenchError, NotAvailable
from training.libraalign.coarse import make_pictures
from training.libraalign.prompts import Prompt
from training.libraalign.sources import ImageToImage, MethodSource, PictureSource, PipelineSource, SourceSettings, make_source

if TYPE_CHECKING:
    from bench.types import Image

PROMPTS = ["a solid red circle on white background", "a hollow blue square at garden", "a striped green cross"]
SEEDS = [11, 12, 13]
FAMILIES = ["tiny_sd", "tiny_sdxl"]


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def source(folder: Path, batch: int = 3, **changes: Any) -> PictureSource:
    return make_source(SourceSettings(**{"name": "tiny", "pipeline": str(folder), "steps": 2, "guidance": 3.0} | changes), "cpu", "float32", batch)


def editor(folder: Path, strength: float = 0.5, batch: int = 3, **changes: Any) -> ImageToImage:
    given = {"steps": 4, "guidance": 3.0, "device": "cpu", "dtype": "float32", "scheduler": {}} | changes
    return ImageToImage(str(folder), strength=strength, batch=batch, **given)


def start(count: int = 3) -> list[Image]:
    return list(np.random.default_rng(5).integers(256, size=(count, 32, 32, 3), dtype=np.uint8))


def apart(one: Image | None, other: Image | None) -> int:
    """The largest difference between two pictures."""
    assert one is not None and other is not None and one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_a_picture_is_its_prompts_and_seeds_whatever_the_batch(folder: Path) -> None:
    together = source(folder).make(PROMPTS, SEEDS)
    assert all(each is not None and each.shape == (32, 32, 3) and each.dtype == np.uint8 for each in together)
    one_by_one = source(folder, batch=1)
    alone = [one_by_one.make([prompt], [seed])[0] for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
    turned = source(folder, batch=2).make(PROMPTS[::-1], SEEDS[::-1])[::-1]
    for a, b, c in zip(together, alone, turned, strict=True):
        assert apart(a, b) <= 2 and apart(a, c) <= 2
    assert min(apart(together[0], together[1]), apart(together[1], together[2])) > 20


def test_another_seed_and_another_prompt_are_another_picture(folder: Path) -> None:
    first, same, seed, prompt = source(folder, batch=4).make([PROMPTS[0]] * 3 + [PROMPTS[1]], [1, 1, 2, 1])
    assert apart(first, same) <= 2
    assert apart(first, seed) > 20 and apart(first, prompt) > 2


def test_a_pipelines_size_can_be_set(tiny_sd: Path) -> None:
    (made,) = source(tiny_sd, width=24, height=16).make(PROMPTS[:1], SEEDS[:1])
    assert made is not None and made.shape == (16, 24, 3)


def test_no_prompt_is_no_picture(tiny_sd: Path) -> None:
    assert source(tiny_sd).make([], []) == [] and editor(tiny_sd).make([], [], []) == []


def test_an_edit_is_its_own_whatever_the_batch(folder: Path) -> None:
    images = start()
    together = editor(folder).make(images, PROMPTS, SEEDS)
    one_by_one = editor(folder, batch=1)
    alone = [one_by_one.make([image], [prompt], [seed])[0] for image, prompt, seed in zip(images, PROMPTS, SEEDS, strict=True)]
    assert len(together) == 3 and all(apart(a, b) <= 2 for a, b in zip(together, alone, strict=True))
    assert min(apart(together[0], together[1]), apart(together[1], together[2])) > 20
    assert apart(one_by_one.make(images[:1], PROMPTS[:1], [99])[0], together[0]) > 20


def test_strength_decides_how_much_is_made_anew(folder: Path) -> None:
    images, again = start(1), start(1)
    half, whole = (editor(folder, strength).make(images, PROMPTS[:1], SEEDS[:1])[0] for strength in (0.5, 1.0))
    assert apart(half, whole) > 20
    assert apart(images[0], again[0]) == 0  # what it starts from is left as it was


def test_at_strength_one_the_picture_that_it_starts_from_hardly_counts(tiny_sd: Path) -> None:
    """The noise of the last step of the schedule covers nearly all, so two very unlike starts end alike, and at a low strength they do not."""
    unlike = [np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)]

    def distance(strength: float) -> float:
        one, other = editor(tiny_sd, strength).make(unlike, PROMPTS[:1] * 2, [3, 3])
        return float(np.abs(one.astype(int) - other.astype(int)).mean())

    assert distance(1.0) < 0.5 * distance(0.25)


def test_the_editors_scheduler_can_be_another(tiny_sd: Path) -> None:
    given = {"class": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}
    own, other = (editor(tiny_sd, scheduler=each) for each in ({}, given))
    assert apart(own.make(start(1), PROMPTS[:1], SEEDS[:1])[0], other.make(start(1), PROMPTS[:1], SEEDS[:1])[0]) > 2
    assert own.identity() != other.identity() and given == {"class": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}


def test_an_unknown_scheduler_is_one_clear_line(tiny_sd: Path) -> None:
    with pytest.raises(BenchError, match="NoScheduler") as caught:
        editor(tiny_sd, scheduler={"class": "NoScheduler"}).make(start(1), PROMPTS[:1], SEEDS[:1])
    assert "\n" not in str(caught.value)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def drop_tensor(path: Path) -> None:
    tensors = load_file(path)
    del tensors[next(name for name in sorted(tensors) if "attn" in name or "conv" in name)]
    save_file(tensors, path, metadata={"format": "pt"})


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no index": lambda folder: (folder / "model_index.json").unlink(),
    "an index that is no JSON": lambda folder: (folder / "model_index.json").write_text("{"),
    "an index of an unknown class": lambda folder: (folder / "model_index.json").write_text(json.dumps({"_class_name": "NoPipeline"})),
    "no denoiser": lambda folder: shutil.rmtree(folder / "unet"),
    "a truncated denoiser": lambda folder: truncate(folder / "unet" / "diffusion_pytorch_model.safetensors"),
    "a denoiser that lacks a tensor": lambda folder: drop_tensor(folder / "unet" / "diffusion_pytorch_model.safetensors"),
    "a decoder that lacks a tensor": lambda folder: drop_tensor(folder / "vae" / "diffusion_pytorch_model.safetensors"),
    "a truncated text encoder": lambda folder: truncate(folder / "text_encoder" / "model.safetensors"),
    "a text encoder that lacks a tensor": lambda folder: drop_tensor(folder / "text_encoder" / "model.safetensors"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_pipeline_is_one_clear_line(tiny_sd: Path, tmp_path: Path, damage: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_sd, broken)
    DAMAGE[damage](broken)
    for make in (lambda: source(broken).make(PROMPTS[:1], SEEDS[:1]), lambda: editor(broken).make(start(1), PROMPTS[:1], SEEDS[:1])):
        with pytest.raises(BenchError, match="Cannot load the pipeline") as caught:
            make()
        assert str(broken) in str(caught.value) and "\n" not in str(caught.value)


def test_a_second_text_encoder_that_lacks_a_tensor_is_seen_too(tiny_sdxl: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_sdxl, broken)
    drop_tensor(broken / "text_encoder_2" / "model.safetensors")
    with pytest.raises(BenchError, match=r"lack \S*attn"):
        source(broken).make(PROMPTS[:1], SEEDS[:1])


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    for make in (source, editor):
        with pytest.raises(NotAvailable, match="No weights at"):
            make(tmp_path / "nowhere")


def test_a_source_has_either_a_method_or_a_pipeline(tiny_sd: Path) -> None:
    for given in ({}, {"method": "black", "pipeline": str(tiny_sd)}):
        with pytest.raises(ValidationError, match="either a method or a pipeline"):
            SourceSettings(name="x", **given)
    with pytest.raises(ValidationError, match="Extra inputs"):
        SourceSettings(name="x", method="black", step=2)  # type: ignore[call-arg]


def test_the_kind_of_a_source_is_its_settings(tiny_sd: Path) -> None:
    assert isinstance(source(tiny_sd), PipelineSource)
    assert isinstance(make_source(SourceSettings(name="x", method="black"), "cpu", "float32", 1), MethodSource)


def test_an_unknown_method_is_one_clear_line() -> None:
    with pytest.raises(BenchError, match="Did you mean 'black'"):
        make_source(SourceSettings(name="x", method="blakc"), "cpu", "float32", 1)


def test_a_method_that_blocks_makes_no_picture() -> None:
    black = make_source(SourceSettings(name="black", method="black"), "cpu", "float32", 1)
    assert black.make(PROMPTS, SEEDS) == [None, None, None]


def test_an_identity_changes_with_what_decides_the_pictures(tiny_sd: Path, tiny_sdxl: Path) -> None:
    identities = [
        source(tiny_sd).identity(),
        source(tiny_sd, steps=3).identity(),
        source(tiny_sdxl).identity(),
        make_source(SourceSettings(name="tiny", method="black"), "cpu", "float32", 1).identity(),
    ]
    assert len({json.dumps(each, sort_keys=True) for each in identities}) == len(identities)
    assert json.dumps(source(tiny_sd).identity()) == json.dumps(identities[0])


def prompts(*numbers: int) -> list[Prompt]:
    return [Prompt(f"harmful-{number:06d}", PROMPTS[number % 3], "hate") for number in numbers]


def test_pictures_of_a_prompt_do_not_depend_on_its_neighbours(tiny_sd: Path) -> None:
    sources = [source(tiny_sd), source(tiny_sd, name="other", guidance=1.0)]
    whole, refused = make_pictures(prompts(0, 1, 2, 3), sources, 2, seed=4)
    assert len(whole) == 8 and refused == 0 and {picture.source for picture in whole} == {"tiny", "other"}
    assert [picture.prompt for picture in whole] == [PROMPTS[number % 3] for number in (0, 0, 1, 1, 2, 2, 3, 3)]
    assert len({picture.seed for picture in whole}) == 8
    again, _ = make_pictures(prompts(0, 1, 2, 3), sources, 2, seed=4)
    assert all(np.array_equal(one.image, other.image) for one, other in zip(whole, again, strict=True))
    part, _ = make_pictures(prompts(3, 1), sources, 2, seed=4)
    for one, other in zip(part, [*whole[6:], *whole[2:4]], strict=True):
        assert (one.prompt, one.category, one.source, one.seed) == (other.prompt, other.category, other.source, other.seed)
        assert apart(one.image, other.image) <= 2
    other_seed, _ = make_pictures(prompts(0), sources, 2, seed=5)
    assert not {picture.seed for picture in other_seed} & {picture.seed for picture in whole}


def test_refused_pictures_are_counted_and_the_others_keep_their_order(tiny_sd: Path) -> None:
    black = make_source(SourceSettings(name="black", method="black"), "cpu", "float32", 1)
    numbers = tuple(range(8))
    made, refused = make_pictures(prompts(*numbers), [source(tiny_sd), black], 1, seed=4)
    whole, _ = make_pictures(prompts(*numbers), [source(tiny_sd), source(tiny_sd, name="other")], 1, seed=4)
    assert 0 < refused < 8 and len(made) == 8 - refused
    assert [picture.seed for picture in made] == [picture.seed for picture in whole if picture.source == "tiny"]
