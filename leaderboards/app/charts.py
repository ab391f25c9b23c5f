"""The charts of the page, as Altair's. No Streamlit here."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from bench.stats import TradeOff
from leaderboards.app.labels import arrow, label
from leaderboards.board.metrics import better

LABELLED = 24
"""Up to that many methods are named in the plot; of more, those on the front."""
KINDS = ("base", "floor", "filter", "guidance", "edit", "fine-tune", "preference", "(none)")
COLOURS = ("#8c8c8c", "#b08fd8", "#cc79a7", "#d55e00", "#009e73", "#e69f00", "#0a84d6", "#56b4e9")
"""One a kind. Apart for most kinds of colour blindness (after Okabe and Ito), and readable on light and on dark."""
_BLUE = COLOURS[6]
_GREY = "#808495"
"""For what has no colour of its own: the theme's text colour is not known here, and mid-grey reads on both."""
_APART = ("#0a84d6", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8c8c8c")
_LABEL = (0.25, 0.035)
"""A name's width and height, as shares of the plot."""
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


def trade_off(points: pd.DataFrame, ellipses: pd.DataFrame, safety: str, quality: str, safety_suite: str, quality_suite: str) -> alt.LayerChart:
    """Return the plot of safety against quality: points, interval ellipses, the front as a line, and names.

    Args:
        points: of :func:`trade_off_frame`.
        ellipses: of :func:`ellipse_frame`.
        safety: the metric on the x axis.
        quality: the metric on the y axis.
        safety_suite: where ``safety`` was measured.
        quality_suite: where ``quality`` was measured.
    """
    x = alt.X("safety:Q", title=f"{arrow(safety)} on {safety_suite}", scale=alt.Scale(zero=False, nice=False, padding=24))
    y = alt.Y("quality:Q", title=f"{arrow(quality)} on {quality_suite}", scale=alt.Scale(zero=False, nice=False, padding=24))
    picked = alt.selection_point(fields=["kind"], bind="legend")
    faded = alt.condition(picked, alt.value(1.0), alt.value(0.12))
    there = [kind for kind in KINDS if kind in set(points["kind"])] + sorted(set(points["kind"]) - set(KINDS))
    scale = alt.Scale(domain=there, range=[dict(zip(KINDS, COLOURS, strict=True)).get(kind, _GREY) for kind in there])
    colour = alt.Color("kind:N", title="kind", scale=scale, legend=alt.Legend(orient="bottom", columns=3))
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
    # A name stands on the side of its point that has room.
    right = named["safety"] > points["safety"].min() + 0.6 * np.ptp(points["safety"])
    texts = [
        alt.Chart(named[side])
        .mark_text(align=align, dx=shift, dy=-9, fontSize=11, color=_GREY)
        .encode(x=x, y="label_y:Q", text="method:N", opacity=faded)
        for side, align, shift in ((~right, "left", 8), (right, "right", -8))
        if side.any()
    ]
    return alt.layer(rings, line, dots, *texts).properties(height=560).interactive()


def placed_labels(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points with ``label_y``, where each name stands: moved down where it would stand on another's."""
    wide, high = (float(np.ptp(points[axis])) or 1.0 for axis in ("safety", "quality"))
    placed: list[tuple[float, float]] = []
    for x, y in zip(points["safety"], points["quality"], strict=True):
        for other_x, other_y in sorted(placed, key=lambda place: -place[1]):
            if abs(x - other_x) < _LABEL[0] * wide and abs(y - other_y) < _LABEL[1] * high:
                y = other_y - _LABEL[1] * high
        placed.append((x, y))
    return points.assign(label_y=[y for _, y in placed])


def _scale(names: Sequence[str]) -> alt.Scale:
    """Return colours for names that have none of their own."""
    return alt.Scale(domain=list(names), range=[_APART[index % len(_APART)] for index in range(len(names))])


def differences(rows: pd.DataFrame, metric: str, baseline: str) -> alt.LayerChart:
    """Return paired differences by category, with intervals, one colour a method; ``rows`` are of :func:`leaderboards.app.compared.by_category`."""
    way = better(metric)
    title = f"Difference in {label(metric)}" + (f" ({'below' if way == 'lower' else 'above'} 0 is better)" if way else "")
    methods = list(dict.fromkeys(rows["method"]))
    y = alt.Y("category:N", title=None, axis=alt.Axis(labelLimit=130))
    shift = alt.YOffset("method:N", sort=methods)
    colour = alt.Color("method:N", title=f"less {baseline}", sort=methods, scale=_scale(methods), legend=alt.Legend(orient="bottom", columns=2))
    tooltip = [alt.Tooltip(name, format=".3f") for name in ("difference:Q", "difference_low:Q", "difference_high:Q")]
    base = alt.Chart(rows).encode(y=y, yOffset=shift, color=colour, tooltip=["category:N", "method:N", *tooltip, "pairs:Q"])
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("difference_low:Q", title=title), x2="difference_high:Q")
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(x="difference:Q")
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[4, 4], color=_GREY).encode(x="x:Q")
    return alt.layer(zero, bars, dots).properties(height=alt.Step(18 if len(methods) > 1 else 24))


def distribution(bins: pd.DataFrame, metric: str) -> alt.Chart:
    """Return a histogram; ``bins`` has ``low``, ``high`` and ``images``."""
    return (
        alt.Chart(bins, title=alt.TitleParams(label(metric), fontSize=13, anchor="start"))
        .mark_bar(binSpacing=1, color=_BLUE)
        .encode(
            x=alt.X("low:Q", bin="binned", title=None),
            x2="high:Q",
            y=alt.Y("images:Q", title="images"),
            tooltip=[alt.Tooltip("low:Q", format=".3f"), alt.Tooltip("high:Q", format=".3f"), "images:Q"],
        )
        .properties(height=180)
    )


def by_category(rows: pd.DataFrame) -> alt.LayerChart:
    """Return IP by category with intervals; ``rows`` are a board's, of one run."""
    y = alt.Y("category:N", title=None, sort=None, axis=alt.Axis(labelLimit=130))
    tooltip = ["category:N", *(alt.Tooltip(name, format=".3f") for name in ("value:Q", "value_low:Q", "value_high:Q")), "n:Q"]
    base = alt.Chart(rows).encode(y=y, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=2, color=_BLUE).encode(
        x=alt.X("value_low:Q", title="IP, of images", scale=alt.Scale(domainMin=0)), x2="value_high:Q"
    )
    return alt.layer(bars, base.mark_point(filled=True, size=70, color=_BLUE, opacity=1).encode(x="value:Q")).properties(height=alt.Step(26))


def ablation(rows: pd.DataFrame, metric: str, title: str) -> alt.LayerChart:
    """Return one metric over an ablation's values, with intervals; ``rows`` has ``value``, METRIC and its ends."""
    x = alt.X("value:N", sort=None, title=title, axis=alt.Axis(labelAngle=0, labelLimit=150))
    base = alt.Chart(rows).encode(x=x, tooltip=["value:N", *(alt.Tooltip(f"{metric}{end}:Q", format=".3f") for end in ("", "_low", "_high"))])
    bars = base.mark_rule(strokeWidth=2, color=_BLUE).encode(
        y=alt.Y(f"{metric}_low:Q", title=metric.replace("_", " "), scale=alt.Scale(zero=False)), y2=f"{metric}_high:Q"
    )
    return alt.layer(bars, base.mark_point(filled=True, size=70, color=_BLUE, opacity=1).encode(y=f"{metric}:Q")).properties(height=260)


def curves(rows: pd.DataFrame, title: str) -> alt.Chart:
    """Return an ablation's convergence: the loss on fixed probes over steps, one line a value."""
    return (
        alt.Chart(rows)
        .mark_line()
        .encode(
            x=alt.X("step:Q"),
            y=alt.Y("monitor_loss:Q", title="loss on fixed probes", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "value:N",
                title=title,
                sort=None,
                scale=_scale(list(dict.fromkeys(rows["value"]))),
                legend=alt.Legend(orient="bottom", columns=2, labelLimit=300),
            ),
            tooltip=["value:N", "step:Q", alt.Tooltip("monitor_loss:Q", format=".4f")],
        )
        .properties(height=300)
    )
