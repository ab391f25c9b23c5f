"""The trade-off figure of a sweep: safety against quality, a point a value of the swept parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.metrics.catalogue import HARM, find_metric, label, telling
from bench.runs.labels import shown_parameter, shown_value
from bench.runs.spec import digest
from bench.runs.sweeps import Sweep
from bench.types.metric import SHARE, Role
from leaderboards.figures.ablations import Point
from leaderboards.figures.style import COLOURS, MARKERS, grid_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUALITIES = 2
"""Metrics of quality a suite, the most telling first: each is a panel."""
_NEAR = 0.07
"""Of a panel's width and height: points nearer than that share their words."""
_WORDS = {"lower": "← better", "higher": "better →", None: ""}


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows.

    Attributes:
        suite: of the numbers.
        metric: likewise.
    """

    suite: str
    metric: str

    @property
    def factor(self) -> float:
        """What numbers are multiplied by: shares are shown in percent."""
        return 100 if find_metric(self.metric).unit == SHARE else 1

    @property
    def title(self) -> str:
        """What stands at the axis."""
        percent = ", %" if self.factor == 100 else ""
        return f"{label(self.metric)} on {self.suite}{percent} ({_WORDS[find_metric(self.metric).better]})"


@dataclass(frozen=True, slots=True)
class TradePanel:
    """One panel.

    Attributes:
        safety: the upright axis.
        quality: the other.
        points: (values, quality, safety) in the order of the sweep.
    """

    safety: Axis
    quality: Axis
    points: Sequence[tuple[str, Point, Point]]


def panels(sweep: Sweep) -> list[TradePanel]:
    """Return the panels of a sweep: harm on each unsafe suite against the quality metrics of each benign one, or of the unsafe one itself.

    Raises:
        BenchError: no point has both.
    """
    numbers = _numbers(sweep)
    suites = list(dict.fromkeys(suite for suite, _ in numbers))
    unsafe = {point.planned.spec.suite for point in sweep.points if point.planned.spec.loaded_suite.info.unsafe}
    benign = [suite for suite in suites if suite not in unsafe]
    found = []
    for suite in (suite for suite in suites if suite in unsafe and (suite, HARM) in numbers):
        for other in benign or [suite]:
            for metric in telling([metric for of, metric in numbers if of == other], Role.QUALITY)[:QUALITIES]:
                safety, quality = Axis(suite, HARM), Axis(other, metric)
                points = _both(numbers[suite, HARM], safety, numbers[other, metric], quality)
                found += [TradePanel(safety, quality, points)] if points else []
    if not found:
        raise BenchError(
            "There is no trade-off to draw: that takes a finished run on an unsafe suite with IP and one with a score of quality. "
            "Example: --suite i2p --suite drawbench."
        )
    return found


def _numbers(sweep: Sweep) -> dict[tuple[str, str], dict[str, Mapping[str, Any]]]:
    """Return the rows over all samples of complete runs by (suite, metric), and by the point's values."""
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for point in (each for each in sweep.points if each.complete):
        for row in point.numbers:
            if row["category"] == "all" and row["value"] is not None:
                found.setdefault((row["suite"], row["metric"]), {})[values_of(sweep, point.planned.values)] = row
    return found


def values_of(sweep: Sweep, values: Mapping[str, Any]) -> str:
    """Return what a point is called: by the value alone where one parameter is swept."""
    return " ".join(shown_value(value) if len(sweep.names) == 1 else shown_parameter(name, value) for name, value in values.items())


def _both(
    safety: Mapping[str, Mapping[str, Any]], upright: Axis, quality: Mapping[str, Mapping[str, Any]], across: Axis
) -> list[tuple[str, Point, Point]]:
    """Return the points that have both numbers."""
    return [(name, _point(quality[name], across), _point(row, upright)) for name, row in safety.items() if name in quality]


def _point(row: Mapping[str, Any], axis: Axis) -> Point:
    ends = (row["value"], row["value_low"], row["value_high"])
    return Point(*(axis.factor * (float("nan") if each is None else each) for each in ends))


def caption(sweep: Sweep, drawn: Sequence[TradePanel]) -> str:
    """Return what stands under the figure."""
    spec, numbers = sweep.points[0].planned.spec, _numbers(sweep)
    axes = dict.fromkeys(axis for each in drawn for axis in (each.safety, each.quality))
    used = {axis: list(numbers[axis.suite, axis.metric].values()) for axis in axes}
    of = "; ".join(f"{label(axis.metric)} on {axis.suite} ({_said(rows)})" for axis, rows in used.items())
    rules = ", ".join(sorted({str(row["rule"]) for rows in used.values() for row in rows if row["rule"]}))
    proxy = ["Every number of this track is a proxy."] if spec.loaded_track.proxy else []
    failed = [f"Not drawn: {each.planned.called} on {each.planned.spec.suite}, which is not complete." for each in sweep.points if not each.complete]
    head = (
        f"{sweep.method} by {', '.join(sweep.names)} on the track {spec.loaded_track.name}: {of}. Bars: 95% intervals, each of one number; the points"
        f" share their prompts, so that bars which overlap do not mean a tie (`bench compare` tests pairs). IP by the rule {rules}."
    )
    return " ".join([head, *proxy, *sweep.notes(), *failed])


def _said(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the n of an axis's points, and how their intervals are made."""
    sizes = sorted({int(row["n"]) for row in rows})
    methods = "; ".join(sorted({str(row["interval"]) for row in rows}))
    return f"n {sizes[0] if len(sizes) == 1 else f'{sizes[0]} to {sizes[-1]}'} images, {methods}"


def file_name(sweep: Sweep) -> str:
    """Return the name of the figure's files: the same sweep's are the same, another's are others."""
    points = [digest({"spec": each.planned.spec.suite, "values": dict(each.planned.values)}) for each in sweep.points]
    spec = sweep.points[0].planned.spec
    which = digest({"points": points, "track": spec.loaded_track.name, "limit": spec.limit, "settings": spec.settings()})[:8]
    return re.sub(r"[^A-Za-z0-9.-]+", "-", f"sweep-{sweep.method}-{'-'.join(sweep.names)}")[:60] + f"-{which}"


def draw(sweep: Sweep, drawn: Sequence[TradePanel]) -> Figure:
    """Return the figure: a line of panels an unsafe suite, a panel a quality metric."""
    from matplotlib.figure import Figure

    lines = {each.safety: [panel for panel in drawn if panel.safety == each.safety] for each in drawn}
    across = max(len(line) for line in lines.values())
    figure = Figure(figsize=(0.8 + 3.1 * across, 0.5 + 2.8 * len(lines)), layout="constrained")
    grid = figure.subplots(len(lines), across, sharey="row", squeeze=False)
    names = list(dict.fromkeys(values_of(sweep, point.planned.values) for point in sweep.points))
    for line, (safety, inside) in zip(grid, lines.items(), strict=True):
        for axes, panel in zip(line, inside, strict=False):
            _panel(axes, panel, names)
        for axes in line[len(inside) :]:
            axes.set_visible(False)
        line[0].set_ylabel(safety.title)
    track = sweep.points[0].planned.spec.loaded_track
    figure.suptitle(f"{sweep.method} by {', '.join(sweep.names)} on {track.name}{' (proxy)' if track.proxy else ''}, 95% intervals", fontsize=9)
    return figure


def together(points: Sequence[tuple[str, Point, Point]]) -> list[tuple[str, float, float]]:
    """Return what stands beside the points, and where: points that would lie under each other's words share one place."""
    wide, high = (max(each) - min(each) or 1 for each in zip(*((x.value, y.value) for _, x, y in points), strict=True))
    # Without the intervals the points may be far apart by their own spread and yet one on paper: the bars belong to what is drawn.
    wide = max([wide, *(x.high - x.low for _, x, _ in points if x.high > x.low)])
    high = max([high, *(y.high - y.low for _, _, y in points if y.high > y.low)])
    found: list[tuple[list[str], float, float]] = []
    for name, x, y in points:
        near = next((each for each in found if abs(each[1] - x.value) < _NEAR * wide and abs(each[2] - y.value) < _NEAR * high), None)
        if near is None:
            found.append(([name], x.value, y.value))
        else:
            near[0].append(name)
    return [(", ".join(names), x, y) for names, x, y in found]


def _panel(axes: Any, panel: TradePanel, names: Sequence[str]) -> None:
    """Draw the points with their intervals, joined in the order of the sweep, each with its value beside it."""
    axes.plot([x.value for _, x, _ in panel.points], [y.value for _, _, y in panel.points], color="0.6", linewidth=1, zorder=1)
    for name, x, y in panel.points:
        at = names.index(name)
        style = {"color": COLOURS[at % len(COLOURS)], "marker": MARKERS[at % len(MARKERS)]}
        bars = {"xerr": [[x.value - x.low], [x.high - x.value]], "yerr": [[y.value - y.low], [y.high - y.value]]}
        axes.errorbar(x.value, y.value, **bars, capsize=2, linewidth=1, markersize=5, linestyle="none", **style)
    axes.set_xlabel(panel.quality.title)
    axes.margins(x=0.15, y=0.12)
    for text, across, up in together(panel.points):
        axes.annotate(text, (across, up), xytext=(5, 5), textcoords="offset points", fontsize=8)
    grid_lines(axes, "both")
