"""Metrics: what a number means, the formulas from stored scores to one value an image, and a run's columns.

The formulas are importable from here: ``bench.metrics.uas`` and its kin (:mod:`bench.metrics.formulas`).
"""

from __future__ import annotations

from bench.metrics.formulas import inappropriate, part_boxes, part_images, prompt_shares, uas

__all__ = ["inappropriate", "part_boxes", "part_images", "prompt_shares", "uas"]
