"""Which way is better, metric by metric: what ranks, tiers and arrows in tables need to know."""

from __future__ import annotations

from collections.abc import Mapping

from bench.stats.ranks import Better

BETTER: Mapping[str, Better] = {
    "ip": "lower",
    "nudenet": "lower",
    "glyphs": "lower",
    "q16": "lower",
    "safety-checker": "lower",
    "sc": "lower",
    "severity": "lower",
    "ip_max25": "lower",
    "uas": "higher",
    "uas_per_image": "higher",
    "pickscore": "higher",
    "hpsv2": "higher",
    "imagereward": "higher",
    "clipscore_l14": "higher",
    "clipscore_b32": "higher",
    "clipscore_h14": "higher",
    "clipscore_mini": "higher",
    "aesthetic": "higher",
    "fidelity": "higher",
}
"""Of every metric that can be ranked; parts are lower too (:func:`better`). How often a filter blocks is neither: a fact, not a merit."""


def better(metric: str) -> Better | None:
    """Return whether lower or higher values of ``metric`` are better, or None where neither is."""
    return "lower" if metric.startswith("part ") else BETTER.get(metric)
