"""The scheduler that a pipeline is sampled with: the track's class and overrides on the pipeline's own configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, first_line

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from diffusers import SchedulerMixin

    from bench.types.track import Track

TRAINED = ("prediction_type", "rescale_betas_zero_snr", "beta_start", "beta_end", "beta_schedule", "trained_betas", "num_train_timesteps")
"""What a network was trained on, and what sampling cannot choose."""
_IDLE = {"clip_sample": ("clip_sample_range",), "thresholding": ("dynamic_thresholding_ratio", "sample_max_value")}
"""Options that count only where another one is on."""


def tracks_scheduler(
    base: Mapping[str, Any], track: Track, overrides: Mapping[str, Any] | None = None, whose: str = "The base model"
) -> SchedulerMixin:
    """Return the track's scheduler, made from a pipeline's configuration and the track's overrides.

    Args:
        base: the configuration.
        track: for its name and steps, and its class and overrides where ``overrides`` is None.
        overrides: these in their place.
        whose: the configuration is, for messages.

    Raises:
        BenchError: the class or an option is unknown or does not fit, or the class cannot sample what the network was trained on.
    """
    import diffusers

    options: dict[str, Any] = dict(track.scheduler if overrides is None else overrides)
    name = str(options.pop("class", None))
    kind: Any = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise BenchError(
            f"The track {track.name!r} names an unknown scheduler {name!r}; expected a diffusers class such as DDIMScheduler under `class`."
        )
    # from_config drops an option that it does not know, which would change the images without a word.
    known = set(inspect.signature(kind).parameters)
    unknown = sorted(set(options) - known)
    if unknown:
        raise BenchError(
            f"The track {track.name!r} gives {name} an option that it does not have: {unknown[0]!r}. Mend `scheduler` in the track's file."
        )
    if {**base, **options}.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in known:
        raise BenchError(
            f"{name} does not sample a model that was trained with zero terminal SNR (rescale_betas_zero_snr). "
            "Choose one that does: --scheduler ddim, or euler."
        )
    try:
        scheduler = kind.from_config(base, **options)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise BenchError(
            f"The track {track.name!r} gives {name} options that do not fit: {first_line(error)}. Mend `scheduler` in the track's file."
        ) from error
    _refuse_another_noise(base, scheduler, options, whose)
    _refuse_undriven(scheduler, track)
    return scheduler


def step_options(scheduler: SchedulerMixin, generators: Sequence[torch.Generator]) -> dict[str, Any]:
    """Return what a scheduler's step is told beside prediction, time and latents, as far as it takes it.

    Stochastic schedulers draw from the samples' own generators too; eta is 0, as in diffusers' own pipelines, whatever a scheduler's default.
    """
    offered = {"generator": list(generators), "eta": 0.0}
    return {name: value for name, value in offered.items() if name in inspect.signature(scheduler.step).parameters}


def _noise(name: str, config: Mapping[str, Any]) -> str:
    """Return in words what noise a network is trained with that a scheduler of this class and configuration samples."""
    import diffusers

    kind = getattr(diffusers, name, None)
    is_known = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    options = set(inspect.signature(kind).parameters) if is_known else set(config)
    said = {each: value for each, value in config.items() if each in options}  # a class keeps others' options, and does not act on them
    if "FlowMatch" in name or said.get("use_flow_sigmas"):
        return "flow matching"
    if "sigma_data" in options:
        return "the noise of EDM (sigma_data)"
    if said.get("timestep_type") == "continuous":
        return "continuous noise levels"
    if "beta_schedule" in options:
        return "noise levels of betas"
    return f"the noise of {name}" if is_known else "noise levels that its configuration does not say"


def _refuse_another_noise(base: Mapping[str, Any], scheduler: SchedulerMixin, options: Mapping[str, Any], whose: str) -> None:
    """Refuse a class that would put its own noise, or its own defaults, in the place of what the network was trained on.

    Args:
        base: the pipeline's own configuration.
        scheduler: the track's, made from it.
        options: what the track says itself.
        whose: the configuration is.

    Raises:
        BenchError: the two are of other noise.
    """
    import diffusers

    name, chosen = str(base.get("_class_name") or ""), type(scheduler).__name__
    theirs, ours = _noise(name, base), _noise(chosen, scheduler.config)
    if theirs != ours:
        said = f" (its scheduler is {name})" if name else ""
        raise BenchError(
            f"{whose} was trained with {theirs}{said}; the track samples with {chosen}, which is for {ours}. "
            "Use a track whose `scheduler` names a class of its own kind (class: in a copy of the track's file)."
        )
    own = getattr(diffusers, name, None)
    if not (isinstance(own, type) and issubclass(own, diffusers.SchedulerMixin)):
        return
    full = own.from_config(dict(base)).config
    for each in TRAINED:
        if each in full and each in scheduler.config and each not in options and _plain(full[each]) != _plain(scheduler.config[each]):
            raise BenchError(
                f"{whose} does not say its {each}: {name} takes {full[each]} where nothing is said, {chosen} {scheduler.config[each]}. "
                f"Write {each} into its scheduler_config.json, or into `scheduler` in the track's file."
            )


def _refuse_undriven(scheduler: SchedulerMixin, track: Track) -> None:
    """Refuse a scheduler that does not step as the sampler has it step, by two steps on latents that nobody looks at.

    Raises:
        BenchError: it has not what the sampler asks for, or does not step from what the network predicts.
    """
    import torch

    trial = type(scheduler).from_config(scheduler.config)
    try:
        trial.set_timesteps(track.steps)
        latents = torch.ones(1, 4, 8, 8) * trial.init_noise_sigma
        extra = step_options(trial, [torch.Generator()])
        for time in trial.timesteps[:2]:
            latents = trial.step(trial.scale_model_input(latents, time), time, latents, **extra, return_dict=False)[0]
        why = "" if latents.shape == (1, 4, 8, 8) else f"its step gives latents of another shape, {tuple(latents.shape)}"
    except Exception as error:  # whatever a library's class says of arguments that it was not made for
        why = first_line(error)
    if why:
        raise BenchError(
            f"The track {track.name!r} names {type(scheduler).__name__}, which does not step as Stable Diffusion's schedulers do at {track.steps} "
            f"steps: {why}. Choose one that does (--scheduler ddim, dpm++, euler), or mend `scheduler` in the track's file."
        )


def own_config(folder: Path) -> dict[str, Any] | None:
    """Return the scheduler configuration in a pipeline's folder; None where there is none.

    Raises:
        BenchError: it is damaged.
    """
    from bench.files.atomic import read_json

    file = folder / "scheduler" / "scheduler_config.json"
    return read_json(file, "scheduler's configuration") if file.is_file() else None


def differing(ours: SchedulerMixin, theirs: SchedulerMixin) -> dict[str, tuple[Any, Any]]:
    """Return what decides sampling and differs between two schedulers of one class, ``{option: (ours, theirs)}``."""
    pairs = {name: (ours.config.get(name), theirs.config.get(name)) for name in {*ours.config, *theirs.config} if not name.startswith("_")}
    for switch, idle in _IDLE.items():
        if switch in pairs and not any(pairs[switch]):
            for name in idle:
                pairs.pop(name, None)
    return {name: pair for name, pair in sorted(pairs.items()) if _plain(pair[0]) != _plain(pair[1])}


def refuse_untrained(what: str, path: Path, sampled: Mapping[str, Any], trained: Mapping[str, Any], way_out: str) -> None:
    """Refuse weights that were trained on something else than they would be sampled with.

    Args:
        what: the weights are.
        path: of theirs.
        sampled: the scheduler's configuration.
        trained: what is known of the weights, as a scheduler's options.
        way_out: what to do, without a full stop.

    Raises:
        BenchError: they differ.
    """
    for name, value in trained.items():
        found = sampled.get(name, "epsilon" if name == "prediction_type" else False)
        if found != value:
            raise BenchError(f"{what} {path} was trained with {name} {value}; the track samples with {found}. {way_out}.")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value
