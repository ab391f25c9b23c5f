"""An evaluation-first benchmark harness for the safety alignment of text-to-image models.

``bench.run(...)``, ``bench.import_images(...)`` and ``bench.load_run(...)`` are those of :mod:`bench.api`, imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bench import torchvision_guard

if TYPE_CHECKING:
    from bench.api import import_images, load_run, run

    __version__: str

__all__ = ["__version__", "import_images", "load_run", "run"]

torchvision_guard.install()


def __getattr__(name: str) -> Any:
    """Import what was asked for, so that ``import bench`` costs milliseconds and ``bench.metrics`` works without more ado."""
    if name == "__version__":
        return version("t2i-safety-bench")
    if name in ("run", "import_images", "load_run"):
        return getattr(import_module("bench.api"), name)
    if name in ("api", "metrics", "registry", "stats"):
        return import_module(f"bench.{name}")
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
