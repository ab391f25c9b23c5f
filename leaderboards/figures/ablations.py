"""Reads what ``bench ablate`` wrote: a table with one row a value, and the curves of the trainings."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from leaderboards.board.read import SHIPPED

DEFAULT = Path("runs/training/mini")
"""Where ``bench ablate`` puts its folders."""
BESIDE_THE_BOARD = SHIPPED / "mini" / "ablations"
"""Those that ship, by the ablation's name."""


@dataclass(frozen=True, slots=True)
class Point:
    """A number with its interval; its ends are NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AblationFigure:
    """One ablation.

    Attributes:
        name: ``lambda``, ``dfm`` or ``augmentations``.
        values: the labels of its values, in order.
        numbers: by label, then by column of its table, those that have an interval.
        n: by suite, ``unsafe`` and ``benign``: images behind each number.
        curves: by label: (step, loss on fixed probes).
    """

    name: str
    values: tuple[str, ...]
    numbers: Mapping[str, Mapping[str, Point]]
    n: Mapping[str, int]
    curves: Mapping[str, Sequence[tuple[int, float]]]

    def column(self, start: str) -> str:
        """Return the name of the column that begins with ``start``: a CLIPScore is named after its model.

        Raises:
            BenchError: there is none.
        """
        names = [name for name in next(iter(self.numbers.values())) if name.startswith(start)]
        if not names:
            raise BenchError(f"The table of the ablation {self.name} has no column {start}. Make it again: `bench ablate {self.name}`.")
        return names[0]


def read_ablation(what: str, folder: Path | None = None) -> AblationFigure:
    """Return the ablation in ``folder``, or where None the one that was made here or ships.

    Raises:
        BenchError: it is not there, or is another one.
    """
    place = folder or place_of(what)
    rows, lines = _rows(what, place / "table.csv"), _rows(what, place / "curves.csv")
    names = {row["ablation"] for row in rows}
    if names != {what}:
        raise BenchError(f"{place} holds the ablation {', '.join(sorted(names))}, not {what}. Make that: `bench ablate {what}`.")
    labels = tuple(row["value"] for row in rows)
    numbers = {row["value"]: {name: _number(row, name) for name in row if f"{name}_low" in row} for row in rows}
    curves = {label: [(int(line["step"]), float(line["monitor_loss"])) for line in lines if line["value"] == label] for label in labels}
    return AblationFigure(what, labels, numbers, {suite: int(rows[0][f"{suite}_n"]) for suite in ("unsafe", "benign")}, curves)


def place_of(what: str) -> Path:
    """Return the folder of an ablation that was made here, or else of the one that ships with the board."""
    made, shipped = DEFAULT / f"ablate-{what}", BESIDE_THE_BOARD / what
    return shipped if not (made / "table.csv").is_file() and (shipped / "table.csv").is_file() else made


def _rows(what: str, path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise BenchError(f"There is no {path}. Make it: `bench train libraalign`, then `bench ablate {what}`; or say where it is with --data.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise BenchError(f"{path} is empty. Make it again: `bench ablate {what}`.")
    return rows


def _number(row: Mapping[str, str], name: str) -> Point:
    low, high = (float(row[f"{name}_{end}"] or "nan") for end in ("low", "high"))
    return Point(float(row[name]), low, high)
