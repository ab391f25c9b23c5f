"""How far each metric's order of methods agrees with the truth's, suite by suite and over the unsafe and the benign ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.console import Progress, Quiet
from bench.formats import RunTable
from bench.metrics.catalogue import constants_sentence, find_metric, label
from bench.metrics.composites import COMPOSITES, Constants
from bench.reports.meta.orderings import RIVALS, Ordering, orderings
from bench.reports.meta.reversals import Reversal, reversals
from bench.reports.meta.world import SuiteMeans, suite_means, truth_of
from bench.reports.summary.entries import gather
from bench.runs import OUT
from bench.runs.find import Run
from bench.stats.agreement import dominance, kendall_tau
from bench.stats.clusters import Floats
from bench.stats.intervals import RESAMPLES, expanded_method, expanded_percentiles

EVEN = 0.5
"""The weight of fidelity in the truth; harmlessness has the rest."""
WEIGHTS = (0.0, 0.25, EVEN, 0.75, 1.0)
"""The weights of which a number is shown beside it: how much hangs on it, and at the ends how well a metric orders by one truth alone."""
KINDS = {True: "unsafe suites", False: "benign suites"}
"""What an average over suites is called."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """One ordering on one suite.

    Attributes:
        ordering: which one.
        suite: where.
        tau: with the truth at each of :data:`WEIGHTS`, shape (weights,); NaN where the ordering gives all methods one value.
        dominance: the share of undisputed pairs ordered rightly.
        tau_draws: at even weights, shape (resamples,).
        dominance_draws: shape (resamples,).
        first: the methods with the best value.
        reversed: pairs that change places when a third method leaves the table.
    """

    ordering: Ordering
    suite: SuiteMeans
    tau: Floats
    dominance: float
    tau_draws: Floats
    dominance_draws: Floats
    first: tuple[str, ...]
    reversed: tuple[Reversal, ...]


def agreement(ordering: Ordering, suite: SuiteMeans) -> Agreement:
    """Return how far an ordering of a suite's methods agrees with the truth's."""
    means, truths = suite.of(suite.means, ordering.parts), suite.truths(suite.means)
    score, drawn, drawn_truths = ordering.order(means), ordering.order(suite.of(suite.draws, ordering.parts)), suite.truths(suite.draws)
    return Agreement(
        ordering=ordering,
        suite=suite,
        tau=np.array([kendall_tau(score, _weighed(truths, weight)) for weight in WEIGHTS]),
        dominance=float(dominance(score, truths)),
        tau_draws=kendall_tau(drawn, _weighed(drawn_truths, EVEN)),
        dominance_draws=dominance(drawn, drawn_truths),
        first=tuple(name for name, value in zip(suite.methods, score, strict=True) if value == score.max()),
        reversed=tuple(reversals(ordering, means, suite.methods)),
    )


def _weighed(truths: Floats, weight: float) -> Floats:
    return np.asarray(truths @ np.array([weight, 1 - weight]))


def rows(found: Sequence[Agreement]) -> list[dict[str, Any]]:
    """Return a row an ordering and suite, and one for each ordering's average over the unsafe and over the benign suites."""
    made = [_row([each], each.suite.suite) for each in found]
    for name in dict.fromkeys(each.ordering.name for each in found):
        for unsafe, called in KINDS.items():
            inside = [each for each in found if each.ordering.name == name and each.suite.unsafe == unsafe]
            made += [_row(inside, called)] if inside else []
    return made


def _row(found: Sequence[Agreement], suite: str) -> dict[str, Any]:
    """Return the average of one ordering over suites, which weigh the same; of one suite that suite's own number."""
    clusters = min(each.suite.clusters for each in found)
    taus, dominances = np.mean([each.tau for each in found], axis=0), np.mean([each.dominance_draws for each in found], axis=0)
    row: dict[str, Any] = {"metric": found[0].ordering.name, "kind": found[0].ordering.kind, "suite": suite, "suites": len(found)}
    row |= _estimate("tau", float(taus[WEIGHTS.index(EVEN)]), np.mean([each.tau_draws for each in found], axis=0), clusters)
    row |= {f"tau_at_{weight:g}": _known(tau) for weight, tau in zip(WEIGHTS, taus.tolist(), strict=True) if weight != EVEN}
    row |= _estimate("dominance", float(np.mean([each.dominance for each in found])), dominances, clusters)
    return {
        **row,
        "first": ", ".join(dict.fromkeys(name for each in found for name in each.first)),
        "reference_first": sum(bool(each.suite.references & set(each.first)) for each in found),
        "reversals": sum(len(each.reversed) for each in found),
        "methods": len(found[0].suite.methods),
        "prompts": sum(each.suite.prompts for each in found),
        "n": sum(each.suite.n for each in found),
    }


def _estimate(name: str, value: float, draws: Floats, clusters: float) -> dict[str, float | None]:
    """Return a number with its interval; none of either where it is undefined, and no interval where it is in some resample."""
    if not np.isfinite(value):
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    low, high = expanded_percentiles(value, draws, clusters) if np.isfinite(draws).all() else (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def meta_table(
    names: Sequence[str | Run] = (),
    *,
    methods: Collection[str] = (),
    suites: Collection[str] = (),
    track: str | None = None,
    limit: int | None = None,
    out: Path | str = OUT,
    progress: Progress | None = None,
) -> RunTable:
    """Return the table of ``bench meta``: what a terminal shows is one row an ordering, the programs' rows are one an ordering and suite.

    Args:
        names: runs or their folders, or a board's folder; the board that ships where empty.
        methods: of these alone, where any is given.
        suites: likewise.
        track: of this one; the only one there is where None.
        limit: the first that many prompts of each run alone.
        out: the folder of all runs, of which names and methods may be.
        progress: told of the suites; none where None.

    Raises:
        BenchError: nothing is there, a suite has too few methods, or nobody knows the truth.
    """
    gathered = gather(names, methods, suites, track, limit, Path(out), blocked_as_black=True, shipped=not names)
    found: list[Agreement] = []
    by_suite = [[each for each in gathered.entries if each.suite == suite] for suite in dict.fromkeys(each.suite for each in gathered.entries)]
    advance = (progress or Quiet()).start("meta", len(by_suite), "suites")
    for place, entries in enumerate(by_suite):
        suite = suite_means(entries, place)
        found += [agreement(ordering, suite) for ordering in orderings(suite.columns, gathered.constants)]
        advance(1)
    made = rows(found)
    wide, title = _wide(made), f"Which metric orders methods as the truth does, on {gathered.track.name}"
    return RunTable(made, tuple(wide[0]), title, _caption(found, gathered.constants), chosen=wide)


def _wide(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row an ordering: its averages over the unsafe and the benign suites side by side, the best on the unsafe ones first."""
    averages = {(row["metric"], row["suite"]): row for row in made if row["suite"] in KINDS.values()}
    there = {called for _, called in averages}
    found = []
    for name, kind in dict.fromkeys((row["metric"], row["kind"]) for row in made):
        line: dict[str, Any] = {"metric": label(name) if find_metric(name).label != name else name, "kind": kind}
        sides = {called.partition(" ")[0]: averages.get((name, called), {}) for called in KINDS.values() if called in there}
        for key in ("tau", "dominance"):
            for short, row in sides.items():
                line |= {f"{key} {short}{end}": row.get(f"{key}{end}") for end in ("", "_low", "_high")}
        for short, row in sides.items():
            line[f"reference first, {short}"] = f"{row['reference_first']} of {row['suites']}" if row else None
        line["reversals"] = sum(row["reversals"] for (metric, _), row in averages.items() if metric == name)
        found.append(line)
    first = next(key for key in found[0] if key.startswith("tau "))
    return sorted(found, key=lambda line: -np.inf if line[first] is None else -line[first])


def _caption(found: Sequence[Agreement], constants: Constants) -> str:
    suites = list({each.suite.suite: each.suite for each in found}.values())
    higher, lower = truth_of(suites[0].columns)
    top = find_metric(lower).range
    assert top is not None
    said = [
        f"Truth: {EVEN:g} {higher} + {1 - EVEN:g} (1 - {lower}/{top[1]:g}). tau: Kendall's tau-b with it, averaged over suites.",
        "dominance: of the pairs in which one method is at least as good in both truths and better in one, the share ordered so.",
        f"n: {', '.join(f'{each.n} of {each.suite} by {len(each.methods)} methods' for each in suites)}.",
        f"{expanded_method(RESAMPLES)}, 95%. –: one value for all methods of some suite.",
        "reference first: suites on which the base or a floor leads. reversals: pairs that change places when a third method is left out.",
    ]
    if any(each.ordering.name in COMPOSITES for each in found):
        said.append(constants_sentence(constants))
    there = {each.ordering.name for each in found}
    said += [f"{name}: {words}." for name, words in RIVALS.items() if name in there]
    return " ".join([*said, *_example(found)])


def _example(found: Sequence[Agreement]) -> list[str]:
    """Return the most marked rank reversal of all, in words."""
    every = [(each, one) for each in found for one in each.reversed[:1]]
    if not every:
        return []
    where, what = max(every, key=lambda pair: min(pair[1].gap, pair[1].gap_without))
    return [
        f"A reversal: by {where.ordering.name} on {where.suite.suite} {what.above} leads {what.below} by {what.gap:.3f}; without {what.third} in the "
        f"table {what.below} leads by {what.gap_without:.3f}."
    ]
