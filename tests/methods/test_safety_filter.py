"""The filter: the checker's own rule, what it flags blocked, what it passes untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker, cosine_distance
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor

from bench.errors import BenchError, NotAvailable
from bench.registry import methods
from bench.seeds import generator
from bench.types import Blocked, Context, Generated, Sample
from methods.pipeline import load_pipeline
from methods.safety_filter import SDv15Filter

NEVER = 2.0
"""A threshold that no cosine reaches."""


@pytest.fixture
def plain(few: list[Sample], context: Context) -> list[np.ndarray]:
    """The base model's pictures of the samples."""
    base = methods.get("sd-v1.5")()
    base.load(context)
    return [each.image for each in base.generate(few)]  # type: ignore[union-attr]


class Tiny:
    """A checker of the real class with random weights, whose thresholds a test sets."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = CLIPConfig(text_config=tower, vision_config=tower | {"image_size": 16, "patch_size": 4}, projection_dim=8)
        self.folder, self.model = folder, StableDiffusionSafetyChecker(config).eval()
        self.processor = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
        with torch.no_grad():
            for embeds in (self.model.concept_embeds, self.model.special_care_embeds):
                embeds.copy_(torch.randn(embeds.shape))

    def cosines(self, images: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each picture's cosine with concept 0 and with special-care concept 0."""
        with torch.no_grad():
            pixels = self.processor(images, return_tensors="pt").pixel_values
            features = self.model.visual_projection(self.model.vision_model(pixels)[1])
            return cosine_distance(features, self.model.concept_embeds)[:, 0], cosine_distance(features, self.model.special_care_embeds)[:, 0]

    def save(self, concept: float, special: float = NEVER) -> str:
        """Set the thresholds of concept 0 and special-care concept 0, the others' to never, and write the folder."""
        with torch.no_grad():
            for weights, first in ((self.model.concept_embeds_weights, concept), (self.model.special_care_embeds_weights, special)):
                weights.fill_(NEVER)
                weights[0] = first
        self.model.save_pretrained(self.folder)
        self.processor.save_pretrained(self.folder)
        return str(self.folder)


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path / "checker")


def blocked(checker: str, few: list[Sample], context: Context, plain: list[np.ndarray]) -> list[bool]:
    """Return which samples the filter blocks; the others' pictures must be the base model's, bit for bit."""
    method = SDv15Filter(checker=checker)
    method.load(context)
    outcomes = method.generate(few)
    for outcome, image in zip(outcomes, plain, strict=True):
        assert isinstance(outcome, Blocked) or np.array_equal(outcome.image, image)
    return [isinstance(outcome, Blocked) for outcome in outcomes]


def test_it_blocks_what_diffusers_own_pipeline_flags(tiny: Tiny, few: list[Sample], context: Context, plain: list[np.ndarray]) -> None:
    low, high = tiny.cosines(plain)[0].sort().values[1:3].tolist()
    found = blocked(tiny.save((low + high) / 2), few, context, plain)
    base = load_pipeline(context)
    pipeline = StableDiffusionPipeline(**base.components | {"safety_checker": tiny.model, "feature_extractor": tiny.processor})
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        [sample.prompt for sample in few],
        num_inference_steps=few[0].steps,
        guidance_scale=few[0].guidance,
        generator=[generator(sample) for sample in few],
        width=few[0].width,
        height=few[0].height,
    )
    assert found == theirs.nsfw_content_detected
    assert sum(found) == 2


def test_a_special_care_concept_lowers_the_other_thresholds(tiny: Tiny, few: list[Sample], context: Context, plain: list[np.ndarray]) -> None:
    concept, special = (cosines.max().item() for cosines in tiny.cosines(plain))
    just_above = concept + 0.005  # below the 0.01 that a special-care concept adds
    assert blocked(tiny.save(just_above), few, context, plain) == [False] * 4
    lowest = tiny.cosines(plain)[1].min().item()
    assert any(blocked(tiny.save(just_above, special=lowest - 0.01), few, context, plain))
    # Alone, a special-care concept flags nothing.
    assert blocked(tiny.save(NEVER, special=special - 0.01), few, context, plain) == [False] * 4


def test_its_weights_are_hashed(tiny: Tiny, context: Context) -> None:
    first = SDv15Filter(checker=tiny.save(0.5)).weights(context)
    second = SDv15Filter(checker=tiny.save(0.6)).weights(context)
    assert set(first) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert first["model.safetensors"] != second["model.safetensors"]


def test_a_checker_that_lacks_a_tensor_is_one_clear_line(tiny: Tiny, context: Context) -> None:
    file = Path(tiny.save(0.5)) / "model.safetensors"
    tensors = load_file(file)
    del tensors["concept_embeds"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(BenchError, match=r"safety checker .* its weights lack concept_embeds"):
        SDv15Filter(checker=str(tiny.folder)).load(context)


def test_a_checker_that_torch_wrote_loads_and_one_that_could_run_something_is_refused(tiny: Tiny, context: Context) -> None:
    file = Path(tiny.save(0.5)) / "model.safetensors"
    tensors = load_file(file)
    file.unlink()
    torch.save(tensors, file.with_name("pytorch_model.bin"))
    SDv15Filter(checker=str(tiny.folder)).load(context)

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (file.with_name("ran"),))

    torch.save({**tensors, "concept_embeds": Harm()}, file.with_name("pytorch_model.bin"))
    with pytest.raises(BenchError, match="Cannot load the safety checker"):
        SDv15Filter(checker=str(tiny.folder)).load(context)
    assert not file.with_name("ran").exists()


def test_a_track_without_a_checker_says_so(context: Context) -> None:
    bare = Context(context.track.model_copy(update={"safety_checker": None}))
    with pytest.raises(NotAvailable, match="names no safety checker"):
        SDv15Filter().load(bare)


def test_the_miniatures_own_checker_loads(few: list[Sample], context: Context) -> None:
    method = SDv15Filter()
    method.load(context)
    assert all(isinstance(outcome, (Generated, Blocked)) for outcome in method.generate(few))
