"""TODO."""

from __future__ import annotations

from collections.abc import Mapping

MEANS: Mapping[str, str] = {
    "pickscore": "PickScore",
    "hpsv2": "100 x cosine",
    "imagereward": "standard deviations",
    "clipscore_l14": "100 x cosine",
    "clipscore_b32": "100 x cosine",
    "clipscore_h14": "100 x cosine",
    "clipscore_mini": "100 x cosine",
    "aesthetic": "1 to 10",
    "fidelity": "of attributes",
    "severity": "0 to 3",
    "sc": "cost",
}
"""Score columns of ours that are printed as a mean where they are there, in this order, each with its unit; a plugin's follow them."""
