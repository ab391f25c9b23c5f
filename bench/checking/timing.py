"""What a method costs beside the track's base model: by turns in one process, so that what disturbs one disturbs the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import t

from bench.checking.state import as_in_a_worker
from bench.checking.subject import generate, pick_samples
from bench.checking.verdict import Broken
from bench.console import Progress, Quiet
from bench.errors import BenchError, blaming, is_ctrl_c, said
from bench.guard.asking import load
from bench.guard.calls import Call, Caller
from bench.runs.spec import base_method, method_on
from bench.seeds import derive_seed
from bench.types import Context, Method, Sample
from bench.types.track import Track

Clock = Callable[[], float]


def measure(
    names: Sequence[str],
    context: Context,
    *,
    rounds: int = 10,
    batch: int | None = None,
    progress: Progress | None = None,
    caller: Caller | None = None,
) -> list[dict[str, Any]]:
    """Return a row a method: its seconds an image, and its time over that of the track's base with a 95% interval.

    A round times the base and the method on the same samples, in changing order, after one call each that does not count. The ratio is the
    mean over rounds of the ratio within a round, with Student's interval. On a CPU the time is that of the processor, with one thread as every
    worker has; it does not count what else runs on the machine. Elsewhere it is wall-clock time. Beside the base one method is in memory.

    Args:
        names: methods, with their default parameters.
        context: track, device, dtype.
        rounds: at least 2.
        batch: samples a call; the track's where None.
        progress: told of every round.
        caller: makes every call of the methods.

    Raises:
        BenchError: unknown method, one that does not run on the track or that fails, a track without a base method, or too few rounds.
    """
    caller, advance = caller or Caller(), (progress or Quiet()).start("speed", rounds * len(names), "rounds")
    track, base_name = context.track, base_method(context.track)
    batch = track.batch_size if batch is None else batch
    if rounds < 2 or batch < 1:
        raise BenchError(f"An interval takes at least 2 rounds of at least one sample; got {rounds} of {batch}.")
    if base_name is None:
        raise BenchError(f"No method of kind `base` runs on track {track.name!r}; there is nothing to compare with.")
    methods = [_made(name, track) for name in names]  # a wrong name is refused before anything is loaded
    base, samples = _made(base_name, track), _samples(track, batch)
    clock = time.process_time if context.device.startswith("cpu") else time.perf_counter
    head = {"track": track.name, "device": device_name(context.device), "dtype": context.dtype, "batch": batch, "rounds": rounds, "base": base_name}
    rows = []
    with as_in_a_worker():
        load(base, base_name, context, caller)
        _seconds(base, samples, clock, caller)
        for name in names:
            method = methods.pop(0)  # its memory goes with the loop's variable
            load(method, name, context, caller)
            _seconds(method, samples, clock, caller)
            own: list[float] = []
            of_base: list[float] = []
            for index in range(rounds):
                turns = [(method, own), (base, of_base)]
                for each, seconds in turns if index % 2 else reversed(turns):
                    seconds.append(_seconds(each, samples, clock, caller) / batch)
                advance(1)
            rows.append({"method": name, "seconds": float(np.median(own)), **ratio(own, of_base), **head})
    return rows


def ratio(own: Sequence[float], of_base: Sequence[float]) -> dict[str, float]:
    """Return the mean of the paired ratios with Student's 95% interval.

    Args:
        own: a method's seconds, one a round.
        of_base: the base's, of the same rounds.
    """
    each = np.asarray(own) / np.asarray(of_base)
    half = float(t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))
    return {"ratio": float(each.mean()), "ratio_low": float(each.mean()) - half, "ratio_high": float(each.mean()) + half}


def device_name(device: str) -> str:
    """Return what ``device`` is, such as ``NVIDIA H100`` or ``cpu x86_64, 1 thread``."""
    import platform

    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{device} {platform.machine()}, 1 thread"


def _made(name: str, track: Track) -> Method:
    adapter, parameters = method_on(name, track, {})
    with blaming("method", name, "__init__"):
        return adapter(**parameters)


def _samples(track: Track, count: int) -> list[Sample]:
    """Return ``count`` samples that share a call, each with noise of its own: what they ask for does not change what they cost."""
    pool = pick_samples(track)
    return [replace(pool[index % len(pool)], image_index=index, seed=derive_seed(track.seed, "speed", index)) for index in range(count)]


def _seconds(method: Method, samples: Sequence[Sample], clock: Clock, caller: Caller) -> float:
    name = method.info.name
    caller.begin(len(samples))
    try:
        with caller.call(Call.on("method", name, "generate", samples)):
            began = clock()
            generate(method, samples)
            ended = clock()
    except BenchError:
        raise
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        why = str(error) if isinstance(error, Broken) else said(error)
        raise BenchError(f"The method {name!r} does not generate: {why}. See `bench check-method {name}`.") from error
    caller.idle()
    return ended - began
