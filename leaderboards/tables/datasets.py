"""Table 1, the data sets: what the paper prints, and what was counted of a LibraAlign made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.files.atomic import read_json
from leaderboards.board.read import SHIPPED
from leaderboards.published import Printed, lookup, printed
from leaderboards.tables.captions import SOURCE
from leaderboards.tables.cells import Cell, Measured, Panel, PaperTable
from leaderboards.tables.layout import TableColumn

OURS = "LibraAlign (Ours)"
COLUMNS = (
    TableColumn("pairs", "# Pairs", (), 0, "pairs"),
    TableColumn("harm_categories", "# Harm categories", (), 0, "categories"),
    TableColumn("harm_concepts", "# Harm concepts", (), 0, "concepts"),
    TableColumn("safety_annotation", "Safety annotation", (), 0, "label"),
    TableColumn("quality_annotation", "Quality annotation", (), 0, "label"),
)


NONE = "×"
"""What the paper prints where a data set has no such annotation."""


def dataset_table(folder: Path | None, cells: Sequence[Printed] | None = None) -> PaperTable:
    """Return Table 1.

    Args:
        folder: what ``bench train libraalign`` wrote; None measures nothing.
        cells: the paper's; those of ``published.csv`` where None.

    Raises:
        BenchError: the folder holds no data set, or none whose counts are known yet.
    """
    paper = lookup(printed("1") if cells is None else cells)
    manifest = None if folder is None else _manifest(folder)
    proxy = manifest is not None and manifest["config"]["prompts"]["harmful"] == "mini"
    rows = []
    for name in dict.fromkeys(method for _, method, _ in paper):
        line = []
        for column in COLUMNS:
            cell = Cell("", name, column, paper["", name, column.metric])
            line.append(_with(cell, manifest, proxy=proxy) if name == OURS else cell)
        rows.append((name, tuple(line)))
    return PaperTable("1", "T2I safety data sets", "libraalign", proxy, (Panel("", COLUMNS, tuple(rows)),), _caption(manifest, proxy=proxy))


def data_of(track: str) -> Path | None:
    """Return the LibraAlign that was made here on a track, else the one whose counts ship beside the track's board, else None."""
    places = (Path("runs/training") / track / "libraalign", SHIPPED / track / "libraalign")
    return next((folder for folder in places if (folder / "manifest.json").is_file()), None)


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / "manifest.json").is_file():
        raise BenchError(f"There is no data set in {folder} (no manifest.json). Make one: `bench train libraalign --out {folder}`.")
    manifest: dict[str, Any] = read_json(folder / "manifest.json", "data set's manifest")
    if not {"pairs", "categories", "concepts", "coarse", "hf"} <= set(manifest.get("counts", {})):
        raise BenchError(f"{folder / 'manifest.json'} holds no counts of LibraAlign. Make them: `bench train libraalign --out {folder}`.")
    return manifest


def _with(cell: Cell, manifest: Mapping[str, Any] | None, *, proxy: bool) -> Cell:
    if manifest is None:
        return Cell("", cell.method, cell.column, cell.printed, missing="not made", command="bench train libraalign")
    counts = manifest["counts"]
    values: dict[str, float | str] = {
        "pairs": float(counts["pairs"]),
        "harm_categories": float(counts["categories"]),
        "harm_concepts": float(counts["concepts"]),
        "safety_annotation": "Quantitative" if manifest["cost"] else "Ordinal",
        "quality_annotation": "Quantitative" if manifest["quality"] else NONE,
    }
    value = values[cell.column.metric]
    gap = None if proxy or isinstance(value, str) or not cell.printed.value else value - float(cell.printed.value)
    why = "proxy" if proxy else "" if gap is not None else "a word"
    return Cell("", cell.method, cell.column, cell.printed, Measured(value), difference=gap, no_difference=why)


def _caption(manifest: Mapping[str, Any] | None, *, proxy: bool) -> tuple[str, ...]:
    printed_note = (
        f"paper: as printed in {SOURCE}; – where it prints × or N/A. Its 90,760 pairs contradict its text, which has 90K coarse and 10,760 "
        "high-fidelity pairs."
    )
    if manifest is None:
        return (printed_note, "not made: `bench train libraalign` makes it; then the same command again.")
    counts = manifest["counts"]
    parts = [
        f"{name} {counts[name]['pairs']:,} ({', '.join(f'{count:,} {kind}' for kind, count in counts[name]['kinds'].items())})"
        for name in ("coarse", "hf")
    ]
    left = [f"{count:,} {why}" for name in ("coarse", "hf") for why, count in counts[name]["left_out"].items()]
    what = " It is a proxy: nothing in it is harmful, and its size says nothing of the paper's; no differences." if proxy else ""
    return (
        printed_note,
        f"measured: {manifest['title']}, counted in its files.{what} Pairs: {' + '.join(parts)}; left out: {', '.join(left) or 'none'}. "
        f"Safety by {manifest['judge']} and `{manifest['cost']}`, quality by `{manifest['quality']}`. Prompts screened out: "
        f"{len(manifest.get('screened_out_sha256', []))}. Counts have no intervals.",
    )
