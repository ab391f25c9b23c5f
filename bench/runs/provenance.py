"""What made a run: versions, git state, machine. Written into the manifest, compared when a run is resumed."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.registry import DISTRIBUTION

NUMERIC = ("torch", "diffusers", "transformers")
"""Another version of these may give other pixels."""

_LISTED = (*NUMERIC, "numpy", "pandas", "pyarrow", "safetensors", "pillow")


def versions() -> dict[str, str]:
    """Return the versions of what decides or measures images."""
    found = {"python": platform.python_version(), "bench": version(DISTRIBUTION)}
    for name in _LISTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def git_state() -> dict[str, str | bool]:
    """Return the commit of the harness's checkout and whether it had changes; empty where it is not a checkout."""
    root = Path(__file__).parents[1]
    try:
        commit = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        status = subprocess.run(["git", "-C", str(root), "status", "--porcelain", "--", "."], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit.stdout.strip(), "changed": bool(status.stdout.strip())}


def tf32() -> dict[str, bool]:
    """Return whether float32 products and convolutions of a CUDA device may round to TF32: torch's settings as they are, which a run leaves alone."""
    import torch

    return {"tf32_matmul": torch.backends.cuda.matmul.allow_tf32, "tf32_convolutions": torch.backends.cudnn.allow_tf32}


def machine() -> dict[str, str]:
    """Return the operating system and processor kind; no host name, no user."""
    return {"system": platform.system(), "machine": platform.machine()}
