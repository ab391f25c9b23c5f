"""T2I-SPO's trainer on tiny random models of the real classes: what it trains, what a step sees, and that nothing but the settings changes it."""

from __future__ import annotations

import csv
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from bench.console import Quiet
from bench.errors import BenchError
from training.backbone import Backbone
from training.dfm import DFMSettings
from training.dpo import denoising_error, dpo_loss
from training.libraalign.dataset import Part
from training.spo import Trainer, check_batch, share_of_rate, train
from training.spo_config import SPOConfig

LORA = "pytorch_lora_weights.safetensors"


class Interrupted(Exception):
    """Stands for a kill."""


class Until:
    """Progress that breaks off after so many steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        def advance(done: int) -> None:
            if "preference" in what:
                self._left -= done
                if self._left < 0:
                    raise Interrupted

        return advance


def settings(base: Path, data: Path, **changes: Any) -> SPOConfig:
    given = {"steps": 6, "batch_size": 3, "learning_rate": 1e-2, "warmup": 2, "beta": 500, "lora_rank": 2, "monitor": 4, "checkpoint_every": 2}
    eager = DFMSettings(queue=2, patience=1, threshold=1.0, most=2)
    return SPOConfig(base=str(base), data=str(data), **{"dfm": eager, "seed": 3, **given, **changes})


def trainer(config: SPOConfig, out: Path) -> Trainer:
    return Trainer(
        config, Part(Path(config.data), "hf"), out, "identity", Accelerator(cpu=True, gradient_accumulation_steps=config.accumulation), Quiet()
    )


def curve(out: Path) -> list[dict[str, str]]:
    with (out / "curve.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_a_kill_between_weights_and_report_costs_nothing(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    config = settings(tiny_sd, hf_data, steps=2)
    train(config, tmp_path, Quiet())
    before = (tmp_path / "weights" / LORA).read_bytes()
    (tmp_path / "report.json").unlink()
    train(config, tmp_path, Quiet())
    assert (tmp_path / "weights" / LORA).read_bytes() == before and (tmp_path / "report.json").is_file()


@pytest.fixture
def bf16() -> Iterator[Accelerator]:
    """An accelerator of half precision; accelerate keeps one precision a process, so its state is made anew before and after."""
    AcceleratorState._reset_state()
    yield Accelerator(cpu=True, mixed_precision="bf16")
    AcceleratorState._reset_state()


@pytest.mark.parametrize("which", ["tiny_sd", pytest.param("tiny_sdxl", marks=pytest.mark.slow)])
@pytest.mark.parametrize("rank", [2, pytest.param(0, marks=pytest.mark.slow)])
def test_bf16_trains_in_float32(which: str, rank: int, hf_data: Path, tmp_path: Path, bf16: Accelerator, request: pytest.FixtureRequest) -> None:
    changes = {"mixed_precision": "bf16", "lora_rank": rank, "learning_rate": 1e-3, "gradient_checkpointing": True}
    one = Trainer(settings(request.getfixturevalue(which), hf_data, **changes), Part(hf_data, "hf"), tmp_path, "identity", bf16, Quiet())
    assert all(parameter.dtype == torch.float32 for parameter in one.parameters)
    records = [one.step(step) for step in range(14)]  # past the second epoch, so that dynamic focusing acts too
    assert all(math.isfinite(record["loss"]) for record in records) and any(record["augmented"] for record in records)
    if rank:  # at the start, the policy is the very reference
        assert records[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("rank", [2, 0])
def test_an_interrupted_training_ends_in_the_same_weights(tiny_sd: Path, hf_data: Path, tmp_path: Path, rank: int) -> None:
    config = settings(tiny_sd, hf_data, lora_rank=rank)
    train(config, tmp_path / "whole", Quiet())
    with pytest.raises(Interrupted):
        train(config, tmp_path / "broken", Until(3))
    assert not (tmp_path / "broken" / "weights").exists()
    train(config, tmp_path / "broken", Quiet())
    name = LORA if rank else "unet/diffusion_pytorch_model.safetensors"
    whole, broken = (load_file(tmp_path / each / "weights" / name) for each in ("whole", "broken"))
    assert whole.keys() == broken.keys() and all(torch.equal(whole[key], broken[key]) for key in whole)
    assert curve(tmp_path / "whole") == curve(tmp_path / "broken")


def test_at_the_start_policy_and_reference_are_one(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    record = trainer(settings(tiny_sd, hf_data), tmp_path).step(0)
    assert record["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert record["monitor_loss"] == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("which", ["tiny_sd", "tiny_sdxl"])
def test_training_prefers_the_winners(which: str, hf_data: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    base = request.getfixturevalue(which)
    rows = {row["what"]: row["value"] for row in train(settings(base, hf_data, steps=40, dfm=None, learning_rate=1e-2, beta=100), tmp_path, Quiet())}
    assert rows["monitor_loss"] < math.log(2) - 0.02
    assert rows["pairs"] == 18 and rows["harmful_safe_pairs_that_prefer_the_safe"] == 18


def test_a_loss_is_the_formula_on_the_models_own_errors(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    """The trainer's loss against one written out here: the pipeline's own parts, one noise and one time for both pictures."""
    one = trainer(settings(tiny_sd, hf_data, dfm=None), tmp_path)
    one.step(0)
    batch = [one.draws.draw(1, place, pair) for place, pair in one._positions(1, 0)[0]]
    losses, _ = one.policy.losses(one.policy.network, batch)
    unet, scheduler = one.policy.network, one.backbone.noise
    by_hand = []
    for drawn in batch:
        states = one.data.conditioning["states"][drawn.caption][None]
        errors = {}
        for adapted in (True, False):
            (unet.enable_adapters if adapted else unet.disable_adapters)()
            with torch.no_grad():
                for side in (0, 1):
                    time = torch.tensor([drawn.timestep])
                    noisy = scheduler.add_noise(drawn.latents[side][None], drawn.noise[None], time)
                    errors[adapted, side] = float((unet(noisy, time, states).sample - drawn.noise).square().mean())
        unet.enable_adapters()
        inside = -0.5 * 500 * ((errors[True, 0] - errors[True, 1]) - (errors[False, 0] - errors[False, 1]))
        by_hand.append(math.log1p(math.exp(-inside)))
    assert losses.tolist() == pytest.approx(by_hand, rel=1e-3)
    assert not all(value == pytest.approx(math.log(2), abs=1e-5) for value in by_hand)


def test_only_the_adapter_is_trained(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    one = trainer(settings(tiny_sd, hf_data), tmp_path)
    frozen = {name: value.clone() for name, value in one.policy.network.named_parameters() if not value.requires_grad}
    trained = {name: value.clone() for name, value in one.policy.network.named_parameters() if value.requires_grad}
    assert trained and all("lora_" in name for name in trained)
    for step in range(2):
        one.step(step)
    now = dict(one.policy.network.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    assert not all(torch.equal(now[name], value) for name, value in trained.items())


def test_a_full_training_leaves_its_reference_alone(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    one = trainer(settings(tiny_sd, hf_data, lora_rank=0, learning_rate=1e-3), tmp_path)
    before = Backbone(tiny_sd, "cpu", torch.float32).network.state_dict()
    one.step(0)
    reference = one.policy._reference.state_dict()
    assert all(torch.equal(reference[name], value) for name, value in before.items())
    assert not all(torch.equal(one.policy.network.state_dict()[name], value) for name, value in before.items())


def test_accumulation_is_a_larger_batch(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    found = []
    for batch, accumulation in ((6, 1), (3, 2)):
        one = trainer(settings(tiny_sd, hf_data, batch_size=batch, accumulation=accumulation, dfm=None), tmp_path / str(batch))
        found.append([one.step(step)["loss"] for step in range(4)])
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert found[0][-1] != pytest.approx(math.log(2), abs=1e-4)


def test_an_epoch_sees_every_pair_once(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    one = trainer(settings(tiny_sd, hf_data), tmp_path)
    first, second = ([one.draws.pair_at(epoch * 18 + place) for place in range(18)] for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(18)) and first != second


def test_hard_pairs_come_again_in_the_same_batch_only(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    rows = []
    one = trainer(settings(tiny_sd, hf_data, batch_size=6, steps=12), tmp_path)
    for step in range(12):
        rows.append(one.step(step))
    assert [row["hard"] for row in rows[:3]] == [0.0] * 3  # no queue holds two losses in the first epoch
    assert any(row["hard"] > 0 for row in rows[3:])
    assert all(row["augmented"] <= min(row["hard"], 2 / 6) + 1e-9 for row in rows)


def test_the_chosen_augmentation_turns_the_gradient_most(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    from training.dfm import turn

    one = trainer(settings(tiny_sd, hf_data, dfm=DFMSettings()), tmp_path)
    one.step(0)
    drawn = one.draws.draw(1, 0, 5)
    chosen = one._turned(drawn, 1, (0, 5))
    (own,) = one.policy.gradients([drawn])
    angles = {}
    for name in ("sharpen", "colour", "latent-noise", "frequency"):
        (other,) = one.policy.gradients([drawn._replace(latents=one._augmented(name, drawn, 1, (0, 5)))])
        angles[name] = turn(own, other)
    (best,) = one.policy.gradients([chosen])
    assert turn(own, best) == pytest.approx(max(angles.values()), rel=1e-3)
    assert (chosen.timestep, chosen.caption) == (drawn.timestep, drawn.caption) and torch.equal(chosen.noise, drawn.noise)


def test_a_finished_training_is_not_done_again_and_another_is_refused(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    config = settings(tiny_sd, hf_data, steps=2)
    rows = train(config, tmp_path, Quiet())
    stamp = (tmp_path / "weights" / LORA).stat().st_mtime_ns
    assert train(config, tmp_path, Quiet()) == rows and (tmp_path / "weights" / LORA).stat().st_mtime_ns == stamp
    with pytest.raises(BenchError, match="finished training with other settings"):
        train(config.model_copy(update={"beta": 7.0}), tmp_path, Quiet())
    (tmp_path / "report.json").unlink()
    with pytest.raises(BenchError, match="belongs to a training with other settings"):
        train(config.model_copy(update={"beta": 7.0}), tmp_path, Quiet())
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(BenchError, match=r"checkpoint.*is damaged"):
        train(config, tmp_path, Quiet())


def test_a_loss_that_is_no_number_stops_with_one_line(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="The loss is nan at step"):
        train(settings(tiny_sd, hf_data, learning_rate=1e30, warmup=0), tmp_path, Quiet())


def test_a_missing_image_is_one_clear_line(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    part = Part(hf_data, "hf")
    rows = [row for _, row in part.rows()][:4]
    rows[2]["image_1"] = None
    Part(tmp_path / "data", "hf").commit(0, rows, {"kinds": {}, "skips": {}})
    with pytest.raises(BenchError, match="The image of hf-0-2 is missing or damaged"):
        train(settings(tiny_sd, tmp_path / "data"), tmp_path / "out", Quiet())
    with pytest.raises(BenchError, match="No finished unit of the hf part"):
        train(settings(tiny_sd, tmp_path / "nowhere"), tmp_path / "out", Quiet())


@pytest.mark.parametrize("which", ["tiny_sd", "tiny_sdxl"])
def test_encoding_is_the_pipelines_own(which: str, request: pytest.FixtureRequest) -> None:
    backbone = Backbone(request.getfixturevalue(which), "cpu", torch.float32)
    pixels = torch.rand(2, 3, 32, 32) * 2 - 1
    mean, std = backbone.moments(pixels).chunk(2, dim=1)
    posterior = backbone._vae.encode(pixels).latent_dist
    torch.testing.assert_close(mean, posterior.mean * backbone._vae.config.scaling_factor)
    torch.testing.assert_close(std, posterior.std * backbone._vae.config.scaling_factor)
    conditioning = backbone.encode_prompts(["a red circle", ""])
    assert set(conditioning) == ({"states", "pooled"} if backbone.family.is_xl else {"states"})
    noisy, time = torch.randn(2, 4, 8, 8), torch.tensor([5, 5])
    predicted = backbone.predict(backbone.network, noisy, time, backbone.text(conditioning))
    assert denoising_error(predicted, noisy).shape == (2,)


def test_a_velocity_model_is_trained_on_velocity(tiny_sd: Path) -> None:
    backbone = Backbone(tiny_sd, "cpu", torch.float32)
    latents, noise, time = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([10, 500])
    assert torch.equal(backbone.target(latents, noise, time), noise)
    backbone.family.pipeline.scheduler.register_to_config(prediction_type="v_prediction")
    alpha = backbone.noise.alphas_cumprod[time].view(2, 1, 1, 1)
    torch.testing.assert_close(backbone.target(latents, noise, time), alpha.sqrt() * noise - (1 - alpha).sqrt() * latents)
    backbone.family.pipeline.scheduler.register_to_config(prediction_type="sample")
    with pytest.raises(BenchError, match="knows epsilon and v_prediction"):
        backbone.target(latents, noise, time)


def test_a_damaged_base_is_one_clear_line(tiny_sd: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_sd, tmp_path / "base")
    weights = next((tmp_path / "base" / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(BenchError, match="Cannot load the base model"):
        Backbone(tmp_path / "base", "cpu", torch.float32)


def test_the_rate_warms_up_and_then_stays_or_falls(tiny_sd: Path, hf_data: Path) -> None:
    constant = settings(tiny_sd, hf_data, warmup=4, steps=10)
    assert [share_of_rate(step, constant) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1.0, 1.0]
    falling = [share_of_rate(step, constant.model_copy(update={"schedule": "cosine"})) for step in range(4, 10)]
    assert falling == sorted(falling, reverse=True) and falling[-1] < 0.05


def test_the_learning_rate_scales_by_what_a_step_holds(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    one = trainer(settings(tiny_sd, hf_data, scale_lr=True, batch_size=2, accumulation=3, learning_rate=1e-3), tmp_path)
    assert one.rate == pytest.approx(6e-3)


def test_an_effective_batch_that_the_processes_do_not_give_is_refused_with_what_does(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    paper = settings(tiny_sd, hf_data, batch_size=2, effective_batch=12)
    assert check_batch(paper, 6) == check_batch(paper.model_copy(update={"accumulation": 6}), 1) == 12
    assert check_batch(settings(tiny_sd, hf_data, batch_size=2), 5) == 10
    with pytest.raises(BenchError, match=r"1 x 1 process is 2 pairs a step.* is 12\. Start torchrun --nproc_per_node 6, or ") as caught:
        train(paper, tmp_path / "out", Quiet())
    assert "--set accumulation=6; effective_batch=null" in str(caught.value) and "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    with pytest.raises(BenchError, match=r"x 8 processes is 16 pairs .* Start torchrun --nproc_per_node 6; effective_batch=null"):
        check_batch(paper, 8)


def test_kinds_are_limited_one_by_one(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    one = trainer(settings(tiny_sd, hf_data, kinds={"harmful-safe": 5, "safe-safe": None}), tmp_path)
    assert len(one.data) == one.mixed == 5


def test_a_tracker_gets_the_curve(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    train(settings(tiny_sd, hf_data, steps=2, tracker="tensorboard"), tmp_path, Quiet())
    assert list(tmp_path.rglob("events.out.tfevents*"))


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tiny_sd: Path, hf_data: Path, tmp_path: Path) -> None:
    """Two processes with half the batch each end where one process does, by real gloo communication."""
    config = settings(tiny_sd, hf_data, batch_size=4, steps=8, dfm=None)  # its cap on hard pairs is each process' own
    train(config, tmp_path / "one", Quiet())
    path = tmp_path / "half.yaml"
    path.write_text(config.model_copy(update={"batch_size": 2}).model_dump_json())
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "bench", "train", "t2i-spo", "--config", str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run([*command, "--out", str(tmp_path / "two"), "-q"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [curve(tmp_path / name) for name in ("one", "two")]
    assert [float(row["loss"]) for row in rows[0]] == pytest.approx([float(row["loss"]) for row in rows[1]], rel=1e-4)
    # Adam turns the rounding of a vanishing gradient into a whole step, so single weights may differ and all together may not.
    one, two = (torch.cat([value.float().flatten() for value in load_file(tmp_path / name / "weights" / LORA).values()]) for name in ("one", "two"))
    assert float((one - two).norm() / one.norm()) < 1e-3


def test_the_losses_of_a_batch_do_not_depend_on_its_order() -> None:
    error, reference = torch.rand(6), torch.rand(6)
    order = torch.tensor([2, 0, 1])
    both = torch.cat([order, order + 3])
    torch.testing.assert_close(dpo_loss(error, reference, 100)[0][order], dpo_loss(error[both], reference[both], 100)[0])
