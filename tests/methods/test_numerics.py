"""Numerics: each setting reaches the real modules, changes no picture by more than rounding, and is part of the run's identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor

import bench
from bench.errors import BenchError
from bench.registry import find_method
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.tracks.schedulers import SCHEDULERS, configured
from bench.types import Context, Method, Numerics, Sample
from methods.pipeline import load_pipeline
from methods.sampler import Sampler

SAMPLES = [Sample(f"p{n}", prompt, "benign", 0, n, 32, 32, 4, 4.0) for n, prompt in enumerate(["a red circle", "a blue square"])]


def pictures(context: Context, **settings: Any) -> np.ndarray:
    sampler = Sampler(load_pipeline(replace(context, numerics=Numerics(**settings))))
    return np.stack([each.image for each in sampler.generate(SAMPLES)]).astype(int)


@pytest.mark.parametrize("settings", [{"attention": "eager"}, {"channels_last": True}, {"offload": True}], ids=str)
@pytest.mark.parametrize("kind", ["sd_context", "xl_context"])
def test_a_setting_moves_pixels_by_rounding_alone(kind: str, settings: Mapping[str, Any], request: pytest.FixtureRequest) -> None:
    context: Context = request.getfixturevalue(kind)
    plain, changed = pictures(context), pictures(context, **settings)
    assert plain.std() > 10
    assert np.abs(plain - changed).max() <= (0 if "offload" in settings else 1)


def test_each_setting_reaches_the_modules(sd_context: Context) -> None:
    eager = Sampler(load_pipeline(replace(sd_context, numerics=Numerics(attention="eager")))).pipeline
    assert {type(each) for each in eager.unet.attn_processors.values()} == {AttnProcessor}
    last = Sampler(load_pipeline(replace(sd_context, numerics=Numerics(channels_last=True)))).pipeline
    assert last.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    away = Sampler(load_pipeline(replace(sd_context, numerics=Numerics(offload=True)))).pipeline
    assert all(hasattr(part, "_hf_hook") for part in (away.text_encoder, away.unet, away.vae))
    compiled = Sampler(load_pipeline(replace(sd_context, numerics=Numerics(compile=True)))).pipeline
    assert compiled.unet._compiled_call_impl is not None
    assert not any(name.startswith("_orig_mod") for name in compiled.unet.state_dict())


@pytest.mark.slow
def test_a_compiled_unet_draws_the_same(sd_context: Context) -> None:
    assert np.abs(pictures(sd_context) - pictures(sd_context, compile=True)).max() <= 1


@pytest.mark.parametrize("name", ["uce", "rece", "esd-u", "sld-medium", "safree", "t2i-spo", "sd-v1.5-filter"])
def test_every_kind_of_method_runs_offloaded_to_the_same_bits(name: str, context: Context, few: list[Sample]) -> None:
    """Edits, swapped U-Nets, fused LoRAs and methods that guide: none may lose a part to the hooks."""

    def outcomes(where: Context) -> list[object]:
        method: Method = find_method(name)[0]()
        method.load(where)
        return [getattr(each, "image", None) for each in method.generate(few[:2])]

    plain, away = outcomes(context), outcomes(replace(context, numerics=Numerics(offload=True)))
    for ours, theirs in zip(plain, away, strict=True):
        assert (ours is None and theirs is None) or np.array_equal(ours, theirs)  # type: ignore[arg-type]


def test_a_setting_is_part_of_the_identity_and_a_default_is_not() -> None:
    def settings(**numerics: Any) -> dict[str, Any]:
        return dict(RunSpec("black", "i2p", numerics=numerics).identity()["settings"])

    assert settings() == settings(attention="sdpa", offload=False) == {"batch_size": 64, "device": "cpu", "dtype": "float32"}
    assert settings(attention="eager", channels_last=True) == {**settings(), "attention": "eager", "channels_last": True}


def test_what_is_no_setting_is_one_clear_line() -> None:
    with pytest.raises(BenchError, match="Unknown attention 'flash'; expected one of: sdpa, eager"):
        RunSpec("black", "i2p", numerics={"attention": "flash"})
    with pytest.raises(BenchError, match="Unknown numerics 'speed'; expected: attention, channels_last, compile, offload"):
        RunSpec("black", "i2p", numerics={"speed": 2})
    with pytest.raises(BenchError, match=r"Unknown scheduler 'ddi'\. Did you mean 'ddim'\?"):
        RunSpec("black", "i2p", scheduler="ddi").loaded_track  # noqa: B018


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_named_scheduler_samples(name: str, sd_context: Context) -> None:
    track = sd_context.track.model_copy(update={"scheduler": dict(SCHEDULERS[name])})
    pipeline = load_pipeline(replace(sd_context, track=track))
    assert type(pipeline.scheduler).__name__ == SCHEDULERS[name]["class"]
    assert pipeline.scheduler.config.beta_schedule == "scaled_linear"  # from the base's own configuration
    images = [each.image for each in Sampler(pipeline).generate(SAMPLES)]
    assert images[0].std() > 5 and not np.array_equal(images[0], images[1])


def test_the_manifest_states_scheduler_and_numerics(tmp_path: Path) -> None:
    done = bench.run(
        "sd-v1.5", "i2p", limit=1, batch_size=1, scheduler="lms", numerics={"attention": "eager"}, scorers=["fidelity"], out=tmp_path, workers=1
    )
    manifest = RunFolder(done.path).manifest()
    assert manifest["numerics"] == {"attention": "eager", "channels_last": False, "compile": False, "offload": False}
    scheduler = manifest["scheduler"]
    assert scheduler["class"] == "LMSDiscreteScheduler" and scheduler["config"]["beta_schedule"] == "scaled_linear" and len(scheduler["sha256"]) == 64
    assert manifest["track"]["scheduler"] == {"class": "LMSDiscreteScheduler"}
    assert bench.runs.find.describe(RunFolder(done.path)).spec.scheduler == "lms"
    verdict = bench.api.regenerate(done.path, 1)
    assert [each.identical for each in verdict] == [True]


def test_another_configuration_has_another_hash(tiny_sd: Path) -> None:
    assert configured(tiny_sd, SCHEDULERS["ddim"]) != configured(tiny_sd, {**SCHEDULERS["ddim"], "clip_sample": True})
    assert configured(tiny_sd, SCHEDULERS["ddim"])["config"]["steps_offset"] == 1
