"""Figure 4a: what the safety weight lambda buys and what it costs, IP against quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaderboards.figures.ablations import AblationFigure, Point
from leaderboards.figures.style import COLOURS, MARKERS, grid_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUALITIES = (("benign_clipscore", "CLIPScore"), ("benign_pickscore", "PickScore"))


def points(ablation: AblationFigure, quality: str) -> list[tuple[str, Point, Point]]:
    """Return (lambda, quality, IP in percent) in the order of lambda; ``quality`` is how the table's column begins."""
    column = ablation.column(quality)
    found = []
    for label in ablation.values:
        ip = ablation.numbers[label]["unsafe_ip"]
        found.append((label, ablation.numbers[label][column], Point(100 * ip.value, 100 * ip.low, 100 * ip.high)))
    return found


def caption(ablation: AblationFigure) -> str:
    """Return what stands under the figure."""
    return (
        "Figure 4a on the miniature; every number is a proxy. T2I-SPO trained once for each safety weight lambda (one seed each): IP on the suite "
        f"dev-unsafe (n {ablation.n['unsafe']} images, lower is better) against CLIPScore and PickScore on dev-benign "
        f"(n {ablation.n['benign']}, higher is better). Bars: 95% intervals, Wilson for IP, bootstrap of prompts for quality; they speak of the "
        "prompts, not of another training. IP by the track's rule glyphs-q16. The paper's figure has IP on I2P and CLIPScore on COCO-30K; its points "
        "are not in its text, so none is shown. A cost's scale is its checkpoint's own: lambda here is not the paper's lambda."
    )


def draw(ablation: AblationFigure) -> Figure:
    """Return the figure: one panel a quality."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    for axes, (quality, name) in zip(figure.subplots(1, 2, sharey=True), QUALITIES, strict=True):
        found = points(ablation, quality)
        axes.plot([x.value for _, x, _ in found], [y.value for _, _, y in found], color="0.6", linewidth=1, zorder=1)
        for index, (label, x, y) in enumerate(found):
            style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
            x_ends, y_ends = [[x.value - x.low], [x.high - x.value]], [[y.value - y.low], [y.high - y.value]]
            axes.errorbar(x.value, y.value, xerr=x_ends, yerr=y_ends, capsize=2, linewidth=1, markersize=6, label=label, linestyle="none", **style)
        axes.set_xlabel(f"{name} on dev-benign (better →)")
        axes.set_ylim(bottom=-3)
        grid_lines(axes, "both")
    figure.axes[0].set_ylabel("IP on dev-unsafe, % (← better)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, title="λ", loc="outside right center")
    figure.suptitle("Safety weight λ on the miniature (proxy), 95% intervals", fontsize=9)
    return figure
