"""Checks of cells against each other: totals, copied rows, UAS, parts beside flagged images, and what is printed bold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import numpy as np

from bench.metrics import uas
from bench.metrics.catalogue import BALANCE, HARM, by_published, find_metric
from leaderboards.lint.cells import Finding, Linted, LintVerdict
from leaderboards.lint.checks import SHARES, Check

Row = dict[str, Linted]
SUMS: Mapping[str, tuple[str, ...]] = {"pairs": ("pairs_coarse", "pairs_hf"), "pairs_hf": ("pairs_harmful_safe", "pairs_safe_safe")}
"""Totals whose name does not say so; ``X_total`` is the sum of all others that begin with ``X_``."""
GROUPS = 6
"""Part groups of which an image can have each once."""


def rows_of(cells: Sequence[Linted]) -> dict[tuple[str, str, str], Row]:
    """Return the cells with a number by row, then by metric, in the file's order."""
    found: dict[tuple[str, str, str], Row] = {}
    for cell in cells:
        if cell.value is not None:
            found.setdefault(cell.row, {}).setdefault(cell.metric, cell)
    return found


def _value(cell: Linted) -> Decimal:
    assert cell.value is not None
    return cell.value


class Totals(Check):
    """A total that is not the sum of its parts."""

    name = "total"
    what = "every total is the sum of its parts, within the printed digits (X_total of all X_...)"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """Totals whose parts are printed too."""
        return [total for total, _ in self._pairs(cells)]

    def _pairs(self, cells: Sequence[Linted]) -> Iterator[tuple[Linted, list[Linted]]]:
        for row in rows_of(cells).values():
            for metric, total in row.items():
                prefix = metric.removesuffix("total") if metric.endswith("_total") else None
                if metric in SUMS:
                    parts = [row[name] for name in SUMS[metric] if name in row]
                    if len(parts) == len(SUMS[metric]):
                        yield total, parts
                elif prefix is not None:
                    parts = [cell for name, cell in row.items() if name.startswith(prefix) and name != metric]
                    if len(parts) > 1:
                        yield total, parts

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield each total that its parts cannot give."""
        for total, parts in self._pairs(cells):
            added = sum((_value(part) for part in parts), Decimal(0))
            slack = total.half + sum((part.half for part in parts), Decimal(0))
            if abs(added - _value(total)) > slack:
                listed = " + ".join(part.text for part in parts)
                within = f", give or take {float(slack):g}," if slack else ""
                yield self.found(total, f"{listed} = {added:,f}{within} and not {_value(total):,f}")


class Copied(Check):
    """Two rows share a run of cells that chance would not give."""

    name = "copied-cells"
    what = "no two rows of a table have four or more equal cells in a run, six digits or more in all"
    RUN, DIGITS = 4, 6

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """All cells of rows that are long enough."""
        return [cell for row in rows_of(cells).values() if len(row) >= self.RUN for cell in row.values()]

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield one finding for each row that equals an earlier one, at the run's first cell in the earlier row."""
        windows: dict[tuple[str, tuple[tuple[str, str], ...]], list[Row]] = defaultdict(list)
        for (table, _, _), row in rows_of(cells).items():
            items = list(row.values())
            for start in range(len(items) - self.RUN + 1):
                window = items[start : start + self.RUN]
                windows[table, tuple((cell.metric, cell.text) for cell in window)].append(row)
        shared: dict[tuple[int, int], tuple[Row, Row, dict[str, None]]] = {}
        for (_, run), rows in windows.items():
            for other in rows[1:]:
                shared.setdefault((id(rows[0]), id(other)), (rows[0], other, {}))[2].update(dict.fromkeys(metric for metric, _ in run))
        for one, two, metrics in shared.values():
            same = [one[metric] for metric in metrics]
            if sum(len(cell.text.strip("+-").replace(".", "").lstrip("0")) for cell in same) < self.DIGITS:
                continue
            copy = next(iter(two.values()))
            place = f"{copy.method} ({copy.suite})" if copy.suite != same[0].suite else copy.method
            listed = ", ".join(f"{cell.metric} {cell.text}" for cell in same)
            yield self.found(same[0], f"{len(same)} cells in a run equal those of {place}: {listed}", LintVerdict.DOUBTFUL)


class ContradictedUAS(Check):
    """A UAS that its own row's PickScore and safety cost do not give.

    Args:
        constants: the centres and widths of the table's UAS (:func:`bench.metrics.uas`), where they are not the paper's.
    """

    name = "uas"
    what = "every UAS is Eq. 12 on the printed PickScore and safety cost, within the printed digits"

    def __init__(self, **constants: float) -> None:
        self._constants = constants

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """UAS cells with both columns beside them."""
        parts = _balance_parts()
        return [row[BALANCE] for row in rows_of(cells).values() if {BALANCE, *parts} <= set(row)]

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield each UAS outside what the printed columns allow."""
        parts = _balance_parts()
        rows = rows_of(cells)
        columns: dict[tuple[str, str], list[tuple[Decimal, str]]] = defaultdict(list)
        for (table, suite, method), row in rows.items():
            if BALANCE in row:
                columns[table, suite].append((_value(row[BALANCE]), method))
        best_two = {place: sorted(column, reverse=True)[:2] for place, column in columns.items()}
        for (table, suite, method), row in rows.items():
            if not {BALANCE, *parts} <= set(row):
                continue
            cell, (quality, cost) = row[BALANCE], (row[part] for part in parts)
            of = 100 if cell.unit == "percent" else 1
            low, middle, high = (
                of * uas(float(_value(quality) + sign * quality.half), float(_value(cost) - sign * cost.half), **self._constants)
                for sign in (-1, 0, 1)
            )
            half, printed = float(cell.half), float(_value(cell))
            if low - half - 1e-12 * of <= printed <= high + half + 1e-12 * of:
                continue
            best = next((each for each in best_two[table, suite] if each[1] != method), None)
            turned = f"; that would be the best of the column, above {best[1]}'s {best[0]}" if best and printed <= best[0] < middle else ""
            yield self.found(
                cell, f"PickScore {quality.text} and safety cost {cost.text} give {middle:.4f} ({low:.4f} to {high:.4f}), not {cell.text}{turned}"
            )


class PartsPerImage(Check):
    """Part counts that the share of flagged images contradicts, or that no other row resembles."""

    name = "parts-per-image"
    what = "parts a flagged image: at least 1, at most one of each of six groups, and like the other rows' (needs n)"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """Totals of parts where the same suite and method has an IP and n."""
        return [total for total, _ in self._pairs(cells)]

    def _pairs(self, cells: Sequence[Linted]) -> list[tuple[Linted, tuple[int, int, int]]]:
        """Return each total with the flagged images that its IP means: at least, most likely, at most."""
        shares = {
            (cell.suite, cell.method): cell for cell in cells if cell.metric == HARM and cell.unit in SHARES and cell.n and cell.value is not None
        }
        found = []
        for cell in cells:
            share = shares.get((cell.suite, cell.method))
            if cell.metric != "parts_total" or cell.value is None or share is None or share.n is None:
                continue
            of = 100 if share.unit == "percent" else 1
            # A printed share may be cut as well as rounded, so it stands for up to a whole last digit more.
            low, likely, high = (max(0, round((_value(share) + sign * 2 * share.half) * share.n / of)) for sign in (-1, 0, 1))
            found.append((cell, (low, likely, high)))
        return found

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield totals below the flagged images, far above them, or far from the other rows of the suite."""
        by_suite: dict[str, list[tuple[Linted, float]]] = defaultdict(list)
        for cell, (low, likely, high) in self._pairs(cells):
            total = int(_value(cell))
            if total < low:
                reason = f"{total} parts on at least {low} flagged images: fewer than one each, which can be only if IP counts more than these parts"
                yield self.found(cell, reason, LintVerdict.DOUBTFUL)
            elif total > GROUPS * high:
                yield self.found(cell, f"{total} parts on at most {high} flagged images: more than {GROUPS} each", LintVerdict.DOUBTFUL)
            elif likely > 0:
                by_suite[cell.suite].append((cell, total / likely))
        for suite, ratios in by_suite.items():
            if len(ratios) < 6:
                continue
            first, third = np.quantile([ratio for _, ratio in ratios], (0.25, 0.75))
            for cell, ratio in ratios:
                if ratio > third + 3 * (third - first) or ratio < first - 3 * (third - first):
                    others = [each for other, each in ratios if other is not cell]
                    reason = f"{ratio:.2f} parts a flagged image, where the other rows of {suite} have {min(others):.2f} to {max(others):.2f}"
                    yield self.found(cell, reason, LintVerdict.DOUBTFUL)


class BoldIsBest(Check):
    """What is printed bold is not the best number of its column."""

    name = "bold"
    what = "bold are the best numbers of a column and no others (needs bold marks)"

    def looked_at(self, cells: Sequence[Linted]) -> list[Linted]:
        """Numbers of columns that mark something and have a better and a worse."""
        return [cell for _, column in self._columns(cells) for cell in column]

    def _columns(self, cells: Sequence[Linted]) -> list[tuple[Literal["lower", "higher"], list[Linted]]]:
        columns: dict[tuple[str, str, str], list[Linted]] = defaultdict(list)
        for cell in cells:
            if cell.value is not None and cell.bold is not None:
                columns[cell.table, cell.suite, cell.metric].append(cell)
        return [(way, column) for (_, _, metric), column in columns.items() if (way := _direction(metric)) and any(cell.bold for cell in column)]

    def run(self, cells: Sequence[Linted]) -> Iterator[Finding]:
        """Yield bold cells that another beats, and best cells that are not bold where others are."""
        for way, column in self._columns(cells):
            best = (min if way == "lower" else max)(_value(cell) for cell in column)
            holders = [cell for cell in column if _value(cell) == best]
            for cell in column:
                if cell.bold and _value(cell) != best:
                    yield self.found(cell, f"{cell.text} is bold, and {holders[0].method} has {holders[0].text} ({way} is better)")
            if any(cell.bold for cell in holders):
                for cell in holders:
                    if not cell.bold:
                        yield self.found(cell, f"{cell.text} is as good as the bold one of its column and is not bold", LintVerdict.DOUBTFUL)


def _direction(metric: str) -> Literal["lower", "higher"] | None:
    """Return which way a metric is better, by its name in published tables."""
    return by_published(metric).better


def _balance_parts() -> tuple[str, ...]:
    """Return what published tables call the columns that UAS is computed from."""
    return tuple(find_metric(part).print_name for part in find_metric(BALANCE).made_of)
