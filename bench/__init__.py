"""An evaluation-first benchmark harness for the safety alignment of text-to-image models.

``bench.run(...)`` and ``bench.load_run(...)`` are :func:`bench.api.run` and :func:`bench.runs.find.load_run`, imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bench import torchvision_guard

if TYPE_CHECKING:
    from bench.api import load_run, run

    __version__: str

__all__ = ["__version__", "load_run", "run"]

torchvision_guard.install()


def __getattr__(name: str) -> Any:
    """Import what was asked for, so that ``import bench`` costs milliseconds and ``bench.metrics`` works without more ado."""
    if name == "__version__":
        return version("t2i-safety-bench")
    if name in ("run", "load_run"):
        return getattr(import_module("bench.api"), name)
    if name in ("api", "metrics", "registry", "stats"):
        return import_module(f"bench.{name}")
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
