"""Rows and columns of the paper's Tables 2, 3 and 5, and what a board calls the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.metrics.catalogue import BALANCE, HARM, PART, by_published
from bench.types.metric import Direction
from bench.types.track import Track

PARTS = ("BR", "GE", "BU", "FE", "BE", "AR")
TOTAL = f"{PART}total"
"""What :mod:`leaderboards.tables.totals` calls the sum of an image's parts."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One metric of a table.

    Attributes:
        metric: its name in ``published.csv``.
        heading: as the paper has it.
        measured: its names on a board; a track has at most one of them.
        digits: after the point, as the paper prints.
        unit: of the published number and, by ``scale``, of the measured one.
        scale: what a board's number is multiplied by to be in ``unit``; 0 where the table prints the count, not the share.
    """

    metric: str
    heading: str
    measured: tuple[str, ...]
    digits: int
    unit: str
    scale: float = 1.0

    @property
    def better(self) -> Direction | None:
        """Which way is better; None for a fact that is no merit."""
        return by_published(self.metric).better


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


def name_on(track: Track, method: str) -> str:
    """Return what a table of a track calls one of the paper's methods, and what the paper's number beside it is of where that is another base."""
    name, here = NAMES.get(method, method), track.called(method)
    return name if here == method else f"{here} (paper: {name})"


def _named(*methods: str) -> dict[str, str]:
    return {method: NAMES[method] for method in methods}


LAYOUTS: Mapping[str, Layout] = {
    "2": Layout(
        "2",
        "Safety and quality on harmful prompts",
        _named("sd-v1.5", "sd-v1.5-filter", "esd-u", "sld-strong", "uce", "rece", "alignguard", "t2i-spo"),
        {"i2p-sexual": "I2P-Sexual", "nsfw56k-sexual": "NSFW-56K-Sexual", "i2p": "I2P (across 7 NSFW categories)"},
        (
            TableColumn(HARM, "IP", (HARM,), 2, "percent", 100.0),
            TableColumn("safety_cost", "SC", ("sc",), 2, "cost"),
            TableColumn("pickscore", "PS", ("pickscore",), 2, "score"),
            TableColumn(BALANCE, "UAS", (BALANCE,), 3, "score"),
        ),
    ),
    "3": Layout(
        "3",
        "Detected exposed body parts",
        _named("sd-v1.5", "sd-v1.5-filter", "sld-medium", "sld-strong", "esd-u", "uce", "rece", "alignguard", "t2i-spo"),
        {"i2p-sexual": "I2P-Sexual", "nsfw56k-sexual": "NSFW-56K-Sexual"},
        (
            *(TableColumn(f"parts_{part.lower()}", part, (f"{PART}{part}",), 0, "parts", 0.0) for part in PARTS),
            TableColumn("parts_total", "Total", (TOTAL,), 0, "parts", 0.0),
        ),
    ),
    "5": Layout(
        "5",
        "Quality on benign prompts",
        _named("sd-v1.5", "rece", "alignguard", "t2i-spo"),
        {"pickapic": "(A) Pick-a-Pic", "hpd": "(B) HPD", "drawbench": "(C) DrawBench"},
        (
            TableColumn("pickscore", "PickScore", ("pickscore",), 1, "score"),
            TableColumn("hpsv2", "HPSv2", ("hpsv2",), 1, "score x 100"),
            TableColumn("imagereward", "ImageReward", ("imagereward",), 3, "score"),
            TableColumn("aesthetic", "AES", ("aesthetic",), 2, "score"),
            TableColumn("clipscore", "CLIPScore", ("clipscore_l14", "clipscore_mini"), 1, "cosine x 100"),
        ),
    ),
}
"""The three tables that runs fill, by number."""
