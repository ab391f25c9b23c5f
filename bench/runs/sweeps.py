"""A sweep: one method at several values of its parameters, on one or more suites. Each point is a plain run; here stand the plan and the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, did_you_mean
from bench.formats import RunTable, Table
from bench.metrics.catalogue import headlines
from bench.registry import suites as registered
from bench.runs.labels import labels_of, shown_parameter
from bench.runs.spec import RunSpec, as_taken
from bench.suites.own.place import own_file

if TYPE_CHECKING:
    from bench.runs.find import Run

Values = Mapping[str, Any]
_ABOUT = ("track", "suite", "method", "label", "run", "complete", "reason", "note")
_NUMBER = ("metric", "category", "value", "value_low", "value_high", "unit", "n")
_TAKEN = frozenset((*_ABOUT, *_NUMBER, "prompts", "excluded", "interval", "count", "rule"))


@dataclass(frozen=True)
class Planned:
    """One point of a sweep, to be made.

    Attributes:
        spec: the run.
        values: the parameters that the sweep sets, by name.
        note: why the run is the base's and not the method's; empty where it is the method's.
    """

    spec: RunSpec
    values: Values
    note: str = ""

    @property
    def called(self) -> str:
        """The point by its values: ``scale=500``."""
        return " ".join(shown_parameter(*each) for each in self.values.items())


@dataclass(frozen=True)
class SweepPoint:
    """One point of a sweep.

    Attributes:
        planned: what it was to be.
        run: what was made; None where nothing could be.
        reason: why it is not complete; empty where it is.
    """

    planned: Planned
    run: Run | None
    reason: str = ""

    @cached_property
    def numbers(self) -> Sequence[dict[str, Any]]:
        """The rows of its table, drawn once for table, figure and caption; none where nothing was made."""
        made = self.run is not None and any(self.run.counts[kind] for kind in ("generated", "blocked"))
        return self.run.rows() if made and self.run is not None else ()

    @property
    def complete(self) -> bool:
        """Whether every sample was made and scored."""
        return self.run is not None and self.run.complete


@dataclass(frozen=True)
class Sweep:
    """What ``bench sweep`` made.

    Attributes:
        method: as it was named.
        names: the parameters swept, in order.
        points: by suite, then by value, in the order that was asked for.
    """

    method: str
    names: tuple[str, ...]
    points: tuple[SweepPoint, ...]

    @property
    def complete(self) -> bool:
        """Whether every point is."""
        return all(each.complete for each in self.points)

    @property
    def runs(self) -> list[Run]:
        """The runs that were made, in the order of the points."""
        return [each.run for each in self.points if each.run is not None]

    def failures(self) -> list[str]:
        """Return a line for each point that is not complete: which, and why."""
        return [f"{each.planned.called} on {each.planned.spec.suite}: {each.reason}" for each in self.points if not each.complete]

    def notes(self) -> list[str]:
        """Return a sentence for each value at which the runs are the base's; it names the suites where that is not so on all."""
        suites: dict[tuple[str, str], list[str]] = {}
        for each in (point.planned for point in self.points if point.planned.note):
            suites.setdefault((each.called, each.note), []).append(each.spec.suite)
        every = len({point.planned.spec.suite for point in self.points})
        return [f"At {called}{'' if len(on) == every else ' on ' + ', '.join(on)} {note}." for (called, note), on in suites.items()]

    def rows(self) -> Table:
        """Return one row a point and metric, as ``bench run`` has them, after the values of the parameters; of a point without a run one row.

        A parameter that is called as another column has ``set_`` before its name.
        """
        labels = iter(labels_of(self.runs))
        found = Table()
        for point in self.points:
            spec = point.planned.spec
            values = {_column(name): value for name, value in point.planned.values.items()}
            about = {
                "track": spec.loaded_track.name,
                "suite": spec.suite,
                "method": spec.method,
                **values,
                "label": next(labels) if point.run is not None else f"{spec.method} {point.planned.called}",
                "run": str(point.run.path) if point.run is not None else "",
                "complete": point.complete,
                "reason": point.reason,
                "note": point.planned.note,
            }
            found += [{**about, **row} for row in point.numbers] or [{**about, **dict.fromkeys(_NUMBER)}]
        return found

    def table(self) -> RunTable:
        """Return the table: a terminal shows the headline metrics over all samples, the points of a metric together, and each point that failed.

        Of a suite without any of these, as where one scorer was asked for, it shows every metric.
        """
        rows = self.rows()
        there: dict[str, list[str]] = {}
        for row in rows:
            there.setdefault(row["suite"], []).extend([row["metric"]] if row["metric"] and row["category"] == "all" else [])
        shown = {suite: headlines(names) or names for suite, names in there.items()}
        kept = [row for row in rows if row["metric"] is None or (row["metric"] in shown[row["suite"]] and row["category"] == "all")]
        lines = list(dict.fromkeys((row["suite"], row["metric"]) for row in kept))
        kept.sort(key=lambda row: lines.index((row["suite"], row["metric"])))
        failed = ("reason",) if any(row["reason"] for row in kept) else ()
        several = ("suite",) if len({row["suite"] for row in kept}) > 1 else ()
        keys = (*several, "metric", *map(_column, self.names), "value", "value_low", "value_high", "n", *failed)
        track = self.points[0].planned.spec.loaded_track
        title = f"{self.method} by {', '.join(self.names)} on {', '.join(dict.fromkeys(str(row['suite']) for row in rows))} ({track.name})"
        proxy = " Every number on this track is a proxy." if track.proxy else ""
        caption = " ".join([f"95% intervals; n counts images. Every metric of every run: --format json.{proxy}", *self.notes()])
        return RunTable(rows, keys, title, caption, track.names, Table(kept))

    def _repr_html_(self) -> str:
        """Return the table that a terminal shows, for a notebook."""
        return self.table()._repr_html_()


def _column(name: str) -> str:
    return f"set_{name}" if name in _TAKEN else name


def plan(
    method: str, suites: Sequence[str], values: Mapping[str, Sequence[Any]], settings: Mapping[str, Any], parameters: Values | None = None
) -> list[Planned]:
    """Return the points of a sweep, by suite and then in the order of the values' product; nothing is made or loaded.

    Args:
        method: a registered method, or one with its weights.
        suites: each once.
        values: of each parameter swept, its values.
        settings: what else a run takes; what decides no image is left to whoever makes the runs.
        parameters: those that are the same in every run.

    Raises:
        BenchError: no suite, no parameter, or none of its values; one of them twice; a parameter that the method does not have.
    """
    if not suites:
        raise BenchError("A sweep takes at least one suite. Example: --suite i2p --suite drawbench.")
    if not values:
        raise BenchError("A sweep takes at least one parameter and its values. Example: --set scale=500,1000,2000.")
    if twice := [name for name in suites if list(suites).count(name) > 1]:
        raise BenchError(f"The suite {twice[0]!r} is named twice; name each once.")
    for name, several in values.items():
        _check(name, several)
    if both := [name for name in values if name in (parameters or {})]:
        raise BenchError(f"The parameter {both[0]!r} is swept and given for all runs too; give it once.")
    own = {each.name for each in fields(RunSpec)}
    kept = {name: value for name, value in settings.items() if name in own and value is not None}
    points = [dict(zip(values, each, strict=True)) for each in product(*values.values())]
    files = {suite for suite in suites if own_file(suite, registered.names()) is not None}
    # What is said of files of prompts is said of these alone, where registered suites stand beside them.
    others = {name: value for name, value in kept.items() if name not in ("benign", "columns")} if files else kept
    planned = [Planned(RunSpec(method, suite, **(kept if suite in files else others)), each) for suite in suites for each in points]
    return [replace(each, spec=replace(each.spec, parameters=as_taken(method, {**(parameters or {}), **each.values}))) for each in planned]


def _check(name: str, several: Sequence[Any]) -> None:
    """Refuse a parameter without values, or with one of them twice: 500 and 500.0 are one."""
    if isinstance(several, (str, bytes)) or not isinstance(several, Sequence):
        raise BenchError(f"The values of {name!r} are a list; got {several!r}. Example: {{{name!r}: [500, 1000]}}.")
    if not several:
        raise BenchError(f"The parameter {name!r} has no values. Example: --set {name}=500,1000.")
    seen = set()
    for value in several:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        try:
            key = json.dumps(whole)
        except (TypeError, ValueError):
            raise BenchError(f"Parameters must be numbers, strings, flags or lists of them; got {value!r} of {name!r}.") from None
        if key in seen:
            raise BenchError(f"The value {shown_parameter(name, value)} stands twice; give each once.")
        seen.add(key)


def read_values(text: str, name: str, defaults: Mapping[str, Any]) -> list[Any]:
    """Return the values in ``text``, joined by commas, each as the parameter ``name`` is typed.

    A value is JSON where it can be (a number, ``true``, ``null``, a list), else text; a text with a comma stands in double quotes.

    Raises:
        BenchError: the method has no such parameter, a value is missing, or is of another type than the parameter's default.
    """
    if name not in defaults:
        raise did_you_mean("parameter", name, list(defaults))
    found, at = [], 0
    while at <= len(text):
        value, raw, at = _next_value(text, at)
        if not raw:
            raise BenchError(f"The parameter {name!r} has an empty value in {text!r}. Example: --set {name}=500,1000.")
        found.append(_typed(name, value, raw, defaults[name]))
    return found


def _next_value(text: str, at: int) -> tuple[Any, str, int]:
    """Return the value that begins at ``at``, as it was written too, and where the next one begins."""
    start = at + len(text[at:]) - len(text[at:].lstrip())
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
        after = text[end:].lstrip()
        if not after or after.startswith(","):
            return value, text[start:end], len(text) + 1 if not after else len(text) - len(after) + 1
    except ValueError:
        pass
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    return text[start:end].strip(), text[start:end].strip(), end + 1


def _typed(name: str, value: Any, raw: str, default: Any) -> Any:
    """Return a value as a parameter with this default takes it; one without a default takes any."""
    if isinstance(default, str) and not isinstance(value, (str, list)):
        return raw
    kind = _KINDS.get(type(default))
    if value is None or kind is None or (isinstance(value, kind[0]) and isinstance(value, bool) == isinstance(default, bool)):
        return value
    raise BenchError(f"The parameter {name!r} takes {kind[1]}, such as {json.dumps(default)}; got {raw!r}.")


_KINDS: Mapping[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int, float), "a number"),
    float: ((int, float), "a number"),
}
