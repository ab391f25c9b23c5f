"""ESD: Erased Stable Diffusion. The network is tuned so that a concept's noise prediction points away from the concept (Gandikota et al. 2023).

    bench train esd --track mini            # esd-u; esd-x: --config training/configs/esd-x-mini.yaml
    bench run --method esd-u --suite i2p --set weights=runs/training/mini/esd/weights

    loss = MSE( e(x_t, t, from),  base - eta * (e*(x_t, t, concept) - e*(x_t, t, "")) )        starred: the frozen model

Three releases of the authors' code differ in every other choice, and so do their models (https://github.com/rohitgandikota/erasing):

| ``release`` | commit | base | eta | x_t is sampled by | at | t of the loss |
|---|---|---|---|---|---|---|
| ``paper`` | a2189e9 | ``empty`` | 1 | the student, guidance 3 | DDIM without its top step | drawn; noisier than x_t by 39 to 58 |
| ``diffusers`` | 25613d2, alt_esd_diffusers.py | ``empty`` | 2 | the student, guidance 3 | DDIM | noisier than x_t by 19 |
| ``2025`` | 25613d2, esd_sd.py, esd_sdxl.py | ``from`` | 2 (SDXL: 1) | the frozen model, guidance 3 (SDXL: 2) | the base's scheduler | x_t's own |

(39 to 58 timesteps from the third of the paper's fifty draws on; its first two give the same clean x_t.) With the base ``from`` and eta 2 the
target is ``e0 - (ec - e0)``: that of the paper, eta 1. Run side by side with each release on tiny models, a training of ours gives the same
x_t, losses, gradients and weights: that of 2025 bit for bit in float32, the other two to 5e-13 in float64 (with the same alphas).

No release takes a seed; here everything random is drawn from (seed, step), so a training that was interrupted goes on and ends in the same
bits. Where the base model's scheduler scales what the U-Net sees (SDXL's Euler), the release of 2025 leaves that out when it takes the loss;
here it is done.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DDIMScheduler
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from bench.console import Progress
from bench.errors import BenchError
from bench.files.atomic import read_json, write_atomic, write_json
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.runs.spec import digest
from bench.seeds import derive_seed
from methods.overlay import save_partial
from methods.phrases import refuse_cut
from methods.pipeline import read_pipeline
from methods.sampler import Sampler, Text, joined
from training.checkpoints import load_checkpoint, restore, save_checkpoint

Release = Literal["paper", "diffusers", "2025"]
ParameterSet = Literal["noxattn", "xattn", "selfattn", "notime", "full", "esd-u", "esd-x", "esd-x-strict", "esd-all"]


class ESDConfig(BaseModel):
    """All that decides the training.

    Attributes:
        base: the base model's location (see :func:`bench.files.locations.resolve`): SD-1.x or SDXL.
        concepts: what is erased, each a prompt; one is drawn a step (the paper's release: its ``--seperator``).
        erase_from: for each concept, the prompt that it is erased from, or one for all; the concept itself where None.
        contexts: prompts that the concept is erased in, ``{}`` where it stands; one is drawn a step. The releases have the concept alone. For
            a base model whose text encoder has met no bare words (the miniature's); not together with ``erase_from``.
        release: who samples x_t and at which t the loss is taken (see above).
        target: the target's base term: the prediction for the ``empty`` prompt or for the one erased ``from``.
        negative_guidance: eta.
        parameters: what is trained (see :func:`trained_names`).
        start_guidance: classifier-free guidance scale of sampling x_t.
        grid: denoising steps of sampling x_t.
        iterations: optimiser steps.
        learning_rate: Adam's, constant.
        batch_size: noises a step, each with a concept of its own; the releases take 1.
        size: pixels of a side; the model's own where None.
        dtype: of weights and optimiser; the release of 2025 takes ``bfloat16``.
        attention: ``sdpa``, or ``naive`` (its backward pass is faster on a CPU at short lengths).
        checkpoint_every: steps. Not part of the training's identity.
        seed: of everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    concepts: tuple[str, ...] = Field(min_length=1)
    erase_from: tuple[str, ...] | None = None
    contexts: tuple[str, ...] = Field(("{}",), min_length=1)
    release: Release = "paper"
    target: Literal["empty", "from"] = "empty"
    negative_guidance: float = 1.0
    parameters: ParameterSet = "noxattn"
    start_guidance: float = 3.0
    grid: int = Field(50, ge=3)
    iterations: int = Field(1000, ge=1)
    learning_rate: float = Field(1e-5, gt=0)
    batch_size: int = Field(1, ge=1)
    size: int | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    attention: Literal["sdpa", "naive"] = "sdpa"
    checkpoint_every: int = Field(100, ge=1)
    seed: int = 0


def trained_names(network: nn.Module, chosen: ParameterSet, *, is_xl: bool = False) -> list[str]:
    """Return the names of the parameters in a set, in the model's order.

    The paper's sets are of whole parameters, norms included: ``xattn`` (ESD-x) has every ``attn2``; ``noxattn`` (ESD-u) all but those, the
    time embedding and the output; ``notime`` all but the latter two; ``selfattn`` every ``attn1``; ``full`` all. Those of 2025 are of
    linear and convolutional layers alone: ``esd-x`` in ``attn2``, ``esd-x-strict`` its keys and values, ``esd-u`` outside ``attn2``
    (time embedding and output included), ``esd-all`` all; on SDXL ``esd-u`` and ``esd-all`` leave out embeddings and the first and last
    layer. alt_esd_diffusers.py says ``noxattn`` and ``full`` where it means ``esd-u`` and ``esd-all``.
    """
    kinds = {"": nn.Module} | dict(network.named_modules())
    layers = {name for name in kinds if type(kinds[name]) in (nn.Linear, nn.Conv2d)}

    def outer(name: str) -> bool:
        return name.startswith(("conv_norm_out.", "conv_out.")) or "time_embedding" in name

    def layer(name: str) -> bool:
        return name.rpartition(".")[0] in layers

    def inner(name: str) -> bool:
        return not is_xl or ("emb" not in name and "block" in name)

    rules: dict[str, Callable[[str], bool]] = {
        "noxattn": lambda name: "attn2" not in name and not outer(name),
        "xattn": lambda name: "attn2" in name,
        "selfattn": lambda name: "attn1" in name,
        "notime": lambda name: not outer(name),
        "full": lambda name: True,
        "esd-u": lambda name: layer(name) and "attn2" not in name and inner(name),
        "esd-x": lambda name: layer(name) and "attn2" in name,
        "esd-x-strict": lambda name: layer(name) and ("attn2.to_k" in name or "attn2.to_v" in name),
        "esd-all": lambda name: layer(name) and inner(name),
    }
    return [name for name, _ in network.named_parameters() if rules[chosen](name)]


def sources(config: ESDConfig) -> list[list[str]]:
    """Return, for each concept, the prompts that it is erased from."""
    if config.erase_from is None:
        return [[context.replace("{}", concept) for context in config.contexts] for concept in config.concepts]
    return [[text] for text in (config.erase_from * len(config.concepts) if len(config.erase_from) == 1 else config.erase_from)]


def target(base: torch.Tensor, concept: torch.Tensor, empty: torch.Tensor, negative_guidance: float) -> torch.Tensor:
    """Return what the student should predict (ESD Eq. 7): ``base - eta * (concept - empty)``, all noise predictions of the frozen model."""
    return base - negative_guidance * (concept - empty)


def train(config: ESDConfig, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Train, write ``out/weights`` (the trained tensors alone), ``curve.csv`` and ``report.json``, and return the report as table rows.

    Raises:
        BenchError: something that the user can mend; the last checkpoint is kept.
    """
    _check(config)
    base = resolve(config.base)
    identity = digest({"config": config.model_dump(mode="json", exclude={"checkpoint_every"}), "base": hash_weights(base)})
    if (out / "report.json").is_file():
        report = read_json(out / "report.json", "report")
        if report["identity"] != identity:
            raise BenchError(f"{out} holds a finished training with other settings or another base. Give another --out, or delete it to train anew.")
    else:
        report = Eraser(config, out, identity).run(progress)
    return [{"what": name, "value": value} for name, value in sorted(report.items()) if name not in ("identity", "config")]


def _check(config: ESDConfig) -> None:
    """Refuse prompts that do not fit together."""
    if config.erase_from is not None and len(config.erase_from) not in (1, len(config.concepts)):
        raise BenchError(f"erase_from has {len(config.erase_from)} prompts for {len(config.concepts)} concepts; give one for all, or one for each.")
    if config.erase_from is not None and config.contexts != ("{}",):
        raise BenchError("Give either erase_from or contexts: both say which prompts the concepts are erased from.")
    bad = [each for each in config.contexts if each.count("{}") != 1]
    if bad:
        raise BenchError(f"A context has one {{}}, where the concept stands; got {bad[0]!r}.")


class Eraser:
    """One training: the frozen model, the student, and the step."""

    def __init__(self, config: ESDConfig, out: Path, identity: str) -> None:
        self.config, self.out, self.identity = config, out, identity
        dtype = getattr(torch, config.dtype)
        pipeline: Any = read_pipeline(resolve(config.base), dtype)
        pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
        self.sampler = Sampler(pipeline)
        self.device = pipeline.device
        self.frozen = self.sampler.family.network.requires_grad_(False).eval()
        if config.attention == "naive":
            self.sampler.family.write_out_attention(self.frozen)
        self.student = copy.deepcopy(self.frozen)
        self.names = trained_names(self.student, config.parameters, is_xl=self.sampler.family.is_xl)
        every = dict(self.student.named_parameters())
        self.parameters = [every[name].requires_grad_(True) for name in self.names]
        self.optimizer = torch.optim.Adam(self.parameters, lr=config.learning_rate)
        self.size = config.size or self.sampler.family.size
        with torch.no_grad():
            self.empty = self.sampler.encode([""])
            refuse_cut("esd", "concepts", config.concepts, self.sampler.family)
            refuse_cut("esd", "prompts to erase from", chain(*sources(config)), self.sampler.family)
            self.concepts = [self.sampler.encode([text]) for text in config.concepts]
            self.sources = [[self.sampler.encode([text]) for text in texts] for texts in sources(config)]
        self.history: list[dict[str, float]] = []

    def run(self, progress: Progress) -> dict[str, Any]:
        """Take the steps that are left, save, and return the report."""
        config = self.config
        start = self._resume()
        advance = progress.start(f"esd: {config.parameters}", config.iterations - start, "steps")
        for step in range(start, config.iterations):
            began = time.perf_counter()
            loss = self.loss(step)
            if not torch.isfinite(loss):
                raise BenchError(f"The loss is {loss.detach().item()} at step {step}: lower learning_rate (now {config.learning_rate:g}).")
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.history.append({"step": step, "loss": loss.detach().item(), "seconds": time.perf_counter() - began})
            advance(1)
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.iterations:
                self._checkpoint(step + 1)
        return self._finish()

    def loss(self, step: int) -> torch.Tensor:
        """Return the loss of a step; everything random in it is drawn from (seed, step)."""
        config = self.config
        generator = torch.Generator().manual_seed(derive_seed(config.seed, f"step-{step}", 0))
        chosen = torch.randint(len(self.concepts), (config.batch_size,), generator=generator).tolist()
        places = torch.randint(len(self.sources[0]), (config.batch_size,), generator=generator).tolist()
        concept = joined([self.concepts[each] for each in chosen])
        source = joined([self.sources[each][place] for each, place in zip(chosen, places, strict=True)])
        shape = (config.batch_size, *self.sampler.family.latent_shape(self.size, self.size))
        noise = torch.randn(shape, generator=generator).to(self.device, self.frozen.dtype)
        with torch.no_grad():
            sample = {"paper": self._sample_paper, "diffusers": self._sample_diffusers, "2025": self._sample_2025}[config.release]
            latents, timestep = sample(noise, concept if config.release == "diffusers" else source, generator)
            empty = self.empty.repeat(config.batch_size)
            e_concept, e_empty = self.predict(self.frozen, latents, timestep, concept), self.predict(self.frozen, latents, timestep, empty)
            base = e_empty
            if config.target == "from":
                base = self.predict(self.frozen, latents, timestep, source)
        found = self.predict(self.student, latents, timestep, source)
        return nn.functional.mse_loss(found, target(base, e_concept, e_empty, config.negative_guidance))

    def predict(self, network: nn.Module, latents: torch.Tensor, timestep: torch.Tensor | int, text: Text) -> torch.Tensor:
        """Return the noise that ``network`` sees in ``latents`` (n, channels, h, w)."""
        return self.sampler.family.predict(latents, timestep, text, self.size, self.size, network)

    def _guided(self, network: nn.Module, latents: torch.Tensor, timestep: Any, text: Text, empty: Text) -> torch.Tensor:
        both = joined([empty, text])
        e_empty, e_text = self.predict(network, torch.cat([latents] * 2), timestep, both).chunk(2)
        return e_empty + self.config.start_guidance * (e_text - e_empty)

    # How each release comes to x_t and t.

    def _sample_paper(self, noise: torch.Tensor, text: Text, generator: torch.Generator) -> tuple[torch.Tensor, int]:
        """Return x_t and t as the paper's release does: DDIM over timesteps 1, 21, ..., the top one left out."""
        total, steps = self.sampler.pipeline.scheduler.config.num_train_timesteps, self.config.grid
        stop = int(torch.randint(steps, (), generator=generator))
        low, high = round(stop / steps * total), round((stop + 1) / steps * total)
        timestep = int(torch.randint(low, high, (), generator=generator))
        alphas = self.sampler.pipeline.scheduler.alphas_cumprod.tolist()
        times = [time + 1 for time in range(0, total, total // steps)][:-1]
        latents, empty = noise, self.empty.repeat(len(noise))
        for index in reversed(range(len(times))):
            now, after = alphas[times[index]], alphas[times[index - 1] if index else 0]
            predicted = self._guided(self.student, latents, times[index], text, empty)
            clean = (latents - math.sqrt(1 - now) * predicted) / math.sqrt(now)
            latents = math.sqrt(after) * clean + math.sqrt(1 - after) * predicted
            if index + 1 == stop:  # a stop of 0 is never met: the latents are denoised all the way
                break
        return latents, timestep

    def _sample_diffusers(self, noise: torch.Tensor, text: Text, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return x_t and t as alt_esd_diffusers.py does, on a base whose scheduler does not clip (Stable Diffusion's)."""
        scheduler = DDIMScheduler.from_config(self.sampler.pipeline.scheduler.config, clip_sample=False, set_alpha_to_one=False)
        stop = int(torch.randint(1, self.config.grid - 1, (), generator=generator))
        latents = self._walk(scheduler, self.student, noise, text, stop)
        total = scheduler.config.num_train_timesteps
        scheduler.set_timesteps(total, device=self.device)
        return latents, scheduler.timesteps[int(stop / self.config.grid * total)]

    def _sample_2025(self, noise: torch.Tensor, text: Text, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return x_t, scaled as the network sees it, and t as esd_sd.py and esd_sdxl.py do."""
        scheduler = type(self.sampler.pipeline.scheduler).from_config(self.sampler.pipeline.scheduler.config)
        stop = int(torch.randint(self.config.grid, (), generator=generator))
        latents = self._walk(scheduler, self.frozen, noise, text, stop)
        timestep = scheduler.timesteps[stop]
        return scheduler.scale_model_input(latents, timestep), timestep

    def _walk(self, scheduler: Any, network: nn.Module, noise: torch.Tensor, text: Text, stop: int) -> torch.Tensor:
        """Return the latents after the first ``stop`` steps of the scheduler."""
        scheduler.set_timesteps(self.config.grid, device=self.device)
        latents = noise * scheduler.init_noise_sigma
        empty = self.sampler.empty(len(noise))
        for timestep in scheduler.timesteps[:stop]:
            predicted = self._guided(network, scheduler.scale_model_input(latents, timestep), timestep, text, empty)
            latents = scheduler.step(predicted, timestep, latents, return_dict=False)[0]
        return latents

    # Checkpoints and the end.

    def _resume(self) -> int:
        """Load the last checkpoint, if there is one, and return the first step that is left."""
        state = load_checkpoint(self.out / "checkpoint.pt", self.identity)
        if state is None:
            return 0
        restore(self.parameters, state["parameters"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]
        return int(state["step"])

    def _checkpoint(self, step: int) -> None:
        state = {
            "step": step,
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }
        save_checkpoint(self.out / "checkpoint.pt", self.identity, state)
        lines = ["step,loss,seconds", *(f"{row['step']},{row['loss']},{row['seconds']}" for row in self.history)]
        write_atomic(self.out / "curve.csv", ("\n".join(lines) + "\n").encode())

    def _finish(self) -> dict[str, Any]:
        losses, seconds = [row["loss"] for row in self.history], sorted(row["seconds"] for row in self.history)
        report: dict[str, Any] = {
            "identity": self.identity,
            "config": self.config.model_dump(mode="json"),
            "iterations": self.config.iterations,
            "trained_parameters": sum(parameter.numel() for parameter in self.parameters),
            "trained_tensors": len(self.parameters),
            "first_losses": _mean(losses[:50]),
            "last_losses": _mean(losses[-50:]),
            "seconds_a_step": seconds[len(seconds) // 2],
        }
        save_partial(self.out / "weights", dict(zip(self.names, self.parameters, strict=True)))
        write_json(self.out / "report.json", report)
        return report


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
