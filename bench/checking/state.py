"""The state of the process that a method has to leave as it found it, and how it is put back after each rule."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.guard import state
from bench.runs.threads import one_thread


def snapshot() -> dict[str, Any]:
    """Return the process's global state, each part under its name; two are equal where nothing changed."""
    import torch

    numpy_state: Any = np.random.get_state(legacy=False)
    return {
        **state.snapshot(),
        "torch's global random state": torch.get_rng_state().numpy().tobytes(),
        "NumPy's global random state": (numpy_state["state"]["pos"], numpy_state["state"]["key"].tobytes(), numpy_state["gauss"]),
        "Python's global random state": random.getstate(),
        "os.environ": dict(os.environ),
    }


@contextmanager
def kept() -> Iterator[None]:
    """Put the global state back at the end, so that one rule's harm does not reach the next."""
    import torch

    before = snapshot()
    torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        state.put_back(before)
        torch.set_rng_state(torch_state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        if dict(os.environ) != before["os.environ"]:
            os.environ.clear()
            os.environ.update(before["os.environ"])


@contextmanager
def as_in_a_worker() -> Iterator[None]:
    """One thread, as every worker has; and whatever is done to the process is undone."""
    with kept():
        one_thread()
        yield


def seed_globally(seed: int) -> None:
    """Seed torch, NumPy and Python: what a method must not draw from."""
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
