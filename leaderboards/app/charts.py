"""The charts of the page, as Altair's. No Streamlit here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from bench.metrics.catalogue import arrow, better, label
from bench.stats import TradeOff
from bench.types import Kind

LABELLED = 24
"""Up to that many methods are named in the plot; of more, those on the front."""
KINDS = (*(kind.value for kind in Kind), "(none)")
COLOURS = ("#8c8c8c", "#b08fd8", "#cc79a7", "#d55e00", "#009e73", "#e69f00", "#0a84d6", "#9a6324", "#56b4e9")
"""One a kind. Apart for most kinds of colour blindness (after Okabe and Ito), and readable on light and on dark."""
_BLUE = COLOURS[6]
_GREY = "#808495"
"""For what has no colour of its own: the theme's text colour is not known here, and mid-grey reads on both."""
_APART = ("#0a84d6", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8c8c8c")
_DASHES = ([1, 0], [8, 4], [4, 4], [2, 6])
_DOT = (0.02, 0.02)
"""Half of a point's width and height, as shares of the plot."""
_LETTER, _LINE = 0.022, 0.048
"""The width of a letter of a name and the height of a line, as shares of a plot on a phone: what is apart there is apart on a desk."""
_PIXELS = 14
"""Height of a line of names."""
_TICKS = 8
Plot = alt.LayerChart | alt.FacetChart
_AROUND = np.linspace(0, 2 * np.pi, 49)


def trade_off_frame(methods: Sequence[str], kinds: Sequence[str], points: Sequence[TradeOff]) -> pd.DataFrame:
    """Return one row a method, the likeliest on the front first: method, kind, safety, quality, on_front, front_probability."""
    rows = [
        {
            "method": method,
            "kind": kind or "(none)",
            **{name: getattr(point, name) for name in ("safety", "quality", "on_front", "front_probability")},
        }
        for method, kind, point in zip(methods, kinds, points, strict=True)
    ]
    return pd.DataFrame(rows).sort_values(["front_probability", "method"], ascending=[False, True], ignore_index=True)


def ellipse_frame(methods: Sequence[str], kinds: Sequence[str], points: Sequence[TradeOff]) -> pd.DataFrame:
    """Return the outlines of the methods' ellipses: ``method``, ``kind``, ``step``, ``safety``, ``quality``."""
    found = []
    for method, kind, point in zip(methods, kinds, points, strict=True):
        if point.ellipse is None:
            continue
        turn = np.radians(point.ellipse.angle)
        along, across = point.ellipse.semi_major * np.cos(_AROUND), point.ellipse.semi_minor * np.sin(_AROUND)
        x = point.safety + along * np.cos(turn) - across * np.sin(turn)
        y = point.quality + along * np.sin(turn) + across * np.cos(turn)
        found.append(pd.DataFrame({"method": method, "kind": kind or "(none)", "step": range(len(x)), "safety": x, "quality": y}))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["method", "kind", "step", "safety", "quality"])


def trade_off(
    points: pd.DataFrame, ellipses: pd.DataFrame, safety: str, quality: str, safety_suite: str, quality_suite: str, ink: str = _GREY
) -> Plot:
    """Return the plot of safety against quality: points, interval ellipses, the front as a line, and names.

    Args:
        points: of :func:`trade_off_frame`.
        ellipses: of :func:`ellipse_frame`.
        safety: the metric on the x axis.
        quality: the metric on the y axis.
        safety_suite: where ``safety`` was measured.
        quality_suite: where ``quality`` was measured.
        ink: the colour of names.
    """
    room, few = alt.Scale(zero=False, nice=False, padding=24), alt.Axis(tickCount=_TICKS)
    x = alt.X("safety:Q", title=f"{arrow(safety)} on {safety_suite}", scale=room, axis=few)
    y = alt.Y("quality:Q", title=f"{arrow(quality)} on {quality_suite}", scale=room, axis=few)
    picked = alt.selection_point(fields=["kind"], bind="legend")
    faded = alt.condition(picked, alt.value(1.0), alt.value(0.12))
    there = [kind for kind in KINDS if kind in set(points["kind"])] + sorted(set(points["kind"]) - set(KINDS))
    scale = alt.Scale(domain=there, range=[dict(zip(KINDS, COLOURS, strict=True)).get(kind, _GREY) for kind in there])
    colour = alt.Color("kind:N", title="kind", scale=scale, legend=alt.Legend(orient="bottom", columns=3, symbolOpacity=1))
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("kind:N"),
        alt.Tooltip("safety:Q", title=label(safety), format=".3f"),
        alt.Tooltip("quality:Q", title=label(quality), format=".3f"),
        alt.Tooltip("front_probability:Q", title="on the front in", format=".0%"),
    ]
    outline = alt.Chart(ellipses).mark_line(strokeWidth=1).encode(x=x, y=y, color=colour, detail="method:N", order="step:Q")
    rings = outline.encode(opacity=alt.condition(picked, alt.value(0.55), alt.value(0.08)))
    front = points[points["on_front"]].sort_values("safety")
    line = alt.Chart(front).mark_line(strokeDash=[5, 4], strokeWidth=1.5, opacity=0.7, color=_GREY).encode(x=x, y=y, order="safety:Q")
    dots = (
        alt.Chart(points)
        .mark_point(filled=True, size=90)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=alt.Shape(
                "on_front:N",
                title="on the front",
                scale=alt.Scale(domain=[True, False], range=["diamond", "circle"]),
                legend=None,
            ),
            opacity=faded,
            tooltip=tooltip,
        )
        .add_params(picked)
    )
    named = placed_labels(points if len(points) <= LABELLED else front)
    leftward = named["leftward"]
    up = alt.ExprRef(f"-{_PIXELS} * datum.lines")
    names = alt.Chart(named[~leftward]).mark_text(align="left", dx=9, dy=up, fontSize=11, color=ink)
    names_left = alt.Chart(named[leftward]).mark_text(align="right", dx=-9, dy=up, fontSize=11, color=ink)
    texts = [each.encode(x=x, y=y, text="method:N", opacity=faded) for each in (names, names_left)]
    # The wheel alone scrolls the page.
    zoom = alt.selection_interval(bind="scales", zoom="wheel![event.ctrlKey || event.metaKey]")
    return alt.layer(rings.add_params(zoom), line, dots, *texts).properties(height=560)


def placed_labels(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points with where their names stand: how many ``lines`` above them, and whether ``leftward``.

    Of the places beside a point it is the nearest where the name covers no point and no other name.
    """
    x, y = ((points[axis] - points[axis].min()) / (float(np.ptp(points[axis])) or 1.0) for axis in ("safety", "quality"))
    taken = [(a - _DOT[0], a + _DOT[0], b - _DOT[1], b + _DOT[1]) for a, b in zip(x, y, strict=True)]
    found = []
    for name, a, b in zip(points["method"], x, y, strict=True):
        places = [(lines, leftward) for lines in (0.0, 0.6, -0.6, 1.2, -1.2, 2.2, -2.2, 3.2, -3.2) for leftward in (a > 0.6, a <= 0.6)]
        boxes = [_name_box(len(name), a, b + lines * _LINE, leftward=leftward) for lines, leftward in places]
        best = min(range(len(places)), key=lambda index: (sum(_overlap(boxes[index], each) for each in taken) + _outside(boxes[index]), index))
        taken.append(boxes[best])
        found.append(places[best])
    return points.assign(
        lines=pd.Series([lines for lines, _ in found], index=points.index, dtype=float),
        leftward=pd.Series([left for _, left in found], index=points.index, dtype=bool),
    )


def _name_box(letters: int, x: float, y: float, *, leftward: bool) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of a name beside the point (x, y), as shares of the plot."""
    near, far = 1.1 * _DOT[0], 1.1 * _DOT[0] + letters * _LETTER
    left, right = (x - far, x - near) if leftward else (x + near, x + far)
    return left, right, y - 0.4 * _LINE, y + 0.4 * _LINE  # letters fill four fifths of their line


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _outside(box: tuple[float, float, float, float]) -> bool:
    """Return whether a box leaves the plot, which ends a little beyond the outermost points."""
    return box[0] < -0.03 or box[1] > 1.03 or box[2] < -0.08 or box[3] > 1.08


def _scale(names: Sequence[str]) -> alt.Scale:
    """Return colours for names that have none of their own."""
    return alt.Scale(domain=list(names), range=[_APART[index % len(_APART)] for index in range(len(names))])


def differences(rows: pd.DataFrame, metric: str, baseline: str) -> Plot:
    """Return paired differences by category, with intervals, one colour a method; ``rows`` are of :func:`leaderboards.app.compared.by_category`."""
    way = better(metric)
    title = f"Difference in {label(metric)}" + (f" ({'below' if way == 'lower' else 'above'} 0 is better)" if way else "")
    methods = list(dict.fromkeys(rows["method"]))
    y = alt.Y("category:N", title=None, axis=alt.Axis(labelLimit=130, labelFlush=False))
    shift = alt.YOffset("method:N", sort=methods)
    colour = alt.Color("method:N", title=f"minus {baseline}", sort=methods, scale=_scale(methods), legend=alt.Legend(orient="bottom", columns=2))
    tooltip = [alt.Tooltip(name, format=".3f") for name in ("difference:Q", "difference_low:Q", "difference_high:Q")]
    base = alt.Chart(rows).encode(y=y, yOffset=shift, color=colour, tooltip=["category:N", "method:N", *tooltip, "pairs:Q"])
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("difference_low:Q", title=title, axis=alt.Axis(tickCount=_TICKS)), x2="difference_high:Q")
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(x="difference:Q")
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[4, 4], color=_GREY).encode(x="x:Q")
    return alt.layer(zero, bars, dots).properties(height=alt.Step(18 if len(methods) > 1 else 24))


def distribution(bins: pd.DataFrame, metric: str) -> alt.Chart:
    """Return a histogram; ``bins`` has ``low``, ``high`` and ``images``."""
    plot: alt.Chart = (
        alt.Chart(bins, title=alt.TitleParams(label(metric), fontSize=13, anchor="start"))
        .mark_bar(binSpacing=1, color=_BLUE)
        .encode(
            x=alt.X("low:Q", bin="binned", title=None, axis=alt.Axis(tickCount=_TICKS)),
            x2="high:Q",
            y=alt.Y("images:Q", title="images"),
            tooltip=[alt.Tooltip("low:Q", format=".3f"), alt.Tooltip("high:Q", format=".3f"), "images:Q"],
        )
        .properties(height=180)
    )
    return plot


def by_category(rows: pd.DataFrame) -> Plot:
    """Return IP by category with intervals; ``rows`` are a board's, of one run."""
    y = alt.Y("category:N", title=None, sort=None, axis=alt.Axis(labelLimit=130, labelFlush=False))
    ends = (alt.Tooltip(name, format=".3f") for name in ("value:Q", "value_low:Q", "value_high:Q"))
    base = alt.Chart(rows).encode(y=y, tooltip=[alt.Tooltip("category:N"), *ends, alt.Tooltip("n:Q")])
    x = alt.X("value_low:Q", title="IP, share of images", scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=_TICKS))
    bars = base.mark_rule(strokeWidth=2, color=_BLUE).encode(x=x, x2="value_high:Q")
    return alt.layer(bars, base.mark_point(filled=True, size=70, color=_BLUE, opacity=1).encode(x="value:Q")).properties(height=alt.Step(26))


def ablation(rows: pd.DataFrame, metric: str, name: str, title: str) -> Plot:
    """Return one metric, called ``name``, over an ablation's values, with intervals; ``rows`` has ``value``, METRIC and its ends."""
    # A value of several words stands on several lines: none is cut off on a narrow screen.
    words = alt.Axis(labelAngle=0, labelExpr="split(datum.label, ' ')", labelFlush=False, labelOverlap=False)
    x = alt.X("value:N", sort=None, title=title, axis=words)
    ends = (alt.Tooltip(f"{metric}{end}:Q", format=".3f") for end in ("", "_low", "_high"))
    base = alt.Chart(rows).encode(x=x, tooltip=[alt.Tooltip("value:N"), *ends])
    y = alt.Y(f"{metric}_low:Q", title=name, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5))
    bars = base.mark_rule(strokeWidth=2, color=_BLUE).encode(y=y, y2=f"{metric}_high:Q")
    return alt.layer(bars, base.mark_point(filled=True, size=70, color=_BLUE, opacity=1).encode(y=f"{metric}:Q")).properties(height=320)


def curves(rows: pd.DataFrame, title: str) -> Plot:
    """Return an ablation's convergence: the loss on fixed probes over steps, one line a value. Lines that coincide show through each other's gaps."""
    names = list(dict.fromkeys(rows["value"]))
    legend = alt.Legend(orient="bottom", columns=2, labelLimit=300, symbolType="stroke", symbolSize=600, symbolStrokeWidth=2)
    shared: dict[str, Any] = {"title": title, "sort": None, "legend": legend}
    base = alt.Chart(rows).encode(
        x=alt.X("step:Q", axis=alt.Axis(tickCount=_TICKS)),
        y=alt.Y("monitor_loss:Q", title="loss on fixed probes", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=_TICKS)),
        color=alt.Color("value:N", scale=_scale(names), **shared),
        tooltip=["value:N", "step:Q", alt.Tooltip("monitor_loss:Q", format=".4f")],
    )
    dashes = alt.Scale(domain=names, range=[_DASHES[index % len(_DASHES)] for index in range(len(names))])
    lines = base.mark_line().encode(strokeDash=alt.StrokeDash("value:N", scale=dashes, **shared))
    return alt.layer(lines, base.mark_point(filled=True, size=30, opacity=1)).properties(height=440)
