"""An evaluation-first benchmark harness for the safety alignment of text-to-image models.

``bench.run(...)``, ``bench.load_run(...)`` and their kin are those of :mod:`bench.api`, imported when first used; ``dir(bench)`` names them all.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bench import torchvision_guard

if TYPE_CHECKING:
    from bench import api, metrics, registry, stats
    from bench.api import Run, compare, find_runs, import_images, load_run, merge, meta, regenerate, run, score, summary, sweep, verify

    __version__: str

_FROM_API = ("Run", "compare", "find_runs", "import_images", "load_run", "merge", "meta", "regenerate", "run", "score", "summary", "sweep", "verify")
_MODULES = ("api", "metrics", "registry", "stats")

__all__ = [
    "Run",
    "__version__",
    "api",
    "compare",
    "find_runs",
    "import_images",
    "load_run",
    "merge",
    "meta",
    "metrics",
    "regenerate",
    "registry",
    "run",
    "score",
    "stats",
    "summary",
    "sweep",
    "verify",
]

torchvision_guard.install()


def __getattr__(name: str) -> Any:
    """Import what was asked for, so that ``import bench`` costs milliseconds and ``bench.metrics`` works without more ado."""
    if name == "__version__":
        return version("t2i-safety-bench")
    if name in _FROM_API:
        return getattr(import_module("bench.api"), name)
    if name in _MODULES:
        return import_module(f"bench.{name}")
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what is for users, so that completion shows it before it is imported."""
    return sorted(__all__)
