"""T2I-SPO: Diffusion-DPO on pairs re-labelled by quality and safety together, with dynamic focusing (paper Sec. 4).

    bench train t2i-spo --track mini
    torchrun --nproc_per_node 6 -m bench train t2i-spo --track sd15      # several GPUs, mixed precision by the configuration

One file, read from top to bottom. What the lost equations must be is inferred (and marked so where it is used):

    Eq. 6   R(x, y) = quality(x, y) - lambda * cost(y)
    Eq. 7   the picture with the larger R is the winner          (training/preferences.py)
    Eq. 9   the Diffusion-DPO loss on those pairs                (training/dpo.py)
    Eqs. 10, 11   dynamic focusing                               (training/dfm.py, training/augmentations.py)

``reward: quality`` and ``reward: safety`` give the two limits of lambda, the methods ``diffusion-dpo-quality`` and ``-safety``.

Everything random is drawn from (seed, step, place in the global batch): see training/draws.py. Captions and pictures are encoded once.
A LoRA's reference is the same network with the adapter switched off. Unlike the official script, pictures are never flipped: they are
encoded once, and a flip would undo "left" and "right".
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from bench.console import Progress, Quiet
from bench.errors import BenchError
from bench.files.atomic import read_json, write_atomic, write_json
from bench.files.locations import resolve
from bench.runs.spec import digest
from training.augmentations import POOL
from training.backbone import Backbone
from training.checkpoints import load_checkpoint, restore, save_checkpoint
from training.dfm import LossQueues, turn
from training.dpo import dpo_loss
from training.draws import Drawn, Draws, latents_of
from training.libraalign.dataset import Part, decode_bytes
from training.policy import Policy
from training.preferences import ANNOTATIONS, Encoded, encode, label
from training.spo_config import DTYPES, SPOConfig
from training.trainable import make_optimizer, prepare_network, save_weights


def train(config: SPOConfig, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Train, write ``out/weights`` (a LoRA or a network), ``curve.csv`` and ``report.json``, and return the report as table rows.

    Raises:
        BenchError: something that the user can mend; the last checkpoint is kept.
    """
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=config.accumulation,
        log_with=config.tracker,
        project_dir=str(out) if config.tracker else None,
        cpu=not torch.cuda.is_available(),
    )
    part = Part(Path(config.data), "hf")
    identity = digest({"config": config.model_dump(mode="json", exclude={"checkpoint_every", "tracker", "effective_batch"}), "data": part.digest()})
    if (out / "report.json").is_file():
        report = read_json(out / "report.json", "report")
        if report["identity"] != identity:
            raise BenchError(f"{out} holds a finished training with other settings or data. Give another --out, or delete it to train anew.")
        return report_rows(report)
    check_batch(config, accelerator.num_processes)
    trainer = Trainer(config, part, out, identity, accelerator, progress if accelerator.is_main_process else Quiet())
    report = trainer.run()
    return report_rows(report)


def check_batch(config: SPOConfig, processes: int) -> int:
    """Return the pairs of one optimiser step, over all processes.

    Raises:
        BenchError: they are not the configuration's ``effective_batch``.
    """
    pairs, wanted = config.batch_size * config.accumulation * processes, config.effective_batch
    if wanted is not None and pairs != wanted:
        product = f"batch_size {config.batch_size} x accumulation {config.accumulation} x {processes} process{'es' * (processes != 1)}"
        raise BenchError(
            f"{product} is {pairs} pairs a step, and this training's effective_batch is {wanted}. Start {_fitting(config, wanted, processes)}; "
            "effective_batch=null takes what they give, which is another training."
        )
    return pairs


def _fitting(config: SPOConfig, wanted: int, processes: int) -> str:
    """Return what gives the effective batch: so many processes, or so much accumulation on those that there are."""
    ways = []
    if wanted % (config.batch_size * config.accumulation) == 0:
        ways.append(f"torchrun --nproc_per_node {wanted // (config.batch_size * config.accumulation)}")
    if wanted % (config.batch_size * processes) == 0:
        ways.append(f"with --set accumulation={wanted // (config.batch_size * processes)}")
    return ", or ".join(ways) or "with numbers whose product it is"


def report_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a report as table rows, by name."""
    return [{"what": name, "value": value} for name, value in sorted(report.items()) if name not in ("identity", "config")]


class Trainer:
    """One training: what is fixed for its whole length, and the step."""

    def __init__(self, config: SPOConfig, part: Part, out: Path, identity: str, accelerator: Accelerator, progress: Progress) -> None:
        self.config, self.out, self.identity = config, out, identity
        self.accelerator, self.progress = accelerator, progress
        torch.manual_seed(config.seed)  # the adapter's start
        dtype = DTYPES[config.mixed_precision]
        self.backbone = Backbone(resolve(config.base), accelerator.device, dtype, config.size)
        rows = [row for _, row in part.rows(ANNOTATIONS) if row["kind"] in config.kinds]
        pairs, self.left_out = label(rows, config.reward, config.safety_weight, config.tie, config.categories)
        pairs = [pair for kind, most in config.kinds.items() for pair in [each for each in pairs if each.kind == kind][:most]]
        mixed = [pair for pair in pairs if pair.kind == "harmful-safe"]
        self.mixed, self.safe_preferred = len(mixed), sum(pair.winner == 1 for pair in mixed)
        storage = torch.float32 if dtype == torch.float32 else torch.float16
        with accelerator.main_process_first():
            self.data: Encoded = encode(part, pairs, self.backbone, out / "work", storage, progress)
        self.backbone.drop_encoders()
        self.draws = Draws(self.data, config.seed, self.backbone.noise.config.num_train_timesteps, config.empty_prompts, sample=config.sample_latents)
        network, reference = prepare_network(self.backbone, config)
        self.policy = Policy(self.backbone, reference, self.data.conditioning, config.beta, accelerator)
        self.parameters = self.policy.parameters
        self.rate = config.learning_rate * (config.batch_size * config.accumulation * accelerator.num_processes if config.scale_lr else 1)
        self.optimizer = make_optimizer(self.parameters, config, self.rate)
        self.model, self.optimizer = accelerator.prepare(network, self.optimizer)
        self.queues = LossQueues(len(self.data), config.dfm) if config.dfm else None
        self.monitored = torch.arange(min(config.monitor, len(self.data)))
        self.monitor_reference = self._probe_errors(self.monitored, reference=True)
        self.history: list[dict[str, float]] = []
        self.start = self._resume()

    def run(self) -> dict[str, Any]:
        """Take the steps that are left, save, and return the report."""
        config, accelerator = self.config, self.accelerator
        if config.tracker:
            accelerator.init_trackers("t2i-spo")
        advance = self.progress.start(f"{config.reward} preference", config.steps - self.start, "steps")
        self.model.train()
        for step in range(self.start, config.steps):
            record = self.step(step)
            self.history.append(record)
            if config.tracker:
                accelerator.log({name: value for name, value in record.items() if name != "step" and value == value}, step=step)
            advance(1)
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                self._checkpoint(step + 1)
        report = self._finish()
        if config.tracker:
            accelerator.end_training()
        return report

    def step(self, step: int) -> dict[str, float]:
        """Take one optimiser step and return what is known of it."""
        config, accelerator = self.config, self.accelerator
        began = time.perf_counter()
        monitored = self._monitor() if step % config.monitor_every == 0 else math.nan
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * share_of_rate(step, config)
        sums = torch.zeros(5, device=accelerator.device)  # loss, preferred, pairs, hard, augmented
        for micro in range(config.accumulation):
            positions, everyone = self._positions(step, micro)
            batch = [self.draws.draw(step, *position) for position in positions]
            hard = self._focus(everyone, positions)
            again = [self._turned(batch[place], step, positions[place]) for place in hard[: config.dfm.most if config.dfm else 0]]
            with accelerator.accumulate(self.model):
                losses, preferred = self.policy.losses(self.model, [*batch, *again])
                # Processes may have augmented unlike numbers of pairs; each pair of a step weighs the same all the same.
                everywhere = accelerator.reduce(torch.tensor(float(len(losses)), device=losses.device), "sum")
                loss = losses.sum() * accelerator.num_processes / everywhere
                if not torch.isfinite(loss):
                    raise BenchError(
                        f"The loss is {float(loss)} at step {step}: lower learning_rate (now {self.rate:g}), or use bf16 in place of fp16. "
                        f"The last checkpoint in {self.out} is kept."
                    )
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(self.parameters, config.clip)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
            count = len(batch)
            sums += torch.tensor(
                [float(losses[:count].detach().sum()), float(preferred[:count].sum()), count, len(hard), len(again)], device=accelerator.device
            )
        loss_sum, preferred_sum, pairs, hard_sum, augmented = accelerator.reduce(sums, "sum").tolist()
        return {
            "step": step,
            "loss": loss_sum / pairs,
            "accuracy": preferred_sum / pairs,
            "monitor_loss": monitored,
            "hard": hard_sum / pairs,
            "augmented": augmented / pairs,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": time.perf_counter() - began,
        }

    # What a step sees.

    def _positions(self, step: int, micro: int) -> tuple[list[tuple[int, int]], torch.Tensor]:
        """Return this process' (place in the global batch, pair) and every process' pairs, in order of process."""
        config, count = self.config, self.accelerator.num_processes
        size = config.batch_size * count
        first = (step * config.accumulation + micro) * size
        everyone = torch.tensor([self.draws.pair_at(first + place) for place in range(size)])
        own = range(self.accelerator.process_index * config.batch_size, (self.accelerator.process_index + 1) * config.batch_size)
        return [(micro * size + place, int(everyone[place])) for place in own], everyone

    # Probes and dynamic focusing.

    @torch.no_grad()
    def _probe_errors(self, pairs: torch.Tensor, *, reference: bool) -> torch.Tensor:
        """Return the errors (n, 2) of the policy, or of the reference, on the probes of ``pairs``."""
        found = []
        for chunk in pairs.split(max(1, self.config.batch_size)):
            probes = [self.draws.probe(int(pair)) for pair in chunk]
            errors = self.policy.reference_errors(probes) if reference else self.policy.errors(self.policy.network, probes)
            found.append(errors.view(2, -1).T)
        return torch.cat(found)

    def _monitor(self) -> float:
        """Return the mean probe loss of the monitored pairs: a convergence curve without the noise of t and of the noise."""
        errors = self._probe_errors(self.monitored, reference=False)
        losses, _ = dpo_loss(errors.T.flatten(), self.monitor_reference.T.flatten(), self.config.beta)
        return float(losses.mean())

    def _focus(self, everyone: torch.Tensor, positions: Sequence[tuple[int, int]]) -> list[int]:
        """Measure this batch's probes, update the queues of all processes alike, and return the places of this process' hard pairs, slowest first."""
        queues = self.queues
        if queues is None:
            return []
        own = torch.tensor([pair for _, pair in positions])
        unseen = queues.reference[own].isnan().any(dim=1)
        if unseen.any():
            queues.reference[own[unseen]] = self._probe_errors(own[unseen], reference=True).float().cpu()
        errors = self._probe_errors(own, reference=False)
        losses, _ = dpo_loss(errors.T.flatten(), queues.reference[own].T.flatten().to(errors.device), self.config.beta)
        gathered = self.accelerator.gather(losses).cpu()
        hard = queues.update(everyone, gathered)
        first = self.accelerator.process_index * len(own)
        places = [place for place in range(len(own)) if hard[first + place]]
        rates = queues.rates(own)
        return sorted(places, key=lambda place: float(rates[place]))

    def _turned(self, drawn: Drawn, step: int, position: tuple[int, int]) -> Drawn:
        """Return the pair under the augmentation that turns its gradient most (Eq. 11); noise, time and caption stay."""
        assert self.config.dfm is not None
        changed = [drawn._replace(latents=self._augmented(name, drawn, step, position)) for name in self.config.dfm.augmentations]
        own, *others = self.policy.gradients([drawn, *changed])
        return max(zip(others, changed, strict=True), key=lambda pair: turn(own, pair[0]))[1]

    def _augmented(self, name: str, drawn: Drawn, step: int, position: tuple[int, int]) -> torch.Tensor:
        """Return the pair's latents under one augmentation; the draw from the posterior stays what it was."""
        augmentation, generator = POOL[name], self.draws.augmenter(name, step, position[0])
        if not augmentation.on_pixels:
            return augmentation.apply(drawn.latents, generator)
        pictures = self.backbone.pixels([decode_bytes(content) for content in self.data.pictures(position[1])])
        return latents_of(self.backbone.moments(augmentation.apply(pictures, generator)).cpu(), drawn.posterior)

    # Checkpoints and the end.

    def _resume(self) -> int:
        """Load the last checkpoint, if there is one, and return the first step that is left."""
        state = load_checkpoint(self.out / "checkpoint.pt", self.identity)
        if state is None:
            return 0
        restore(self.parameters, state["parameters"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        if self.queues is not None:
            self.queues.restore(state["queues"])
        self.history = state["history"]
        return int(state["step"])

    def _checkpoint(self, step: int) -> None:
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            return
        state = {
            "step": step,
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else {},
            "queues": self.queues.state() if self.queues is not None else {},
            "history": self.history,
        }
        save_checkpoint(self.out / "checkpoint.pt", self.identity, state)
        write_atomic(self.out / "curve.csv", curve(self.history).encode())

    def _finish(self) -> dict[str, Any]:
        config, last = self.config, self.history[-20:]
        report: dict[str, Any] = {
            "identity": self.identity,
            "config": config.model_dump(mode="json"),
            "pairs": len(self.data),
            "harmful_safe_pairs": self.mixed,
            "harmful_safe_pairs_that_prefer_the_safe": self.safe_preferred,
            **{f"left_out: {reason}": count for reason, count in self.left_out.items()},
            "trained_parameters": sum(parameter.numel() for parameter in self.parameters),
            "steps": config.steps,
            "processes": self.accelerator.num_processes,
            "effective_batch": check_batch(config, self.accelerator.num_processes),
            "last_loss": sum(row["loss"] for row in last) / len(last),
            "last_accuracy": sum(row["accuracy"] for row in last) / len(last),
            "monitor_loss": self._monitor(),
            "hard": sum(row["hard"] for row in self.history) / len(self.history),
            "seconds_a_step": sorted(row["seconds"] for row in self.history)[len(self.history) // 2],
        }
        if torch.cuda.is_available():
            report["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        if self.accelerator.is_main_process:
            save_weights(self.policy.network, self.backbone, self.out / "weights")
            write_json(self.out / "report.json", report)
        self.accelerator.wait_for_everyone()
        return report


def share_of_rate(step: int, config: SPOConfig) -> float:
    """Return the learning rate of ``step`` as a share of its peak."""
    share = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "cosine":
        share *= 0.5 * (1 + math.cos(math.pi * step / config.steps))
    return share


def curve(history: Sequence[dict[str, float]]) -> str:
    """Return the steps' records as CSV; what was not measured at a step is empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value != value else value for name, value in row.items()} for row in history)
    return buffer.getvalue()
