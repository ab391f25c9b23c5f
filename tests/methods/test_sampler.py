"""Our loop against diffusers' own pipeline: the same bits at the same batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.seeds import generator
from bench.tracks.schedulers import SCHEDULERS
from bench.types import Context, Sample
from methods.pipeline import load_pipeline
from methods.sampler import Sampler


@pytest.mark.parametrize(
    "name",
    [
        "DDIMScheduler",
        "PNDMScheduler",
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
        "DDPMScheduler",
        "TCDScheduler",
        "LCMScheduler",
    ],
)
def test_the_loop_gives_the_bits_of_diffusers(name: str, few: list[Sample], context: Context) -> None:
    pipeline = load_pipeline(context)
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    mine = [each.image for each in Sampler(pipeline).generate(few)]
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        [sample.prompt for sample in few],
        num_inference_steps=6,
        guidance_scale=few[0].guidance,
        generator=[generator(sample) for sample in few],
        width=32,
        height=32,
    ).images
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DDIMScheduler"])
@pytest.mark.parametrize("zeros", [True, False])
def test_the_loop_gives_the_bits_of_diffusers_sdxl(name: str, zeros: bool, few: list[Sample], xl_context: Context) -> None:
    pipeline = load_pipeline(xl_context)
    pipeline.register_to_config(force_zeros_for_empty_prompt=zeros)
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    mine = [each.image for each in Sampler(pipeline).generate(few)]
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        [sample.prompt for sample in few],
        num_inference_steps=6,
        guidance_scale=few[0].guidance,
        generator=[generator(sample) for sample in few],
        width=32,
        height=32,
    ).images
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(mine, theirs, strict=True))


SD_AND_XL = pytest.mark.parametrize("kind", ["sd_context", "xl_context"])


@SD_AND_XL
@pytest.mark.parametrize("name", ["DDIMScheduler", "TCDScheduler", "EulerAncestralDiscreteScheduler"])
def test_what_a_step_is_told_is_what_diffusers_tells_it(kind: str, name: str, few: list[Sample], request: pytest.FixtureRequest) -> None:
    pipeline = load_pipeline(request.getfixturevalue(kind))
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    assert same_as_diffusers(pipeline, few)


@SD_AND_XL
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gives_the_bits_of_diffusers(kind: str, dtype: str, few: list[Sample], request: pytest.FixtureRequest) -> None:
    pipeline = load_pipeline(replace(request.getfixturevalue(kind), dtype=dtype))
    assert pipeline.vae.config.force_upcast
    assert same_as_diffusers(pipeline, few)
    # Stable Diffusion's autoencoder stays in half precision, as its pipeline has it; SDXL's would overflow.
    assert pipeline.vae.dtype == (torch.float32 if (kind, dtype) == ("xl_context", "float16") else getattr(torch, dtype))


def same_as_diffusers(pipeline: Any, samples: list[Sample]) -> bool:
    """Whether our loop and the pipeline's own call give the same bits; ours goes first, on a copy of the autoencoder's precision."""
    mine = [each.image for each in Sampler(pipeline).generate(samples)]
    pipeline.vae.to(pipeline.unet.dtype)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        [sample.prompt for sample in samples],
        num_inference_steps=samples[0].steps,
        guidance_scale=samples[0].guidance,
        generator=[generator(sample) for sample in samples],
        width=32,
        height=32,
    ).images
    Sampler(pipeline).generate(samples[:1])  # leaves the autoencoder as our loop does
    return all(np.array_equal(a, np.asarray(b)) for a, b in zip(mine, theirs, strict=True))


def test_a_prompt_that_is_too_long_is_cut_off_as_diffusers_does(few: list[Sample], context: Context) -> None:
    sampler = Sampler(load_pipeline(context))
    prompts = ["a red circle " * 20, "a red circle"]
    with torch.no_grad():
        theirs = sampler.pipeline.encode_prompt(prompts, "cpu", 1, False)[0]
        assert torch.equal(sampler.encode(prompts).states, theirs)


def test_the_initial_noise_is_the_samples_own_at_any_batch(few: list[Sample], context: Context) -> None:
    pipeline = load_pipeline(context)
    sampler, seen = Sampler(pipeline), []
    pipeline.unet.register_forward_pre_hook(lambda module, args: seen.append(args[0].chunk(2)[0].clone()))
    noise = []
    for batch in (few, few[::-1], *([sample] for sample in few)):
        seen.clear()
        sampler.generate(batch)
        noise.append(seen[0])
    together, reversed_, *alone = noise
    assert torch.equal(together, reversed_.flip(0))
    assert torch.equal(together, torch.cat(alone))


def test_nan_is_named(few: list[Sample], context: Context) -> None:
    pipeline = load_pipeline(context)
    with torch.no_grad():
        pipeline.vae.post_quant_conv.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=f"NaN or infinite values for {few[0].prompt_id}"):
        Sampler(pipeline).generate(few)


@pytest.mark.parametrize(
    ("scheduler", "says"),
    [
        ({"class": "FlowMatchEulerDiscreteScheduler"}, "FlowMatchEulerDiscreteScheduler, which is for flow matching"),
        ({"class": "LTXEulerAncestralRFScheduler"}, "which is for the noise of LTXEulerAncestralRFScheduler"),
        ({"class": "KarrasVeScheduler"}, "which is for the noise of KarrasVeScheduler"),
        ({"class": "EDMEulerScheduler"}, "which is for the noise of EDM"),
        ({"class": "IPNDMScheduler"}, "which is for the noise of IPNDMScheduler"),
        ({"class": "RePaintScheduler"}, "RePaintScheduler, which does not step as Stable Diffusion's schedulers do at 20 steps: "),
        ({"class": "DDIMScheduler", "prediction_type": "nonsense"}, "DDIMScheduler, which does not step .*nonsense"),
        ({"class": "DDIMScheduler", "prediction_type": "flow_prediction"}, "DDIMScheduler, which does not step .*flow_prediction"),
    ],
    ids=lambda value: value.get("prediction_type", value["class"]) if isinstance(value, dict) else "",
)
def test_a_scheduler_that_cannot_be_driven_is_refused_before_generating(scheduler: dict[str, str], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says) as raised:
        load_pipeline(Context(context.track.model_copy(update={"scheduler": scheduler})))
    assert "\n" not in str(raised.value) and "same command again" not in str(raised.value)


@pytest.mark.parametrize("name", sorted({str(options["class"]) for options in SCHEDULERS.values()} | {"LCMScheduler", "TCDScheduler"}))
def test_every_sampler_that_has_a_name_can_be_driven(name: str, context: Context) -> None:
    load_pipeline(Context(context.track.model_copy(update={"scheduler": {"class": name}})))
