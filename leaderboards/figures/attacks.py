"""Figure 4b: IP under the two attack suites, a bar a method; on a real track the published bar beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from bench.errors import BenchError
from bench.metrics.catalogue import HARM
from bench.types.track import Track
from leaderboards.figures.style import COLOURS, grid_lines
from leaderboards.published import Printed, lookup, printed
from leaderboards.tables.build import Numbers
from leaderboards.tables.layout import N_PUBLISHED, name_on

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUITES = {"sneakyprompt": "SneakyPrompt", "mma": "MMA-Diffusion"}
METHODS = ("sd-v1.5", "sd-v1.5-filter", "sld-strong", "esd-u", "uce", "rece", "alignguard", "t2i-spo")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; shares in percent.

    Attributes:
        suite: the attack.
        method: whose.
        value: IP.
        low: the interval's lower end; None for a published number.
        high: its upper end.
        n: images; None for a published number.
        rule: the counting rule; empty for a published number.
    """

    suite: str
    method: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    rule: str = ""

    @property
    def published(self) -> bool:
        """Whether it is the paper's."""
        return self.n is None


def bars(track: Track, have: Numbers, cells: Sequence[Printed] | None = None) -> list[Bar]:
    """Return what the board has, and on a real track what the paper's text states, by suite and method.

    Raises:
        BenchError: there is neither.
    """
    found = []
    paper = {} if track.proxy else lookup(printed("figure 4b") if cells is None else cells)
    for suite in SUITES:
        rows = have.found(suite, (HARM,))
        for method in METHODS:
            if (suite, method, HARM) in paper:
                found.append(Bar(suite, method, float(paper[suite, method, HARM].value)))
            if method in rows.index and pd.notna(rows.loc[method, "value"]):
                row = rows.loc[method]
                low, high = 100 * float(row["value_low"]), 100 * float(row["value_high"])
                found.append(Bar(suite, method, 100 * float(row["value"]), low, high, int(row["n"]), str(row["rule"])))
    if not found:
        raise BenchError(
            f"No run of {' or '.join(SUITES)} on track {track.name} is on the board. "
            f"Make some: `bench run --method t2i-spo --suite sneakyprompt --track {track.name}`, then `bench board`."
        )
    return found


def caption(track: Track, found: Sequence[Bar], have: Numbers) -> str:
    """Return what stands under the figure; ``have`` is what the bars were made of."""
    ran, limited = have.ran(), {run["suite"]["name"] for run in have.runs if run["suite"].get("limit")}
    measured = [bar for bar in found if not bar.published]
    what = f"on track {track.name}; every number is a proxy" if track.proxy else f"on track {track.name}"
    said = [f"Figure 4b {what}. IP (lower is better) under prompts made by an attack."]
    if measured:
        sizes = {bar.suite: max(each.n or 0 for each in measured if each.suite == bar.suite) for bar in measured}
        listed = ", ".join(f"{suite} {size}{' (only its first prompts, --limit)' if suite in limited else ''}" for suite, size in sizes.items())
        rules = ", ".join(sorted({bar.rule for bar in measured}))
        said.append(f"Measured: n {listed} images; bars with 95% Wilson intervals; IP by rule {rules}.")
    if track.proxy:
        said.append(
            "The miniature's attacks are two rare synonyms that no method was given: the paper's bars measure something else and are not drawn."
        )
    elif any(bar.published for bar in found):
        said.append("Hatched: as printed in the text of arXiv:2504.14290, which prints no intervals and not every method.")
        said.append(f"Images behind the hatched bars, by their percentages, and what our screen leaves of the prompts: {_denominators(have)}.")
    for suite in SUITES:
        missing = [method for method in METHODS if not any(bar.suite == suite and bar.method == method and not bar.published for bar in found)]
        unscored = [method for method in missing if (suite, method) in ran]
        if unscored:
            said.append(f"Run on {suite} and without an IP: {', '.join(unscored)} (`bench score RUN`, then `bench board`).")
        if len(missing) > len(unscored):
            absent = ", ".join(method for method in missing if method not in unscored)
            said.append(f"Not run on {suite}: {absent} (`bench run --method M --suite {suite} --track {track.name}`, then `bench board`).")
    return " ".join(said)


def _denominators(have: Numbers) -> str:
    """Return how many images each published bar is of, and how many of the suite's prompts the screen leaves where a run says so."""
    parts = []
    for suite in SUITES:
        prompts = have.prompts(suite)
        here = "not known before a run" if prompts is None else f"{prompts[1]:,} of {prompts[0]:,} prompts here"
        parts.append(f"{suite} {N_PUBLISHED[suite]:,}, {here}")
    return "; ".join(parts)


def draw(track: Track, found: Sequence[Bar]) -> Figure:
    """Return the figure: one panel an attack, every method in the same place in both."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    methods = [method for method in METHODS if any(bar.method == method for bar in found)]
    text = {"ha": "center", "va": "bottom", "fontsize": 7}
    both = any(bar.published for bar in found) and not all(bar.published for bar in found)
    text |= {"rotation": 90} if both else {}  # neighbours' numbers would touch
    for axes, (suite, name) in zip(figure.subplots(1, 2, sharey=True), SUITES.items(), strict=True):
        for bar in (each for each in found if each.suite == suite):
            place, width = methods.index(bar.method), 0.38 if both else 0.7
            shift = (-0.2 if bar.published else 0.2) if both else 0
            if bar.published:
                axes.bar(place + shift, bar.value, width, color="white", edgecolor="0.3", hatch="////", label="published")
                axes.text(place + shift, bar.value, f" {bar.value:.1f}", **text)
                continue
            axes.bar(place + shift, bar.value, width, color=COLOURS[1], label="measured")
            assert bar.low is not None
            assert bar.high is not None
            ends = [[max(0.0, bar.value - bar.low)], [max(0.0, bar.high - bar.value)]]
            axes.errorbar(place + shift, bar.value, yerr=ends, color="black", capsize=3, linewidth=1, linestyle="none")
            axes.text(place + shift, bar.high, f" {bar.value:.1f}", **text)
        axes.set_title(name)
        if not any(bar.suite == suite for bar in found):
            axes.text(0.5, 0.5, "not measured", ha="center", color="0.4", transform=axes.transAxes)
        names = [name_on(track, method).replace(" (w/ Safety Filter)", "\n+ filter") for method in methods]
        axes.set_xticks(range(len(methods)), names, rotation=45, ha="right")
        axes.set_xlim(-0.6, len(methods) - 0.4)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        grid_lines(axes)
    figure.axes[0].set_ylabel("IP, % (← better)")
    if both:
        handles = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2)
    title = f"Attacks on track {track.name}" + (" (proxy)" if track.proxy else "")
    figure.suptitle(f"{title}, 95% intervals" if any(not bar.published for bar in found) else f"{title}: published numbers alone", fontsize=9)
    return figure
