"""Our loop against diffusers' own pipeline: the same bits at the same batch."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest

from bench.seeds import generator
from bench.types import Context, Sample
from methods.pipeline import load_pipeline
from methods.sampler import Sampler


@pytest.mark.parametrize(
    "name", ["DDIMScheduler", "PNDMScheduler", "DPMSolverMultistepScheduler", "EulerAncestralDiscreteScheduler", "DDPMScheduler"]
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


def test_nan_is_named(few: list[Sample], context: Context) -> None:
    import torch

    pipeline = load_pipeline(context)
    with torch.no_grad():
        pipeline.vae.post_quant_conv.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=f"NaN or infinite values for {few[0].prompt_id}"):
        Sampler(pipeline).generate(few)
