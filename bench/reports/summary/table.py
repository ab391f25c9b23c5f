"""A summary as rows, as a terminal's table, and as a table for a paper."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.formats import Format, Sheet, floated, html_table, latex, number, render, tabular
from bench.metrics.catalogue import better, constants_in_words, constants_sentence, label
from bench.metrics.composites import COMPOSITES
from bench.reports.speeds import read_speeds
from bench.reports.summary.entries import Entry, Gathered, LeftOut, gather, is_reference
from bench.reports.summary.sentences import Answer
from bench.reports.summary.standing import Standing, SummaryColumn, standings
from bench.runs import OUT
from bench.runs.find import Run
from bench.stats import Estimate
from bench.types import Kind
from bench.types.track import Track

MARKS = {"best": "*", "tied": "=", "": ""}
TIME = "time_over_base"


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """A summary, ready to print.

    Attributes:
        track: of all its runs.
        entries: what it is of.
        standings: its columns.
        times: a method's time over the base's, where it was measured.
        notes: what a reader must know: n, rules, tests, what was left out.
        sentences: the answer.
        left_out: runs that are not in the table.
    """

    track: Track
    entries: Sequence[Entry]
    standings: Sequence[Standing]
    times: dict[str, Estimate]
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    left_out: Sequence[LeftOut]

    def methods(self) -> list[tuple[str, str]]:
        """Return each method with its kind: the ranked ones by the first column, the best first, then floors, then the base."""
        kinds = {each.method: each.kind for each in self.entries}
        way = better(self.standings[0].heading.metric) if self.standings else None

        def place(name: str) -> tuple[int, float]:
            value = self.standings[0].cells[name].estimate.value if self.standings and name in self.standings[0].cells else None
            behind = 0 if not is_reference(kinds[name]) else 2 if kinds[name] == Kind.BASE else 1
            return behind, float("inf") if value is None else -value if way == "higher" else value

        return [(name, kinds[name]) for name in sorted(kinds, key=lambda name: (place(name), name))]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a method, and one for each whose run is not in the table, with the reason."""
        found = []
        for name, kind in self.methods():
            row: dict[str, Any] = {"track": self.track.name, "method": name, "kind": kind, "ranked": not is_reference(kind)}
            for each in self.standings:
                key, cell = each.heading.key, each.cells.get(name)
                known = cell.estimate if cell else None
                row |= {key: known and known.value, f"{key}_low": known and known.low, f"{key}_high": known and known.high}
                row |= {f"{key}_n": known and known.n, f"{key}_mark": cell.mark if cell else "", f"{key}_p_holm": cell.p_holm if cell else None}
            time = self.times.get(name)
            row |= {TIME: time and time.value, f"{TIME}_low": time and time.low, f"{TIME}_high": time and time.high}
            found.append({**row, "reason": "; ".join(f"{each.suite}: {each.reason}" for each in self.left_out if each.method == name)})
        blank = dict.fromkeys(found[0]) if found else {}
        known_names = {row["method"] for row in found}
        gone = [each for each in self.left_out if each.method not in known_names]
        for name in dict.fromkeys(each.method for each in gone):
            reason = "; ".join(f"{each.suite}: {each.reason}".removeprefix(": ") for each in gone if each.method == name)
            found.append({**blank, "track": self.track.name, "method": name, "ranked": False, "reason": reason})
        return found

    def sheet(self) -> Sheet:
        """Return the table of a terminal: the ranked methods, and below a rule the references and what could not be read."""
        rows = self.rows()
        ranked = [row for row in rows if row["ranked"]]
        others = [row for row in rows if not row["ranked"]]
        heads = ["method", *(each.heading.title for each in self.standings), *(["time\nover base"] if self.times else [])]
        keys = [each.heading.key for each in self.standings] + ([TIME] if self.times else [])

        def line(row: dict[str, Any], intervals: bool) -> tuple[str, ...]:
            return (self._named(row), *(_cell(row, key, intervals=intervals) for key in keys))

        lines = [*ranked, *others]
        cells, plain = (tuple(line(row, intervals) for row in lines) for intervals in (True, False))
        metrics = [each.heading.metric for each in self.standings]
        # Where there is no room for all suites, a narrow terminal still shows every metric on the first of them.
        turns = (0, *(metrics[:at].count(metric) for at, metric in enumerate(metrics)), *([0] if self.times else []))
        return Sheet(tuple(heads), cells, plain, feet=len(others), intervals_first=True, turns=turns)

    def _named(self, row: dict[str, Any]) -> str:
        called = self.track.called(row["method"])
        kind = row["kind"] or ("not in the table" if row["reason"] else "")
        return called if row["ranked"] or called == kind else f"{called} ({kind})"

    def latex(self) -> str:
        """Return the table for a paper: best and tied in bold, references below a rule, caption and label."""
        rows = self.rows()
        suites, metrics = [""], ["Method"]
        for each in self.standings:
            suites.append(latex(each.heading.suite))
            metrics.append(_arrowed(each.heading))
        keys = [each.heading.key for each in self.standings]
        if self.times:
            suites, metrics, keys = [*suites, ""], [*metrics, "Time"], [*keys, TIME]

        def line(row: dict[str, Any]) -> list[str]:
            return [latex(self._named(row)), *(_latex_cell(row, key) for key in keys)]

        body = [line(row) for row in rows if row["ranked"]]
        foot = [line(row) for row in rows if not row["ranked"] and row["kind"]]
        table = tabular([_spanned(suites), metrics], body, foot, columns="l" + "r" * len(keys))
        marked = "Bold: best, and not told apart from the best (paired tests, Holm-adjusted, 5\\%). References below the rule are not ranked."
        return floated(table, f"{latex(self.title())}. {marked} {latex(' '.join(self.notes[:1]))}", f"summary-{self.track.name}", len(keys))

    def markdown(self) -> str:
        """Return the terminal's table in Markdown, with the notes and the answer below it."""
        sheet = self.sheet()
        heads = [head.replace("\n", " ") for head in sheet.heads]
        table = render([dict(zip(heads, map(str.strip, line), strict=True)) for line in sheet.cells], Format.MARKDOWN)
        return "\n\n".join([table, *self.caption().split("\n")])

    def title(self) -> str:
        """Return what the table is of."""
        suites = list(dict.fromkeys(each.suite for each in self.entries))
        return f"Summary on {self.track.name}: {', '.join(suites)}"

    def caption(self) -> str:
        """Return what stands below a terminal's table: notes, then the answer, a paragraph a line."""
        return "\n".join([" ".join(self.notes), " ".join(self.sentences)])

    def __repr__(self) -> str:
        """Return the answer: what the table of all columns leads to."""
        return "\n".join([self.title(), *self.sentences])

    def _repr_html_(self) -> str:
        """Return the table of a terminal, with every column, for a notebook."""
        sheet = self.sheet()
        heads = [head.replace("\n", " ") for head in sheet.heads]
        return html_table([dict(zip(heads, map(str.strip, line), strict=True)) for line in sheet.cells], self.title(), self.caption())


def summary(
    names: Sequence[str | Run] = (),
    *,
    methods: str | Collection[str] = (),
    suites: str | Collection[str] = (),
    track: str | None = None,
    limit: int | None = None,
    out: Path | str = OUT,
    speed: Path | None = None,
    blocked_as_black: bool = True,
) -> Summary:
    """Return the summary of finished runs; arguments and errors as for :func:`bench.reports.summary.entries.gather`.

    ``speed`` is the file that ``bench speed --out`` wrote; beside the runs, or in the board, where None.
    """
    methods, suites = ([each] if isinstance(each, str) else each for each in (methods, suites))
    found = gather(names, methods, suites, track, limit, Path(out), blocked_as_black)
    made = standings(found.entries)
    times, timed = _times(found, speed)
    called = {each.method: found.track.called(each.method) for each in found.entries}
    answer = Answer.of(found.entries, made, times, called)
    return Summary(found.track, found.entries, made, times, (*_notes(found, made), *timed), tuple(answer.sentences()), found.left_out)


def _times(found: Gathered, speed: Path | None) -> tuple[dict[str, Estimate], list[str]]:
    file = speed or found.speed
    if not file.is_file():
        if speed is not None:
            raise BenchError(f"There is no {speed}. Make it: `bench speed METHOD... --out {speed}`.")
        return {}, [f"Time over base: not measured; `bench speed METHOD... --out {file}` does."]
    try:
        rows = read_speeds(file)
    except BenchError as error:
        return {}, [f"Time over base: not known. {error}"]
    rows = rows[rows["track"] == found.track.name]
    times = {
        str(row["method"]): Estimate(row["ratio"], row["ratio_low"], row["ratio_high"], int(row["rounds"]), int(row["rounds"]), "rounds", 0)
        for row in rows.to_dict("records")
    }
    devices = ", ".join(sorted(set(rows["device"])))
    return times, [f"Time over base: the mean ratio on {devices}." if times else f"Time over base: {file} has none of this track."]


def _notes(found: Gathered, made: Sequence[Standing]) -> list[str]:
    """Return n, the marks, the rules, and what was left out."""
    said = [f"n: {', '.join(dict.fromkeys(_counted(each, made) for each in made))}."]
    said.append("* best; = not told apart from it (paired tests against the best, Holm over the methods, 5%). 95% intervals.")
    if any(each.heading.metric in COMPOSITES for each in made) and constants_in_words(found.constants)[1]:
        said.append(constants_sentence(found.constants))
    rules = dict.fromkeys(each.rule for each in found.entries if each.unsafe and each.rule)
    said += [*rules, *found.said]
    said += [
        f"Not in the table: {each.method}{f' on {each.suite}' if each.suite else ''}: {each.reason}".rstrip(".") + "." for each in found.left_out
    ]
    return said


def _counted(standing: Standing, made: Sequence[Standing]) -> str:
    """Return how many samples a column is of; of the suite as a whole where its columns agree."""
    where = standing.heading
    alike = len({(each.n, each.most) for each in made if each.heading.suite == where.suite}) == 1
    every = f" common to all, of up to {standing.most}" if standing.n < standing.most else ""
    return f"{standing.n} of {where.suite}{'' if alike else f' with {label(where.metric)}'}{every}"


def _cell(row: dict[str, Any], key: str, *, intervals: bool) -> str:
    if row.get(key) is None:
        return "–" + " "
    text = number(row[key]) + (MARKS[row.get(f"{key}_mark") or ""] or " ")
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return f"{text} [{number(low)}, {number(high)}]" if intervals and low is not None and high is not None else text


def _latex_cell(row: dict[str, Any], key: str) -> str:
    if row.get(key) is None:
        return "--"
    text = latex(number(row[key])).replace("-", "$-$", 1) if row[key] < 0 else latex(number(row[key]))
    return rf"\textbf{{{text}}}" if row.get(f"{key}_mark") else text


def _arrowed(heading: SummaryColumn) -> str:
    arrows = {"↓": r" $\downarrow$", "↑": r" $\uparrow$"}
    title = heading.title.partition("\n")[2]
    return latex(label(heading.metric)) + arrows.get(title[-1], "")


def _spanned(suites: Sequence[str]) -> list[str]:
    """Return the line of suites, each over all of its neighbouring columns."""
    found: list[tuple[str, int]] = []
    for each in suites:
        if found and each and found[-1][0] == each:
            found[-1] = (each, found[-1][1] + 1)
        else:
            found.append((each, 1))
    return [rf"\multicolumn{{{count}}}{{c}}{{{name}}}" if name else "" for name, count in found]
