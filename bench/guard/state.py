"""What of the process's state decides what others compute in it, and how a plugin's change of it is undone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

HANDLED = (signal.SIGINT, signal.SIGTERM)
"""Signals whose handlers are the harness's."""


def settings() -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Return how each setting is read and set, by what a person calls it."""
    import torch

    found: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
        # First: what puts the others back needs frames too.
        "Python's recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
        "the mask of new files": (_mask, os.umask),
        "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
        "torch's default device": (torch.get_default_device, _set_device),
        "torch's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
        "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
        "torch's deterministic flag": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
        "NumPy's handling of errors": (np.geterr, lambda before: np.seterr(**before)),
        "the working folder": (os.getcwd, os.chdir),
    }
    if threading.current_thread() is threading.main_thread():
        found |= {f"the handler of {each.name}": (partial(signal.getsignal, each), partial(_set_handler, each)) for each in HANDLED}
    return found


def snapshot() -> dict[str, Any]:
    """Return the settings as they are, each under its name."""
    return {name: read() for name, (read, _) in settings().items()}


def put_back(before: Mapping[str, Any]) -> list[str]:
    """Set what differs from ``before`` (:func:`snapshot`) to what it was, and return the names of it."""
    changed = []
    for name, (read, write) in settings().items():
        try:
            same = read() == before[name]
        except OSError:  # the working folder was removed
            same = False
        if not same:
            write(before[name])
            changed.append(name)
    return changed


def _mask() -> int:
    mask = os.umask(0o077)  # there is no way to read it that does not set it
    os.umask(mask)
    return mask


def _set_device(device: Any) -> None:
    import torch

    # Where no device was chosen, none is: a chosen CPU would cost time at every call.
    torch.set_default_device(None)
    if torch.get_default_device() != device:
        torch.set_default_device(device)


def _set_handler(number: signal.Signals, before: Any) -> None:
    if before is not None:  # None: a handler that was not set from Python, which Python cannot set again
        signal.signal(number, before)
