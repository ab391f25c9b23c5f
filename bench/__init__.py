"""An evaluation-first benchmark harness for the safety alignment of text-to-image models."""

from __future__ import annotations

from bench import torchvision_guard

__version__ = "0.1.0"

torchvision_guard.install()
