"""What is measured beside the rules: nothing here can fail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from bench.checking.peak import peak_memory
from bench.checking.rule import AdapterRule
from bench.checking.subject import Subject, generate
from bench.checking.verdict import Skip

ROUNDS = 3
"""The fastest counts: what disturbs a measurement makes it slower, never faster."""


def load_time(subject: Subject) -> str:
    """Load the method once more, and the base; everything is imported and the files are in the system's cache."""
    own = _seconds(subject.fresh)
    return f"{own:.2f} s" + (f"; {subject.base_name} takes {_seconds(subject.fresh_base):.2f} s" if subject.base_name else "")


def speed(subject: Subject) -> str:
    """Make the samples by turns with the base and with the method, and compare the fastest."""
    samples, on_cpu = subject.samples, subject.context.device == "cpu"
    # Processor time, where it is the processor that works, does not count what else runs on the machine.
    clock = time.process_time if on_cpu else time.perf_counter
    base, own = math.inf, math.inf
    for _ in range(ROUNDS):
        if subject.base:
            base = min(base, _seconds(partial(generate, subject.base, samples), clock))
        own = min(own, _seconds(partial(generate, subject.method, samples), clock))
    rate = f"{len(samples) / own:.1f}" if own > len(samples) / 1000 else "over 1000"
    found = f"{rate} images a {'CPU second' if on_cpu else 'second'}, {len(samples)} a call"
    return f"{found}; {own / base:.2f} times {subject.base_name}'s time an image" if 0 < base < math.inf else found


def peaks(subject: Subject) -> tuple[float, float | None]:
    """Return the peak memory of the method's process and of the base's, in MiB; these processes take seconds."""
    where = (subject.track, subject.context.device, subject.context.dtype)
    own = peak_memory(subject.name, subject.parameters, *where)
    return own, peak_memory(subject.base_name, {}, *where) if subject.base_name else None


def memory(subject: Subject) -> str:
    """Compare the peak memory of two processes."""
    if subject.peaks is None:
        raise Skip("registered by hand: another process cannot find it")
    own, base = subject.peaks.result()
    if base is None:
        return f"peak {own:.0f} MiB"
    return f"peak {own:.0f} MiB; {subject.base_name} takes {base:.0f} MiB ({round(own - base):+d} MiB, {own / base:.2f} times)"


def _seconds(do: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    do()
    return clock() - began


# Memory first: its processes have then ended and disturb no clock.
MEASURED = (
    AdapterRule(
        "memory",
        "Peak memory in MiB, and over the base's: a process each that loads and makes three images (resident on a CPU, allocated on CUDA).",
        memory,
        measured=True,
        needs=("outcomes",),
    ),
    AdapterRule(
        "load-time",
        "Seconds to load, everything imported and the files in the system's cache, beside the base's.",
        load_time,
        measured=True,
        needs=("loads",),
    ),
    AdapterRule(
        "speed",
        f"Images a second, and the time an image over the base's: by turns in one process, the fastest of {ROUNDS}; "
        "on a CPU, one thread's processor time.",
        speed,
        measured=True,
        needs=("outcomes",),
    ),
)
