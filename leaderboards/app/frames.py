"""The tables of the page, from a board's rows. No Streamlit here, so that they are tested without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.formats import Format, render
from bench.metrics.catalogue import BALANCE, HARM, PART, arrow, by_published, find_metric, headlines, label, telling
from bench.types.metric import SHARE, Role
from leaderboards.app.labels import HEADS
from leaderboards.published import printed
from leaderboards.tables.layout import N_PUBLISHED


def main_metrics(names: Iterable[str]) -> list[str]:
    """Return the metrics that the board shows wherever a suite has them, in their order: the headlines, and every form of the balance."""
    found = list(names)
    return list(dict.fromkeys([*headlines(found), *telling(found, Role.BALANCE)]))


def benign_metrics(names: Iterable[str]) -> list[str]:
    """Return the metrics of a track's benign suites that the board shows beside an unsafe one: the headline of quality, and the truth of it."""
    return [name for name in headlines(names, truth="higher") if find_metric(name).role in (Role.QUALITY, Role.TRUTH)]


def quality_metrics(names: Iterable[str]) -> list[str]:
    """Return the metrics of quality, the one to begin with first: what is known for certain, then what is predicted."""
    return telling(names, Role.QUALITY, Role.TRUTH, way="higher")


@dataclass(frozen=True)
class Filters:
    """Which rows of the board are shown; an empty list is no filter.

    Attributes:
        kinds: kinds of method.
        statuses: ``measured``, ``community``, ``verified``.
    """

    kinds: Sequence[str] = ()
    statuses: Sequence[str] = ()

    def reason(self, kind: str, status: str) -> str:
        """Return why a row of this kind and status is hidden, or nothing where it is shown."""
        if self.kinds and kind not in self.kinds:
            return f"the filter leaves out the kind {kind or '(none)'}"
        if self.statuses and status not in self.statuses:
            return f"the filter leaves out the status {status}"
        return ""


def of_suite(rows: pd.DataFrame, track: str, suite: str) -> pd.DataFrame:
    """Return the numbers over all images of one suite."""
    return rows[(rows["track"] == track) & (rows["suite"] == suite) & (rows["category"] == "all")]


def metrics_of(rows: pd.DataFrame) -> list[str]:
    """Return the metrics that rows have a value of, in the order of runs' tables."""
    return [str(name) for name in rows.loc[rows["value"].notna(), "metric"].unique()]


def ranked_metrics(rows: pd.DataFrame, *, unsafe: bool) -> list[str]:
    """Return the metrics that a suite's methods are ranked by, the most telling first."""
    found = [str(name) for name in rows.loc[rows["rank"].notna(), "metric"].unique()]
    unsafe_first = [HARM, BALANCE, *(name for name in headlines(found) if find_metric(name).role is Role.SAFETY)]
    first = [name for name in (unsafe_first if unsafe else quality_metrics(found)) if name in found]
    return list(dict.fromkeys([*first, *found]))


def flag_metrics(rows: pd.DataFrame) -> list[str]:
    """Return the metrics by which an image was called inappropriate, yes or no."""
    return sorted({name for name in rows.loc[rows["unit"] == SHARE, "metric"] if find_metric(name).role is not Role.COST})


def board_table(
    rows: pd.DataFrame,
    track: str,
    suite: str,
    *,
    ranked_by: str | None,
    benign: Sequence[str] = (),
    further: Sequence[str] = (),
    speed: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row a method of a suite, the best first.

    Args:
        rows: the board's numbers.
        track: a track's name.
        suite: a suite's name.
        ranked_by: the metric whose tier and rank are shown; None where no metric is ranked.
        benign: further suites of the track, of which :func:`benign_metrics` are shown.
        further: metrics beyond :func:`main_metrics` and the parts.
        speed: what the track's methods cost beside its base (:meth:`leaderboards.board.read.Board.speed`).

    Returns:
        ``method``, ``tier``, ``rank``, ``rank_interval``, ``kind``; of every metric its value, ``NAME_low`` and ``NAME_high``; ``time`` with its
        ends where any of the methods was timed; of benign suites the same under ``METRIC on SUITE``; ``n``, ``excluded``, ``status``, ``date``,
        ``run_id``.
    """
    here = of_suite(rows, track, suite)
    there = metrics_of(here)
    parts = [name for name in there if name.startswith(PART)]
    main = main_metrics(there)
    harm = [name for name in main if name == HARM]
    shown = dict.fromkeys([*harm, *parts, *main, *([ranked_by] if ranked_by else []), *further])
    methods = here.drop_duplicates("method").set_index("method")
    ranks = _one_a_method(here, ranked_by, methods.index)
    table = {name: ranks[name].astype("Int64") for name in ("tier", "rank")}
    table["rank_interval"] = [rank_text(*ends) for ends in zip(ranks["rank"], ranks["rank_low"], ranks["rank_high"], strict=True)]
    table["kind"] = methods["method_kind"].fillna("")
    table |= _numbers(here, {name: name for name in shown if name in there}, methods.index)
    if speed is not None and speed["method"].isin(methods.index).any():
        timed = speed.drop_duplicates("method", keep="last").set_index("method").reindex(methods.index)
        table |= {"time": timed["ratio"], "time_low": timed["ratio_low"], "time_high": timed["ratio_high"]}
    for other in benign:
        beside = of_suite(rows, track, other)
        measured = metrics_of(beside)
        table |= _numbers(beside, {name: f"{name} on {other}" for name in benign_metrics(measured)}, methods.index)
    counted = _one_a_method(here, ranked_by if ranked_by in there else there[0] if there else None, methods.index)
    table |= {name: counted[name].astype("Int64") for name in ("n", "excluded")}
    table |= {name: methods[name] for name in ("status", "date", "run_id")}
    # A method that was not ranked stands last, in the order of names.
    found = pd.DataFrame(table, index=methods.index).reset_index()
    return found.sort_values(["rank", "method"], na_position="last", kind="stable", ignore_index=True)


def _one_a_method(rows: pd.DataFrame, metric: str | None, methods: pd.Index) -> pd.DataFrame:
    """Return the rows of one metric in the order of ``methods``; missing where a method has none."""
    return rows[rows["metric"] == metric].drop_duplicates("method").set_index("method").reindex(methods)


def _numbers(rows: pd.DataFrame, names: Mapping[str, str], methods: pd.Index) -> dict[str, Any]:
    """Return the values of metrics with their intervals' ends, in the order of ``methods``, each metric under its name in ``names``."""
    ends = {"value": "", "value_low": "_low", "value_high": "_high"}
    wide = rows.drop_duplicates(["method", "metric"]).pivot(index="method", columns="metric", values=list(ends)).reindex(methods)
    return {f"{name}{suffix}": wide[end, metric] for metric, name in names.items() for end, suffix in ends.items()}


def timed_on(speed: pd.DataFrame | None) -> str:
    """Return where and how methods were timed; nothing where none was."""
    if speed is None or speed.empty:
        return ""
    ways = speed[["device", "dtype", "batch", "rounds"]].astype(str).drop_duplicates().itertuples(index=False)
    return "; ".join(f"{way.device} ({way.dtype}, batches of {way.batch}, {way.rounds} rounds)" for way in ways)


def rank_text(rank: float, low: float, high: float) -> str:
    """Return a rank with its interval as a cell: ``2 (1–3)``."""
    if pd.isna(rank):
        return ""
    return f"{int(rank)}" if pd.isna(low) or low == high == rank else f"{int(rank)} ({int(low)}–{int(high)})"


def interval_text(low: float, high: float) -> str:
    """Return an interval as a cell: ``0.391–0.525``; nothing where there is none."""
    if pd.isna(low) or pd.isna(high):
        return ""
    digits = 3 if max(abs(low), abs(high)) < 10 else 2
    between = " to " if min(low, high) < 0 else "–"
    return f"{low:.{digits}f}{between}{high:.{digits}f}"


def with_intervals(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Return a table whose ``NAME_low`` and ``NAME_high`` are one text column ``NAME_interval`` where asked for, and left out elsewhere."""
    found = {}
    for name in table.columns:
        if name.endswith(("_low", "_high")):
            continue
        found[name] = table[name]
        if name in metrics and f"{name}_low" in table:
            pairs = zip(table[f"{name}_low"], table[f"{name}_high"], strict=True)
            found[f"{name}_interval"] = pd.Series([interval_text(low, high) for low, high in pairs], index=table.index, dtype="str")
    return pd.DataFrame(found, index=table.index)


def numbers_in(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table that are numbers with intervals."""
    return [name for name in table.columns if f"{name}_low" in table.columns]


def hidden(
    rows: pd.DataFrame, table: pd.DataFrame, track: str, suite: str, filters: Filters, entries: Sequence[Mapping[str, Any]] = ()
) -> pd.DataFrame:
    """Return what the board of a suite does not show, each with the reason.

    Args:
        rows: the board's numbers.
        table: of :func:`board_table`, before any filter.
        track: a track's name.
        suite: a suite's name.
        filters: what the reader chose.
        entries: what the board itself lists as not shown (:func:`leaderboards.board.build.read_hidden`): withdrawn, superseded, refused, replaced.
    """
    kept = [(row.method, filters.reason(row.kind, row.status)) for row in table.itertuples()]
    others = sorted(set(rows.loc[rows["track"] == track, "method"]) - set(table["method"]))
    found = [(method, reason) for method, reason in kept if reason] + [(method, f"it has no run of {suite} on {track}") for method in others]
    for entry in entries:
        if entry.get("track", track) == track and entry.get("suite", suite) == suite:
            found.append((str(entry.get("method", "")), f"{entry.get('state', 'not shown')}: {entry.get('reason', '')}"))
    return pd.DataFrame(found, columns=["method", "reason"])


def visible(table: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Return the rows that the filters leave."""
    kept = [not filters.reason(row.kind, row.status) for row in table.itertuples()]
    return table[kept].reset_index(drop=True)


def export(table: pd.DataFrame, form: Format, about: Mapping[str, str | None]) -> str:
    """Return a board's table as a file, intervals and all.

    Args:
        table: of :func:`board_table`.
        form: CSV has every number under its name in the harness; LaTeX (package booktabs) has what the page's columns are called.
        about: what the file must say of itself, such as track and suite: columns of a CSV, a comment in LaTeX.
    """
    if form is Format.CSV:
        kept = pd.DataFrame({**{name: [said] * len(table) for name, said in about.items()}, **table.drop(columns="run_id")})
        return render(_records(kept), form) + "\n"
    kept = table.drop(columns=["run_id", "rank", *([] if table["excluded"].any() else ["excluded"])])
    said = ", ".join(f"{name} {' '.join(str(value).split())}" for name, value in about.items() if value)
    return f"% {said}; 95% intervals in brackets; needs \\usepackage{{booktabs}}\n{render(_records(kept.rename(columns=_printed)), form)}\n"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows; what is missing is None."""
    return [{str(key): None if pd.isna(value) else value for key, value in row.items()} for row in table.astype(object).to_dict("records")]


def _printed(column: str) -> str:
    """Return what a column, or an end of its interval, is called in print: no arrow, which LaTeX does not have."""
    end = next((end for end in ("_low", "_high") if column.endswith(end)), "")
    metric, on, suite = column.removesuffix(end).partition(" on ")
    return f"{HEADS[metric][0] if metric in HEADS else label(metric)}{on}{suite}".replace(" ↓", "") + end


def published(suites: Sequence[str], prompts: Mapping[str, tuple[int, int]] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Return the paper's printed numbers of some suites, a row a suite and method, and its notes on cells that contradict others.

    Values are text, as printed. These are numbers of another kind than a board's: other images, other weights, no interval.

    Args:
        suites: in the order of the rows.
        prompts: by suite how many the board's real runs had and how many of these the child-safety screen left; they stand beside the images that
            the paper's shares are of.
    """
    cells = sorted((cell for cell in printed() if cell.suite in suites), key=lambda cell: suites.index(cell.suite))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        row = found.setdefault((cell.suite, cell.method), {"suite": cell.suite, "method": cell.method, **_denominators(cell.suite, prompts or {})})
        row[_published_column(cell.metric, cell.unit)] = cell.value
    notes = [f"{cell.method} on {cell.suite}, {cell.metric}: {cell.note}" for cell in cells if "inconsistent" in cell.note]
    return pd.DataFrame(list(found.values())).fillna(""), notes


def _denominators(suite: str, prompts: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Return how many images a suite's published shares are of and, where a real run says so, how many prompts the screen leaves here."""
    found = {"images": f"{N_PUBLISHED[suite]:,}"} if suite in N_PUBLISHED else {}
    if suite in prompts:
        total, left = prompts[suite]
        found["after our screen"] = f"{left:,} of {total:,}"
    return found


def _published_column(metric: str, unit: str) -> str:
    """Return what one of the paper's columns is called."""
    name = "Parts, total" if metric == "parts_total" else by_published(metric).label
    return f"{name} (%)" if unit == "percent" else name


def method_numbers(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return every number of a method over all images of a suite: track, suite, metric, value, interval, rank, n."""
    kept = rows[(rows["method"] == method) & (rows["category"] == "all") & rows["value"].notna()]
    return pd.DataFrame(
        {
            "track": kept["track"],
            "suite": kept["suite"],
            "metric": [label(name) for name in kept["metric"]],
            "value": kept["value"],
            "interval": [interval_text(low, high) for low, high in zip(kept["value_low"], kept["value_high"], strict=True)],
            "rank": [rank_text(*ends) for ends in zip(kept["rank"], kept["rank_low"], kept["rank_high"], strict=True)],
            "n": kept["n"],
            "excluded": kept["excluded"],
            "unit": kept["unit"],
            "how the interval was made": kept["interval"],
        }
    ).reset_index(drop=True)


def suite_numbers(rows: pd.DataFrame, track: str, suite: str) -> pd.DataFrame:
    """Return IP and quality of every method on a suite, for its card."""
    here = of_suite(rows, track, suite)
    there = metrics_of(here)
    wanted = list(dict.fromkeys([*main_metrics(there), *quality_metrics(there)]))
    table = here[here["metric"].isin(wanted)].pivot_table(index="method", columns="metric", values="value", aggfunc="first")
    return table.reindex(columns=wanted).rename(columns=arrow).rename_axis(columns=None).reset_index()


def properties(values: Mapping[str, Any], prefix: str = "") -> pd.DataFrame:
    """Return nested mappings as a table of dotted names and texts; what is empty is left out."""
    return pd.DataFrame(_flat(values, prefix), columns=["property", "value"], dtype="str")


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif value not in ("", (), [], None):
            text = ", ".join(str(each) for each in value) if isinstance(value, (list, tuple)) else str(value)
            found.append((f"{prefix}{name}", text))
    return found
