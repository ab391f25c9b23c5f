"""The scheduler that a pipeline is sampled with: the track's class and overrides on the pipeline's own configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, first_line

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import SchedulerMixin

    from bench.types.track import Track

TRAINED = ("prediction_type", "rescale_betas_zero_snr", "beta_start", "beta_end", "beta_schedule", "trained_betas", "num_train_timesteps")
"""What a network was trained on, and what sampling cannot choose."""
_IDLE = {"clip_sample": ("clip_sample_range",), "thresholding": ("dynamic_thresholding_ratio", "sample_max_value")}
"""Options that count only where another one is on."""


def tracks_scheduler(base: Mapping[str, Any], track: Track, overrides: Mapping[str, Any] | None = None) -> SchedulerMixin:
    """Return the track's scheduler, made from a pipeline's configuration and the track's overrides.

    Args:
        base: the configuration.
        track: for its name, and its class and overrides where ``overrides`` is None.
        overrides: these in their place.

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
        return kind.from_config(base, **options)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise BenchError(
            f"The track {track.name!r} gives {name} options that do not fit: {first_line(error)}. Mend `scheduler` in the track's file."
        ) from error


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
