"""SLD: the golden scalars of its formula, and diffusers' own (deprecated) pipeline, side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionPipelineSafe
from transformers import CLIPTextConfig, CLIPTextModel

from bench.errors import BenchError, NotAvailable
from bench.registry import methods
from bench.seeds import generator
from bench.types import Context, Generated, Sample
from methods.pipeline import load_pipeline
from methods.sld import SafetyGuidance, SLDMax, SLDMedium, SLDStrong, SLDWeak

SEQUENCE = [(0.1, 0.3, 0.5), (0.1, 0.3, 0.2999), (0.1, 0.5, 0.2), (0.0, 0.2, 0.1995), (0.0, 0.2, 0.21)]
GOLDEN = [
    (SLDStrong, 0, [-1.4, 0.85015, 2.672523, -0.359606, -0.60829]),
    (SLDStrong, 2, [1.6, 1.6, 2.672523, -0.359606, -0.60829]),
    (SLDMedium, 0, [-1.4, 0.910075, 2.759814, 0.554567, -0.324101]),
    (SLDMax, 0, [-1.4, 0.400375, 1.855056, -0.529452, -0.752659]),
]
PRESET = ("warmup", "scale", "threshold", "momentum_scale", "momentum_beta")


@pytest.mark.parametrize(("kind", "warmup", "expected"), GOLDEN)
def test_golden_scalars(kind: type, warmup: int, expected: list[float]) -> None:
    preset = {name: kind.info.defaults[name] for name in PRESET} | {"warmup": warmup}
    guidance = SafetyGuidance("x", **preset)
    found = []
    for step, values in enumerate(SEQUENCE):
        u, p, s = (torch.tensor([value], dtype=torch.float64) for value in values)
        found.append(float(guidance.combine([u, p, s], 7.5, step)))
    np.testing.assert_allclose(found, expected, atol=5e-7)


@pytest.mark.parametrize(
    ("kind", "scheduler"),
    [
        (SLDWeak, "DDIMScheduler"),
        (SLDMedium, "DDIMScheduler"),
        (SLDStrong, "DDIMScheduler"),
        (SLDMax, "DDIMScheduler"),
        (SLDMax, "PNDMScheduler"),
        (SLDMax, "DPMSolverMultistepScheduler"),
        (SLDMax, "EulerDiscreteScheduler"),
    ],
)
def test_the_bits_of_diffusers_pipeline(kind: type, scheduler: str, few: list[Sample], context: Context) -> None:
    context = Context(context.track.model_copy(update={"scheduler": {"class": scheduler}}))
    method = kind(warmup=2)
    method.load(context)
    mine = [each.image for each in method.generate(few) if isinstance(each, Generated)]
    plain = load_pipeline(context)
    theirs = StableDiffusionPipelineSafe(
        **{name: plain.components[name] for name in ("vae", "text_encoder", "tokenizer", "unet", "scheduler")},
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    theirs.safety_concept = ", ".join(context.track.concepts["sld"])
    theirs.set_progress_bar_config(disable=True)
    images = theirs(
        [sample.prompt for sample in few],
        num_inference_steps=6,
        guidance_scale=few[0].guidance,
        generator=[generator(sample) for sample in few],
        width=32,
        height=32,
        sld_warmup_steps=2,
        sld_guidance_scale=method.parameters["scale"],
        sld_threshold=method.parameters["threshold"],
        sld_momentum_scale=method.parameters["momentum_scale"],
        sld_mom_beta=method.parameters["momentum_beta"],
    ).images
    assert len(mine) == len(few)
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(mine, images, strict=True))


@pytest.mark.parametrize(("variant", "scale", "plain"), [("diffusers", 1.0, True), ("original", 1.0, False), ("original", 0.5, True)])
def test_where_each_variant_switches_off(variant: str, scale: float, plain: bool, few: list[Sample], context: Context) -> None:
    base, method = methods.get("sd-v1.5")(), SLDMax(variant=variant, scale=scale, threshold=10.0)
    base.load(context)
    method.load(context)
    same = all(np.array_equal(a.image, b.image) for a, b in zip(base.generate(few), method.generate(few), strict=True))  # type: ignore[union-attr]
    assert same is plain


@pytest.mark.parametrize("base", ["context", "sd_context", "xl_context"])
def test_at_zero_strength_it_is_plain_sampling_bit_for_bit(base: str, few: list[Sample], request: pytest.FixtureRequest) -> None:
    where: Context = request.getfixturevalue(base)
    plain, method = methods.get("sd-v1.5")(), SLDMax(scale=0.0)
    plain.load(where)
    method.load(where)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(plain.generate(few), method.generate(few), strict=True))  # type: ignore[union-attr]


@pytest.mark.parametrize("base", ["sd_context", "xl_context"])
def test_where_no_element_passes_the_threshold_it_is_plain_sampling(base: str, few: list[Sample], request: pytest.FixtureRequest) -> None:
    where: Context = request.getfixturevalue(base)
    plain, method = methods.get("sd-v1.5")(), SLDMax(threshold=-1e6)
    plain.load(where)
    method.load(where)
    for a, b in zip(plain.generate(few), method.generate(few), strict=True):  # three predictions in one batch round otherwise than two
        assert int(np.abs(a.image.astype(int) - b.image.astype(int)).max()) <= 2  # type: ignore[union-attr]


@pytest.fixture
def as_long_as_clip(tiny_sd: Path, tmp_path: Path) -> str:
    """A tiny Stable Diffusion that reads 77 tokens."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None, requires_safety_checker=False)
    pipeline.tokenizer.model_max_length = 77
    settings = {**pipeline.text_encoder.config.to_dict(), "max_position_embeddings": 77}
    torch.manual_seed(4)
    pipeline.text_encoder = CLIPTextModel(CLIPTextConfig(**settings))
    pipeline.save_pretrained(tmp_path / "long")
    return str(tmp_path / "long")


@pytest.mark.parametrize("proxy", [True, False])
def test_the_variants_differ_in_the_concepts_prefix_where_the_base_reads_as_much_as_clip(proxy: bool, as_long_as_clip: str, context: Context) -> None:
    """And by nothing else of the track: what decides a picture is in the run's id."""
    real = Context(context.track.model_copy(update={"proxy": proxy, "base": as_long_as_clip}))
    mini = Context(context.track.model_copy(update={"proxy": proxy}))
    for where, variant, expected in (
        (real, "original", ""),
        (real, "diffusers", "an image showing "),
        (mini, "original", ""),
        (mini, "diffusers", ""),
    ):
        method = SLDMax(variant=variant, concept="plain words")
        method.load(where)
        assert method._concept == f"{expected}plain words"


@pytest.mark.parametrize("concept", ["", " "])
def test_a_concept_that_names_nothing_is_not_the_tracks(concept: str) -> None:
    says = f"sld-max needs concept to be one text that names something, .*; got '{concept}'. Give one, or leave it out"
    with pytest.raises(BenchError, match=says):
        SLDMax(concept=concept)


def test_a_track_without_a_concept_says_so(context: Context) -> None:
    bare = Context(context.track.model_copy(update={"concepts": {}}))
    with pytest.raises(NotAvailable, match="no safety concept for sld-weak"):
        SLDWeak().load(bare)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"scale": "abc"}, "needs scale to be a number; got 'abc'"),
        ({"warmup": None}, "needs warmup to be a number of at least 0; got None"),
        ({"threshold": float("nan")}, "needs threshold to be a number; got nan"),
        ({"concept": ["plain", "words"]}, "needs concept to be one text"),
        ({"variant": "paper"}, "needs variant to be one of: diffusers, original"),
    ],
)
def test_an_unfit_parameter_is_one_clear_line(bad: dict[str, object], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says):
        SLDMax(**bad).load(context)


def test_a_prompt_that_is_too_long_is_cut_as_the_variants_own_code_cuts_it(few: list[Sample], context: Context) -> None:
    long = [replace(few[0], prompt="a red ball " * 20), few[1]]
    found = {}
    for variant in ("diffusers", "original"):
        method = SLDMax(variant=variant)
        method.load(context)
        tokenizer, encoder = method.sampler.pipeline.tokenizer, method.sampler.pipeline.text_encoder
        guidance = SafetyGuidance("x", 0, 5000.0, 1.0, 0.5, 0.7, cut_end=variant == "original")
        guidance.begin(method.sampler, long)
        found[variant] = guidance.encoded[1].states
    whole = tokenizer(long[0].prompt).input_ids
    assert len(whole) > tokenizer.model_max_length
    # The authors' package tokenises without truncation and slices, which loses the end token.
    sliced = encoder(torch.tensor([whole[: tokenizer.model_max_length]]))[0]
    torch.testing.assert_close(found["original"][:1], sliced, rtol=0, atol=1e-6)
    assert (found["original"][0] - found["diffusers"][0]).abs().max() > 1e-3
    torch.testing.assert_close(found["original"][1], found["diffusers"][1], rtol=0, atol=1e-6)
