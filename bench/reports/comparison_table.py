"""A comparison as people read it: the telling metrics, how far each method lies from the first, and in words whether a test tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.formats import called, floated, latex, merged, tabular
from bench.metrics.catalogue import arrow, find_metric, headlines, telling
from bench.types.metric import Role
from bench.types.track import Track

ALPHA = 0.05
"""Below it an adjusted p-value tells two methods apart."""
MOST = 5
"""Metrics of a default table: with three methods it fills one screen of 24 lines."""
SHOWN = ("metric", "method", "value", "difference", "difference_low", "difference_high", "verdict", "p_holm", "baseline")
LATER = ("p holm", "baseline")
"""Headings that a narrow terminal leaves out first, the last of them at first: the verdict is what the table is for."""
FULL = ("metric", "method", "value", "value_low", "value_high", "n", "difference", "difference_low", "difference_high", "verdict", "p_holm")


def default_rows(rows: Sequence[dict[str, Any]], *, unsafe: bool) -> list[dict[str, Any]]:
    """Return the lines of the most telling metrics, those of the methods beside the first alone: headlines, the truth, what is blocked.

    Args:
        rows: from :func:`bench.reports.comparison.compared`.
        unsafe: as of the suite: whether the truth that is shown is harm or fidelity.
    """
    names = list(dict.fromkeys(row["metric"] for row in rows))
    costs = [name for name in telling(names, Role.COST) if find_metric(name).share]
    found = headlines(names, truth="lower" if unsafe else "higher")
    one_a_role = {find_metric(name).role: name for name in reversed(found)}.values()
    kept = [*sorted(one_a_role, key=found.index), *(name for name in found if name not in one_a_role)][: MOST - len(costs[:1])]
    shown = [*sorted(kept, key=found.index), *costs[:1]]
    first = rows[0]["method"]
    return [row for name in shown or names[:MOST] for row in rows if row["metric"] == name and row["method"] != first]


def shown(rows: Sequence[dict[str, Any]], track: Track, *, every: bool) -> list[dict[str, Any]]:
    """Return rows as a terminal shows them: of every metric with their own intervals, else the differences alone."""
    sizes = {row["n"] for row in rows}
    keys = [key for key in (FULL if every else SHOWN) if key != "n" or len(sizes) > 1]
    named = called([{key: row[key] for key in keys} for row in rows], track.names)
    return [{**row, "metric": row["metric"] if every else arrow(row["metric"])} for row in named]


def caption(rows: Sequence[dict[str, Any]], first: str, *, every: bool, measured: int) -> str:
    """Return what a reader must know of the numbers, in a few lines."""
    chance = f"p: the chance of a difference as large were the two alike, adjusted by Holm over the methods; from {ALPHA} on they are not told apart."
    tests = " Shares: Tango interval, exact McNemar. Means: paired bootstrap of prompts, swap test." if every else ""
    left = measured - len({row["metric"] for row in rows})
    more = f" {left} more metric{'s' if left > 1 else ''}, with every method's own intervals: --all." if left > 0 and not every else ""
    return f"Differences from {first} on the same samples, n = {_counted(rows)} images a number, 95% intervals. {chance}{tests}{more}"


def _counted(rows: Sequence[dict[str, Any]]) -> str:
    sizes = sorted({row["n"] for row in rows})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} (those that both have a value of)" if sizes else "0"


def table_for_paper(rows: Sequence[dict[str, Any]], track: Track, suite: str, first: str) -> str:
    """Return the rows as LaTeX to paste: booktabs, caption, label; what is told apart in bold."""
    keys = ("metric", "method", "value", "difference", "difference_low", "difference_high", "verdict")
    named = called([{key: row[key] for key in keys} for row in rows], track.names)
    _, cells = merged(named)
    n = _counted(rows)
    lines = []
    for row, (_, method, value, difference, verdict) in zip(rows, cells, strict=True):
        arrows = latex(arrow(row["metric"])).replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$")
        gap = latex(difference).replace("-", "$-$")
        told = row["verdict"] in TOLD_APART
        lines.append([arrows, latex(method), latex(value).replace("-", "$-$"), rf"\textbf{{{gap}}}" if told else gap, latex(verdict)])
    bold = f"bold where a paired test tells the two apart ({ALPHA:.0%}, Holm)"
    said = f"Differences from {first} on the same samples, n = {n}, with 95% intervals; {bold}."
    table = tabular([["Metric", "Method", "Value", "Difference", "Verdict"]], lines, columns="llrrl")
    return floated(table, latex(f"{suite} on {track.name}. {said}"), f"compare-{track.name}-{suite}")


TOLD_APART = ("better", "worse", "higher", "lower")


def verdict(metric: str, difference: float | None, p_holm: float | None, alpha: float = ALPHA) -> str:
    """Return in words what a comparison's p-value says of a metric: the first method's own row has none, and what was not tested says so."""
    if p_holm is None or difference is None:
        return "not tested"
    if p_holm >= alpha or difference == 0:
        return "not told apart"
    way, gone = find_metric(metric).better, "lower" if difference < 0 else "higher"
    return gone if way is None else "better" if way == gone else "worse"
