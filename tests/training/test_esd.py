"""ESD: its loss, its sets, how each release comes to x_t, and a training that resumes in the same bits."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler
from safetensors.torch import load_file
from torch import nn

from bench.console import Quiet
from bench.errors import BenchError
from bench.seeds import derive_seed
from methods.finding import PARTIAL
from training.esd import Eraser, ESDConfig, target, train, trained_names
from training.recipes import config_path, configurations, load_config


def settings(base: Path, **changes: Any) -> ESDConfig:
    return ESDConfig(base=str(base), **{"concepts": ("vorn", "drazz"), "grid": 5, "iterations": 4, "learning_rate": 1e-3, "seed": 3, **changes})


def eraser(base: Path, tmp_path: Path, **changes: Any) -> Eraser:
    return Eraser(settings(base, **changes), tmp_path, "x")


def test_both_targets_are_one_and_the_same() -> None:
    concept, empty = torch.randn(2, 4, 3, 3, dtype=torch.float64), torch.randn(2, 4, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(target(empty, concept, empty, 1.0), target(concept, concept, empty, 2.0))
    assert float(target(torch.tensor(0.2), torch.tensor(0.5), torch.tensor(0.2), 1.0)) == pytest.approx(-0.1)


SETS = {
    "noxattn": lambda name, kind: "attn2" not in name and "time_embedding" not in name and not name.startswith(("conv_norm_out", "conv_out")),
    "xattn": lambda name, kind: "attn2" in name,
    "selfattn": lambda name, kind: "attn1" in name,
    "notime": lambda name, kind: "time_embedding" not in name and not name.startswith(("conv_norm_out", "conv_out")),
    "full": lambda name, kind: True,
    "esd-u": lambda name, kind: kind in ("Linear", "Conv2d") and "attn2" not in name,
    "esd-x": lambda name, kind: kind in ("Linear", "Conv2d") and "attn2" in name,
    "esd-x-strict": lambda name, kind: "attn2.to_k" in name or "attn2.to_v" in name,
    "esd-all": lambda name, kind: kind in ("Linear", "Conv2d"),
}


@pytest.mark.parametrize("chosen", SETS)
def test_the_sets_of_parameters(chosen: str, tiny_sd: Path, tmp_path: Path) -> None:
    unet = eraser(tiny_sd, tmp_path).student
    kinds = {name: type(module).__name__ for name, module in unet.named_modules()}
    wanted = [name for name, _ in unet.named_parameters() if SETS[chosen](name, kinds[name.rpartition(".")[0]])]
    assert trained_names(unet, chosen) == wanted and wanted  # type: ignore[arg-type]


def test_sdxls_embeddings_and_outer_layers_are_left_out(tiny_sdxl: Path, tmp_path: Path) -> None:
    found = eraser(tiny_sdxl, tmp_path, parameters="esd-u").names
    assert found and not [name for name in found if "emb" in name or "attn2" in name or name.startswith("conv_")]
    assert any("emb" in name for name in trained_names(eraser(tiny_sdxl, tmp_path).student, "esd-u"))


@pytest.mark.parametrize("base", ["tiny_sd", "tiny_sdxl"])
@pytest.mark.parametrize("release", ["paper", "diffusers", "2025"])
@pytest.mark.parametrize("chosen", ["noxattn", "esd-x"])
def test_a_training_changes_its_set_alone(base: str, release: str, chosen: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(base)
    before = eraser(folder, tmp_path / "unused").frozen.state_dict()
    config = settings(folder, release=release, parameters=chosen, iterations=2)
    rows = {row["what"]: row["value"] for row in train(config, tmp_path / "out", Quiet())}
    saved = load_file(tmp_path / "out" / "weights" / PARTIAL)
    names = set(trained_names(eraser(folder, tmp_path / "unused").student, chosen, is_xl=base == "tiny_sdxl"))  # type: ignore[arg-type]
    assert set(saved) == names and len(saved) == rows["trained_tensors"]
    assert any(not torch.equal(saved[name].float(), before[name].half().float()) for name in names)


def draws(config: ESDConfig, step: int = 0) -> torch.Generator:
    """The step's generator after concept, context and noise."""
    generator = torch.Generator().manual_seed(derive_seed(config.seed, f"step-{step}", 0))
    torch.randint(len(config.concepts), (1,), generator=generator)
    torch.randint(1, (1,), generator=generator)
    torch.randn(1, 4, 8, 8, generator=generator)
    return generator


def guided(one: Eraser, unet: nn.Module, latents: torch.Tensor, time: Any, text: Any) -> torch.Tensor:
    predicted = one.predict(unet, torch.cat([latents] * 2), time, type(text)(torch.cat([one.empty.states, text.states])))  # type: ignore[arg-type]
    empty, prompt = predicted.chunk(2)
    return empty + one.config.start_guidance * (prompt - empty)


@pytest.mark.parametrize("seed", range(6))
def test_the_papers_x_t_is_ddim_without_its_top_step(seed: int, tiny_sd: Path, tmp_path: Path) -> None:
    one = eraser(tiny_sd, tmp_path, seed=seed)
    noise, text = torch.randn(1, 4, 8, 8), one.concepts[0]
    with torch.no_grad():
        latents, time = one._sample_paper(noise, text, draws(one.config))
        stop = int(torch.randint(5, (), generator=draws(one.config)))
        scheduler = DDIMScheduler.from_config(one.sampler.pipeline.scheduler.config)
        scheduler.set_timesteps(5)
        assert scheduler.timesteps.tolist() == [801, 601, 401, 201, 1]
        expected = noise
        for index, at in zip((3, 2, 1, 0), scheduler.timesteps[1:], strict=True):
            expected = scheduler.step(guided(one, one.student, expected, at, text), at, expected).prev_sample
            if index + 1 == stop:
                break
    torch.testing.assert_close(latents, expected, rtol=1e-5, atol=1e-5)
    assert 200 * stop <= time < 200 * (stop + 1)


def test_a_grid_that_does_not_divide_the_schedule_loses_its_top_step_alone(tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, seen = eraser(tiny_sd, tmp_path, grid=7), []
    monkeypatch.setattr("training.esd.torch.randint", lambda *_, **__: torch.tensor(0))  # all the way
    monkeypatch.setattr(one, "_guided", lambda unet, latents, timestep, text, empty: seen.append(timestep) or torch.zeros_like(latents))
    one._sample_paper(torch.randn(1, 4, 8, 8), one.concepts[0], torch.Generator())
    assert seen == [853, 711, 569, 427, 285, 143, 1]  # 1, 143, ..., 995 in the release's own grid


@pytest.mark.parametrize("seed", range(4))
def test_the_diffusers_release_looks_later_than_x_t(seed: int, tiny_sd: Path, tmp_path: Path) -> None:
    one = eraser(tiny_sd, tmp_path, seed=seed, release="diffusers")
    with torch.no_grad():
        _, time = one._sample_diffusers(torch.randn(1, 4, 8, 8), one.concepts[0], draws(one.config))
    stop = int(torch.randint(1, 4, (), generator=draws(one.config)))
    assert int(time) == 1000 - 200 * stop  # x_t stands at 801 - 200 * stop


@pytest.mark.parametrize("seed", range(4))
def test_the_release_of_2025_samples_with_the_frozen_model_and_its_own_scheduler(seed: int, tiny_sd: Path, tmp_path: Path) -> None:
    one = eraser(tiny_sd, tmp_path, seed=seed, release="2025")
    one.sampler.pipeline.scheduler = PNDMScheduler.from_config(one.sampler.pipeline.scheduler.config, skip_prk_steps=True)
    noise, text = torch.randn(1, 4, 8, 8), one.concepts[0]
    with torch.no_grad():
        for parameter in one.student.parameters():
            parameter.zero_()  # must not be asked
        latents, time = one._sample_2025(noise, text, draws(one.config))
        stop = int(torch.randint(5, (), generator=draws(one.config)))
        scheduler = copy.deepcopy(one.sampler.pipeline.scheduler)
        scheduler.set_timesteps(5)
        expected = noise
        for at in scheduler.timesteps[:stop]:
            expected = scheduler.step(guided(one, one.frozen, expected, at, text), at, expected).prev_sample
    assert torch.equal(latents, expected) and time == scheduler.timesteps[stop]


@pytest.mark.parametrize(
    ("changes", "formula"),
    [
        ({}, lambda source, concept, empty: empty - (concept - empty)),
        ({"target": "from", "negative_guidance": 2.0, "release": "2025"}, lambda source, concept, empty: source - 2 * (concept - empty)),
        (
            {"target": "from", "release": "2025", "contexts": ("red circle with {}", "{} at canyon")},
            lambda source, concept, empty: source - (concept - empty),
        ),
        ({"target": "from", "release": "diffusers", "erase_from": ("circle",)}, lambda source, concept, empty: source - (concept - empty)),
    ],
)
def test_the_loss_is_the_formula(changes: dict[str, Any], formula: Any, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = eraser(tiny_sd, tmp_path, **changes)
    seen: list[tuple[Any, torch.Tensor]] = []
    plain = one.predict

    def listen(unet: Any, latents: torch.Tensor, time: Any, text: Any) -> torch.Tensor:
        found = plain(unet, latents, time, text)
        if len(latents) == 1:  # sampling x_t predicts two at once
            seen.append((text.states, found.detach()))
        return found

    monkeypatch.setattr(one, "predict", listen)
    with torch.no_grad():
        for parameter in one.student.parameters():
            parameter.mul_(1.01)
    loss = one.loss(0)
    known = {
        "concept": [each.states for each in one.concepts],
        "empty": [one.empty.states],
        "source": [t.states for each in one.sources for t in each],
    }

    def found(role: str, of: list[tuple[Any, torch.Tensor]]) -> torch.Tensor:
        return next(value for text, value in of if any(torch.equal(text, each) for each in known[role]))

    frozen, student = seen[:-1], seen[-1]
    assert any(torch.equal(student[0], each) for each in known["source"])
    expected = formula(found("source", frozen), found("concept", frozen), found("empty", frozen))
    torch.testing.assert_close(loss.detach(), ((student[1] - expected) ** 2).mean(), rtol=1e-6, atol=0)


def test_a_training_that_was_cut_off_ends_in_the_same_bits(tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(tiny_sd, checkpoint_every=1)
    train(config, tmp_path / "whole", Quiet())
    plain, calls = Eraser.loss, []

    def cut(self: Eraser, step: int) -> torch.Tensor:
        calls.append(step)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(self, step)

    monkeypatch.setattr(Eraser, "loss", cut)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "cut", Quiet())
    assert not (tmp_path / "cut" / "report.json").exists()
    train(config, tmp_path / "cut", Quiet())
    assert calls == [0, 1, 2, 2, 3]
    a, b = (load_file(tmp_path / name / "weights" / PARTIAL) for name in ("whole", "cut"))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    train(config, tmp_path / "cut", Quiet())
    assert len(calls) == 5  # finished is not done again


def test_other_settings_do_not_mix(tiny_sd: Path, tmp_path: Path) -> None:
    train(settings(tiny_sd, iterations=1), tmp_path, Quiet())
    with pytest.raises(BenchError, match="finished training with other settings"):
        train(settings(tiny_sd, iterations=2), tmp_path, Quiet())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"erase_from": ("a", "b", "c")}, "erase_from has 3 prompts for 2 concepts"),
        ({"erase_from": ("a",), "contexts": ("with {}",)}, "either erase_from or contexts"),
        ({"contexts": ("with",)}, "A context has one {}"),
        ({"concepts": ("vorn drazz " * 20, "vorn")}, r"esd needs concepts that this base model reads to the end: .* 16 are read"),
        ({"contexts": ("red circle " * 10 + "{}",)}, "esd needs prompts to erase from that this base model reads to the end"),
    ],
)
def test_prompts_that_do_not_fit_are_one_clear_line(bad: dict[str, Any], says: str, tiny_sd: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=says):
        train(settings(tiny_sd, **bad), tmp_path, Quiet())


@pytest.mark.parametrize("recipe", ["esd", "esd-x", "uce", "rece"])
def test_every_shipped_configuration_is_one(recipe: str) -> None:
    assert "sd15" in configurations(recipe)
    for track in configurations(recipe):
        config = load_config(recipe, config_path(recipe, track), {})
        assert json.loads(config.model_dump_json())
