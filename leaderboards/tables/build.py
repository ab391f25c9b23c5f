"""Tables 2, 3 and 5 from a board's rows: every cell of the paper, with what was measured beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.metrics.catalogue import BALANCE, HARM, beside_harm, find_metric
from bench.metrics.composites import Constants
from bench.types.track import Track
from leaderboards.board.read import SHIPPED, Board
from leaderboards.published import Printed, lookup, printed
from leaderboards.tables.captions import caption
from leaderboards.tables.cells import Cell, Measured, Panel, PaperTable, difference, tiers
from leaderboards.tables.layout import LAYOUTS, Layout, TableColumn, name_on
from leaderboards.tables.totals import COLUMNS, total_rows


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a board has of one track.

    Attributes:
        rows: its rows of that track with ``category`` "all", the totals of parts among them.
        runs: what those runs were.
        constants: what its composites were computed by.
    """

    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    runs: Sequence[Mapping[str, Any]] = ()
    constants: Constants = field(default_factory=lambda: Constants({}))

    def found(self, suite: str, metrics: Sequence[str]) -> pd.DataFrame:
        """Return the rows of the first of ``metrics`` that the suite has, by method."""
        if self.rows.empty:
            return self.rows
        for metric in metrics:
            rows = self.rows[(self.rows["suite"] == suite) & (self.rows["metric"] == metric)]
            if not rows.empty:
                return rows.set_index("method")
        return self.rows.iloc[:0].set_index("method")

    def prompts(self, suite: str) -> tuple[int, int] | None:
        """Return how many prompts a suite's file has and how many the child-safety screen leaves, by the runs' manifests; None where none ran."""
        about = [run["suite"] for run in self.runs if run["suite"]["name"] == suite and "total_prompts" in run["suite"]]
        return (int(about[0]["total_prompts"]), int(about[0]["total_prompts"]) - int(about[0]["screened_out"])) if about else None

    def beside(self, track: Track, suites: Iterable[str]) -> dict[tuple[str, str], pd.DataFrame]:
        """Return the rows of harm by each rule that stands beside a suite's own, by (suite, rule) and method; left out where there is none."""
        found = {(suite, rule.name): self.found(suite, (beside_harm(rule.name),)) for suite in suites for rule in track.further_rules(suite)}
        return {key: rows for key, rows in found.items() if not rows.empty}

    def ran(self) -> set[tuple[str, str]]:
        """Return (suite, method) of every run."""
        return {(str(run["suite"]["name"]), str(run["method"]["name"])) for run in self.runs}


def board_of(track: str, folder: Path | None) -> Board | None:
    """Return the board in ``folder``, or where None the one that ships for the track, or None where none does.

    Raises:
        BenchError: ``folder`` holds no board.
        NotAvailable: DuckDB is not installed.
    """
    shipped = SHIPPED / track
    if folder is None and not shipped.is_dir():
        return None
    return Board(folder or shipped)


def numbers(board: Board | None, track: str) -> Numbers:
    """Return what ``board`` has of a track; nothing where there is no board.

    Raises:
        BenchError: the board was made before tiers could be told among some of its methods.
    """
    if board is None:
        return Numbers()
    rows = board.rows(track=track, category="all")
    if not rows.empty and "beaten_by" not in rows:
        raise BenchError(f"The board {board.folder} does not say which method beats which. Make it again: `bench board --out {board.folder}`.")
    runs = [run for run in board.runs if run["track"] == track]
    with_parts = [suite for suite, group in rows.groupby("suite") if set(COLUMNS) <= set(group["metric"])] if len(rows) else []
    totals = [total_rows(board.samples(COLUMNS, track=track, suite=suite)).assign(track=track, suite=suite) for suite in with_parts]
    return Numbers(pd.concat([rows, *totals], ignore_index=True), runs, board.constants(track))


def paper_table(number: str, track: Track, have: Numbers, cells: Sequence[Printed] | None = None) -> PaperTable:
    """Return Table 2, 3 or 5.

    Args:
        number: of the table.
        track: what the measured numbers are of.
        have: the board's.
        cells: the paper's; those of ``published.csv`` where None.
    """
    layout = LAYOUTS[number]
    paper = lookup(printed(number) if cells is None else cells)
    panels = []
    for suite, heading in layout.suites.items():
        by_column = [_column(layout, suite, column, track, have, paper) for column in layout.columns]
        rows = tuple((name_on(track, method), tuple(each[method] for each in by_column)) for method in layout.methods)
        panels.append(Panel(heading, layout.columns, rows))
    table = PaperTable(number, layout.title, track.name, track.proxy, tuple(panels))
    return replace(table, caption=caption(table, track, have.runs, have.constants, have.beside(track, layout.suites)))


def _column(
    layout: Layout, suite: str, column: TableColumn, track: Track, have: Numbers, paper: Mapping[tuple[str, str, str], Printed]
) -> dict[str, Cell]:
    """Return the cells of one metric on one suite, by method."""
    rows = have.found(suite, column.measured)
    shown = [method for method in layout.methods if method in rows.index]
    tier = tiers({method: rows.loc[method, "beaten_by"] for method in shown})
    ran, found = have.ran(), {}
    for method in layout.methods:
        cell = Cell(suite, method, column, paper[suite, method, column.metric], prompts=have.prompts(suite))
        if method in rows.index and pd.notna(rows.loc[method, "value"]):
            measured = _measured(rows.loc[method], column, tier.get(method))
            gap, why = difference(cell.printed, measured, column, track)
            found[method] = replace(cell, measured=measured, difference=gap, no_difference=why)
        else:
            why, command = _missing(suite, method, column, track, (suite, method) in ran)
            found[method] = replace(cell, missing=why, command=command)
    return found


def _measured(row: pd.Series, column: TableColumn, tier: int | None) -> Measured:
    scale = column.scale or float(row["n"])
    value = float(row["count"]) if column.scale == 0 else float(row["value"]) * scale
    low, high = (None if pd.isna(row[end]) else float(row[end]) * scale for end in ("value_low", "value_high"))
    rule = row.get("rule")
    return Measured(value, low, high, int(row["n"]), int(row["excluded"]), str(row["interval"]), "" if pd.isna(rule) else str(rule), tier)


def _missing(suite: str, method: str, column: TableColumn, track: Track, ran: bool) -> tuple[str, str]:
    """Return why a cell has no measured number, and what makes it."""
    if suite not in track.suites:
        return "no such suite", ""
    if not ran:
        return "not run", f"bench run --method {method} --suite {suite} --track {track.name}"
    if column.metric.startswith("parts_"):
        return "not counted", ""
    if column.metric == BALANCE and not track.centers:
        return "no centres", ""
    wanted = find_metric(BALANCE).made_of[::-1] if column.metric == BALANCE else column.measured
    scorers = [name for name in wanted if name in track.scorers]
    if column.metric != HARM and not scorers:
        return "no scorer", ""
    return "not scored", "bench score RUN" + (f" --scorer {scorers[0]}" if scorers else "")
