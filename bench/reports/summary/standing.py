"""Who stands where in each column of a summary: the best method by value, and those that a paired test does not tell apart from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.metrics.catalogue import arrow, better, find_metric, headlines, telling
from bench.metrics.columns import Column, comparisons, estimates
from bench.reports.comparison_table import ALPHA
from bench.reports.summary.entries import Entry, common, is_reference
from bench.stats import Comparison, Estimate, holm
from bench.stats.clusters import Labels
from bench.types.metric import Role


@dataclass(frozen=True, slots=True)
class SummaryColumn:
    """A column of a summary: a metric on a suite."""

    metric: str
    suite: str

    @property
    def key(self) -> str:
        """Its name in JSON and CSV."""
        return re.sub(r"\W+", "_", f"{self.metric}_{self.suite}")

    @property
    def title(self) -> str:
        """Its name over a table, with an arrow in the better direction."""
        return f"{self.suite}\n{arrow(self.metric)}"


@dataclass(frozen=True, slots=True)
class Marked:
    """A method's number.

    Attributes:
        estimate: over the samples that all methods of the column have.
        p_holm: of the difference from the best, adjusted over the ranked methods; None of the best itself and of what is not ranked.
        mark: ``best``, ``tied`` or empty.
    """

    estimate: Estimate
    p_holm: float | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A column with what was tested in it.

    Attributes:
        heading: metric and suite.
        cells: a method's number, by method.
        columns: the values behind them, of the same samples in the same order.
        prompts: of these samples.
        most: how many samples a method has at most.
    """

    heading: SummaryColumn
    cells: dict[str, Marked]
    columns: dict[str, Column]
    prompts: Labels
    most: int

    @property
    def n(self) -> int:
        """Return how many samples all methods have."""
        return len(self.prompts)

    def best(self, methods: Sequence[str]) -> str | None:
        """Return which of ``methods`` has the best value here; None where the metric has no better and worse or none of them has one."""
        return _best({name: self.cells[name].estimate.value for name in methods if name in self.cells}, better(self.heading.metric))

    def against(self, first: str, others: Sequence[str]) -> list[tuple[str, Comparison, float | None]]:
        """Return how far each of ``others`` lies above ``first``, with Holm's adjustment over them."""
        there = [name for name in others if name in self.columns and name != first and first in self.columns]
        tested = comparisons([(self.columns[name], self.columns[first], self.prompts) for name in there])
        adjusted = holm([each.p_value for each in tested])
        return list(zip(there, tested, adjusted, strict=True))

    def tied(self, first: str, others: Sequence[str]) -> list[str]:
        """Return those of ``others`` that are not told apart from ``first``."""
        return [name for name, _, p in self.against(first, others) if p is None or p >= ALPHA]


def headings(entries: Sequence[Entry]) -> list[SummaryColumn]:
    """Return the columns: harm on the unsafe suites, quality and truth on the benign ones, the balance of both, what is blocked."""
    unsafe = list(dict.fromkeys(each.suite for each in entries if each.unsafe))
    benign = list(dict.fromkeys(each.suite for each in entries if not each.unsafe))
    names = {suite: list(dict.fromkeys(name for each in entries if each.suite == suite for name in each.columns)) for suite in (*unsafe, *benign)}
    found = [SummaryColumn(name, suite) for suite in unsafe for name in telling(names[suite], Role.SAFETY)[:1]]
    for suite in benign:
        shown = [name for name in headlines(names[suite], truth="higher") if find_metric(name).role in (Role.QUALITY, Role.TRUTH)]
        found += [SummaryColumn(name, suite) for name in shown or telling(names[suite], Role.QUALITY)[:1]]
    balance = [(suite, name) for suite in unsafe for name in headlines(names[suite]) if find_metric(name).role is Role.BALANCE]
    cost = [(suite, name) for suite in (*benign, *unsafe) for name in telling(names[suite], Role.COST) if find_metric(name).share]
    return found + [SummaryColumn(name, suite) for suite, name in (*balance, *cost)]


def standings(entries: Sequence[Entry]) -> list[Standing]:
    """Return every column, its numbers over the samples that all of its methods have, the best and the tied marked among those that are ranked."""
    kinds = {each.method: each.kind for each in entries}
    made = [each for each in (_aligned(heading, entries) for heading in headings(entries)) if each is not None]
    wanted = [(column, each.prompts) for each in made for column in each.columns.values()]
    drawn = iter(estimates(wanted))
    for each in made:
        each.cells.update({name: Marked(next(drawn)) for name in each.columns})
    ranked = [[name for name in each.columns if not is_reference(kinds[name])] for each in made]
    firsts = [each.best(names) if len(names) > 1 else None for each, names in zip(made, ranked, strict=True)]
    pairs = [
        (each, first, name) for each, first, names in zip(made, firsts, ranked, strict=True) if first for name in names if name != first and each.n
    ]
    tests = comparisons([(each.columns[name], each.columns[first], each.prompts) for each, first, name in pairs])
    for each, first in zip(made, firsts, strict=True):
        if first is not None:
            inside = [(name, test) for (where, _, name), test in zip(pairs, tests, strict=True) if where is each]
            each.cells[first] = Marked(each.cells[first].estimate, None, "best")
            for (name, _), p in zip(inside, holm([test.p_value for _, test in inside]), strict=True):
                each.cells[name] = Marked(each.cells[name].estimate, p, "tied" if p is None or p >= ALPHA else "")
    return made


def _aligned(heading: SummaryColumn, entries: Sequence[Entry]) -> Standing | None:
    """Return a column's values over the samples that every method with any of them has; None where no method has any."""
    there = {each.method: each.columns[heading.metric] for each in entries if each.suite == heading.suite and heading.metric in each.columns}
    there = {name: column for name, column in there.items() if column.known().any()}
    if not there:
        return None
    shared = common(list(there.values()))
    at = {name: column.at(column.values.index.get_indexer(shared)) for name, column in there.items()}
    most = max(int(column.known().sum()) for column in there.values())
    return Standing(heading, {}, at, Labels.of(shared.get_level_values(0)), most)


def _best(values: dict[str, float | None], way: str | None) -> str | None:
    known = [(value, name) for name, value in values.items() if value is not None]
    if way is None or not known:
        return None
    wanted = (min if way == "lower" else max)(value for value, _ in known)
    return next(name for value, name in known if value == wanted)
