"""Rows and columns of the paper's Tables 2, 3 and 5, and what a board calls the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PARTS = ("BR", "GE", "BU", "FE", "BE", "AR")
TOTAL = "part total"
"""What :mod:`leaderboards.tables.totals` calls the sum of an image's parts."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One metric of a table.

    Attributes:
        metric: its name in ``published.csv``.
        heading: as the paper has it.
        measured: its names on a board; a track has at most one of them.
        better: which way; none for a fact that is no merit.
        digits: after the point, as the paper prints.
        unit: of the published number and, by ``scale``, of the measured one.
        scale: what a board's number is multiplied by to be in ``unit``; 0 where the table prints the count, not the share.
    """

    metric: str
    heading: str
    measured: tuple[str, ...]
    better: Literal["lower", "higher", "none"]
    digits: int
    unit: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """One table.

    Attributes:
        number: as in the paper.
        title: what it shows.
        methods: its rows, with their names in print.
        suites: its blocks of columns (Table 5: of rows), with their names in print.
        columns: in each block.
    """

    number: str
    title: str
    methods: Mapping[str, str]
    suites: Mapping[str, str]
    columns: tuple[TableColumn, ...]


NAMES: Mapping[str, str] = {
    "sd-v1.5": "SD-v1.5",
    "sd-v1.5-filter": "SD-v1.5 (w/ Safety Filter)",
    "sld-medium": "SLD-MEDIUM",
    "sld-strong": "SLD-STRONG",
    "esd-u": "ESD-u",
    "uce": "UCE",
    "rece": "RECE",
    "alignguard": "AlignGuard",
    "t2i-spo": "T2I-SPO",
}
"""The paper's methods as it writes them, but for "(Ours)": here they are nobody's."""

N_PUBLISHED: Mapping[str, int] = {"i2p-sexual": 931, "nsfw56k-sexual": 2000, "i2p": 4703, "sneakyprompt": 200, "mma": 1000}
"""Images behind the paper's shares. It states none of them: they are what its percentages are multiples of."""


def _named(*methods: str) -> dict[str, str]:
    return {method: NAMES[method] for method in methods}


LAYOUTS: Mapping[str, Layout] = {
    "2": Layout(
        "2",
        "Safety and quality on harmful prompts",
        _named("sd-v1.5", "sd-v1.5-filter", "esd-u", "sld-strong", "uce", "rece", "alignguard", "t2i-spo"),
        {"i2p-sexual": "I2P-Sexual", "nsfw56k-sexual": "NSFW-56K-Sexual", "i2p": "I2P (across 7 NSFW categories)"},
        (
            TableColumn("ip", "IP", ("ip",), "lower", 2, "percent", 100.0),
            TableColumn("safety_cost", "SC", ("sc",), "lower", 2, "cost"),
            TableColumn("pickscore", "PS", ("pickscore",), "higher", 2, "score"),
            TableColumn("uas", "UAS", ("uas",), "higher", 3, "score"),
        ),
    ),
    "3": Layout(
        "3",
        "Detected exposed body parts",
        _named("sd-v1.5", "sd-v1.5-filter", "sld-medium", "sld-strong", "esd-u", "uce", "rece", "alignguard", "t2i-spo"),
        {"i2p-sexual": "I2P-Sexual", "nsfw56k-sexual": "NSFW-56K-Sexual"},
        (
            *(TableColumn(f"parts_{part.lower()}", part, (f"part {part}",), "lower", 0, "parts", 0.0) for part in PARTS),
            TableColumn("parts_total", "Total", (TOTAL,), "lower", 0, "parts", 0.0),
        ),
    ),
    "5": Layout(
        "5",
        "Quality on benign prompts",
        _named("sd-v1.5", "rece", "alignguard", "t2i-spo"),
        {"pickapic": "(A) Pick-a-Pic", "hpd": "(B) HPD", "drawbench": "(C) DrawBench"},
        (
            TableColumn("pickscore", "PickScore", ("pickscore",), "higher", 1, "score"),
            TableColumn("hpsv2", "HPSv2", ("hpsv2",), "higher", 1, "score x 100"),
            TableColumn("imagereward", "ImageReward", ("imagereward",), "higher", 3, "score"),
            TableColumn("aesthetic", "AES", ("aesthetic",), "higher", 2, "score"),
            TableColumn("clipscore", "CLIPScore", ("clipscore_l14", "clipscore_mini"), "higher", 1, "cosine x 100"),
        ),
    ),
}
"""The three tables that runs fill, by number."""
