"""The answer in sentences: which methods are safest, which of them draws best, and what it costs. Each says what a test bears out, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.formats import number
from bench.metrics.catalogue import better, find_metric, label
from bench.reports.comparison_table import ALPHA
from bench.reports.summary.entries import Entry, is_reference
from bench.reports.summary.standing import Standing
from bench.stats import Comparison, Estimate, holm
from bench.types import Kind
from bench.types.metric import Role


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the sentences are about.

    Attributes:
        standings: the columns.
        ranked: the methods that are ranked.
        base: the track's base, where it was run.
        times: a method's time over the base's, where it was measured.
        names: what people call a method, where it is not its name.
    """

    standings: Sequence[Standing]
    ranked: Sequence[str]
    base: str | None
    times: dict[str, Estimate]
    names: dict[str, str]

    @classmethod
    def of(cls, entries: Sequence[Entry], standings: Sequence[Standing], times: dict[str, Estimate], names: dict[str, str]) -> Answer:
        """Return the answer over ``entries``, whose columns are ``standings``."""
        kinds = {each.method: each.kind for each in entries}
        base = next((name for name, kind in kinds.items() if kind == Kind.BASE), None)
        return cls(standings, [name for name, kind in kinds.items() if not is_reference(kind)], base, times, names)

    def sentences(self) -> list[str]:
        """Return two or three sentences, or one where there is nothing to compare."""
        if not self.ranked:
            return ["No method is ranked: only the base and floors are here."]
        safety, quality = self._of(Role.SAFETY), self._of(Role.QUALITY, Role.TRUTH)
        if not safety:
            safest, said = list(self.ranked), ["Nothing says which is safest: none of these runs is of an unsafe suite."]
        else:
            safest, said = self._safest(safety)
        if not safest:
            return said
        chosen, further = self._best_quality(safest, quality, among=bool(safety))
        return [*said, *further, *self._cost(chosen, quality)]

    def _of(self, *roles: Role) -> list[Standing]:
        return [each for each in self.standings if find_metric(each.heading.metric).role in roles and any(name in each.cells for name in self.ranked)]

    def _called(self, name: str) -> str:
        return self.names.get(name, name)

    def _listed(self, names: Sequence[str]) -> str:
        return listed([self._called(name) for name in names])

    def _values(self, standing: Standing, names: Sequence[str]) -> str:
        return listed([number(standing.cells[name].estimate.value) for name in names])

    def _safest(self, safety: Sequence[Standing]) -> tuple[list[str], list[str]]:
        """Return the methods that no other is told to be safer than, on every unsafe suite, and the sentence."""
        where, several = in_words(safety), f" on {safety[0].heading.suite}" if len(safety) > 1 else ""
        there = [name for name in self.ranked if all(name in each.cells for each in safety)]
        lacking = [name for name in self.ranked if name not in there]
        missing = f" {self._listed(lacking)} lack{'s' if len(lacking) == 1 else ''} a run or a score there." if lacking else ""
        if not there or any(each.n == 0 for each in safety):
            return [], [f"Safest: not known, since the methods share no sample with {where}; run them on the same suite and --limit.{missing}"]
        if len(there) == 1:
            return there, [
                f"Only {self._called(there[0])} is ranked by {where} ({self._values(safety[0], there)}{several})"
                f"{self._than_base(there[0], safety)}.{missing}"
            ]
        leading = [self._leading(each, there) for each in safety]
        safest = [name for name in leading[0] if all(name in each for each in leading)]
        if not safest:
            each_one = "; ".join(f"{self._listed(names)} by {in_words([each])}" for each, names in zip(safety, leading, strict=True))
            return [], [f"No method is among the safest everywhere: {each_one}.{missing}"]
        if len(safest) == len(there):
            first = f"No method is told apart from the safest by {where}: {self._listed(safest)}"
        elif len(safest) == 1:
            first = f"Safest: {self._called(safest[0])} by {where} ({self._values(safety[0], safest)}{several})"
        else:
            first = f"Safest: {self._listed(safest)} by {where} ({self._values(safety[0], safest)}{several}; not told apart from the best)"
        return safest, [f"{first}{self._than_base(safest[0], safety) if len(safest) == 1 else self._any_than_base(safest, safety)}.{missing}"]

    def _leading(self, standing: Standing, methods: Sequence[str]) -> list[str]:
        """Return the best of ``methods`` in a column, first, and those that are not told apart from it."""
        best = standing.best(methods)
        return [] if best is None else [best, *standing.tied(best, methods)]

    def _than_base(self, method: str, safety: Sequence[Standing]) -> str:
        return self._any_than_base([method], safety)

    def _any_than_base(self, methods: Sequence[str], safety: Sequence[Standing]) -> str:
        """Return whether ``methods`` are told to be safer than the base, by Holm over them and the suites."""
        if self.base is None or any(self.base not in each.cells for each in safety):
            return ""
        found = [(name, each, test) for each in safety for name, test, _ in each.against(self.base, methods)]
        adjusted = holm([test.p_value for _, _, test in found])
        safer = [
            name
            for name in methods
            if all(self._is_safer(each, test, p) for (who, each, test), p in zip(found, adjusted, strict=True) if who == name)
        ]
        where = f" on {safety[0].heading.suite}" if len(safety) > 1 else ""
        base = f"{self._called(self.base)} ({self._values(safety[0], [self.base])}{where})"
        if len(safer) == len(methods):
            return f", {'each ' if len(methods) > 1 else ''}safer than {base}"
        if not safer:
            return f", but {'none is' if len(methods) > 1 else 'it is not'} shown to be safer than {base}"
        return f"; safer than {base}: {self._listed(safer)}"

    def _is_safer(self, standing: Standing, test: Comparison, p: float | None) -> bool:
        gap = test.difference.value
        lower = better(standing.heading.metric) == "lower"
        return p is not None and p < ALPHA and gap is not None and (gap < 0) == lower

    def _best_quality(self, safest: Sequence[str], quality: Sequence[Standing], *, among: bool) -> tuple[str, list[str]]:
        """Return the method to recommend and the sentence that says why."""
        each = next((each for each in quality if each.n and any(name in each.cells for name in safest)), None)
        if each is None:
            return safest[0], ["Nothing says which draws best: none of them has a number of quality on a benign suite."]
        there = [name for name in safest if name in each.cells]
        lacking = [name for name in safest if name not in there]
        missing = f" {self._listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no such number." if lacking else ""
        first, *tied = self._leading(each, there)
        where = f"{in_words([each])} ({self._values(each, [first])})"
        if len(there) == 1:
            return first, [missing.strip()] if missing else []
        who = "among them" if among and len(safest) < len(self.ranked) else "of all"
        if not tied:
            return first, [f"Best quality {who}: {self._called(first)} by {where}.{missing}"]
        if len(tied) + 1 == len(there):
            return first, [
                f"None {'of them' if who == 'among them' else ''} is told apart in quality by {in_words([each])}.{missing}".replace("  ", " ")
            ]
        return first, [f"Best quality {who}: {self._called(first)} by {where}, not told apart from {self._listed(tied)}.{missing}"]

    def _cost(self, method: str, quality: Sequence[Standing]) -> list[str]:
        """Return what a method costs against the base: quality by tests with Holm's adjustment, prompts that it blocks, time."""
        name = self._called(method)
        if self.base is None:
            return [f"What {name} costs is not known: the base was not run."]
        base = self._called(self.base)
        parts = [*self._lost(method, [each for each in quality if self.base in each.cells and method in each.cells and each.n])]
        for each in self.standings:
            share = each.cells[method].estimate.value if method in each.cells else None
            if find_metric(each.heading.metric).role is Role.COST and share:
                parts.append(f"{100 * share:.2g}% {label(each.heading.metric).lower()} on {each.heading.suite}")
        time = self.times.get(method)
        parts.append(_longer(time))
        return [f"{name} against {base}: {', '.join(parts)}."]

    def _lost(self, method: str, quality: Sequence[Standing]) -> list[str]:
        """Return how quality differs from the base's, metric by metric: where it is told apart, and where it is not."""
        if not quality:
            return ["quality not compared"]
        tests = [each.against(str(self.base), [method])[0][1] for each in quality]
        adjusted = holm([test.p_value for test in tests])
        found: dict[tuple[str, str], list[tuple[float, Standing]]] = {}
        for each, test, p in zip(quality, tests, adjusted, strict=True):
            gap = test.difference.value or 0.0
            told = "" if p is None or p >= ALPHA or gap == 0 else "less" if gap < 0 else "more"
            found.setdefault((each.heading.metric, told), []).append((abs(gap), each))
        said = []
        for (_, told), inside in found.items():
            ends = list(dict.fromkeys(number(end) for end in (min(gap for gap, _ in inside), max(gap for gap, _ in inside))))
            where = in_words([each for _, each in inside])
            said.append(f"{' to '.join(ends)} {told} {where}" if told else f"no difference shown in {where}")
        return said


def in_words(standings: Sequence[Standing]) -> str:
    """Return what columns are of, metric by metric: ``IP on i2p and mma``."""
    suites: dict[str, list[str]] = {}
    for each in standings:
        suites.setdefault(label(each.heading.metric), []).append(each.heading.suite)
    return listed([f"{metric} on {listed(names)}" for metric, names in suites.items()])


def listed(texts: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _longer(time: Estimate | None) -> str:
    """Return in words how long a method takes beside the base; a ratio whose interval holds 1 is told apart from nothing."""
    if time is None or time.value is None:
        return "time not measured"
    same = time.low is not None and time.high is not None and time.low <= 1 <= time.high
    return f"{time.value:.2f} times its time{' (not told apart)' if same else ''}"
