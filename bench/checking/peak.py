"""``python -m bench.checking.peak``: loads one method, makes a few images, prints the process's peak memory in MiB.

A process of its own: memory once taken is seldom given back, so two methods in one process cannot be told apart.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.checking.child import run_python
from bench.checking.subject import pick_samples
from bench.registry import methods
from bench.runs.threads import one_thread
from bench.tracks import load_track
from bench.types import Context

STEPS = 7
"""Denoising steps: what is at its peak after a few stays there."""


def peak_memory(name: str, parameters: Mapping[str, Any], track: str, device: str, dtype: str) -> float:
    """Return the peak memory in MiB of a process that loads method ``name`` and makes three images: the device's on CUDA, else resident."""
    options = json.dumps({"name": name, "parameters": dict(parameters), "track": track, "device": device, "dtype": dtype})
    return float(run_python(["-m", "bench.checking.peak", options]).split()[-1])


def _resident() -> float:
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux getrusage also counts the peak of the process that started this one.
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _measure(name: str, parameters: Mapping[str, Any], track: str, device: str, dtype: str) -> float:
    import torch

    one_thread()
    loaded = load_track(track)
    method = methods.get(name)(**parameters)
    method.load(Context(loaded, device, dtype))
    method.generate([replace(sample, steps=STEPS) for sample in pick_samples(loaded)[:3]])
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.startswith("cuda") else _resident()


if __name__ == "__main__":
    print(_measure(**json.loads(sys.argv[1])))
