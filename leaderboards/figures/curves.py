"""Figure 5: how the loss falls, with and without dynamic focusing (left), and with more or fewer augmentations (right)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leaderboards.figures.ablations import AblationFigure
from leaderboards.figures.style import COLOURS, LINES, MARKERS, grid_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"dfm": "DFM threshold", "augmentations": "number of augmentations"}


def legend_label(label: str) -> str:
    """Return a value's label without the list of augmentations: ``4: sharpen colour ...`` is ``4``."""
    return label.partition(":")[0]


def caption(ablations: Sequence[AblationFigure], missing: Sequence[str] = ()) -> str:
    """Return what stands under the figure; ``missing`` are the ablations that were not made."""
    steps = sorted({curve[-1][0] for ablation in ablations for curve in ablation.curves.values() if curve})
    ends = "; ".join(
        f"{TITLES[each.name]} " + ", ".join(f"{legend_label(label)}: {each.curves[label][-1][1]:.3f}" for label in each.values if each.curves[label])
        for each in ablations
    )
    pools = [label for each in ablations for label in each.values if ":" in label]
    named = f" Augmentations: {'; '.join(pools)}." if pools else ""
    absent = "".join(f" Not made: {name} (`bench ablate {name}`)." for name in missing)
    return (
        "Figure 5 on the miniature; every number is a proxy. T2I-SPO's loss on fixed probes (the same pairs, timesteps and noise at every step), "
        f"up to step {' or '.join(str(each) for each in steps)}; one training and one seed a line, so there is no interval: differences between "
        f"lines are not shown to be more than chance. Loss at the last point drawn, {ends}.{named}{absent} "
        "The paper's curves are not in its text, so none is shown."
    )


def draw(ablations: Sequence[AblationFigure]) -> Figure:
    """Return the figure: one panel an ablation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.5 * len(ablations) + 0.4, 3.0), layout="constrained")
    panels = figure.subplots(1, len(ablations), sharey=True, squeeze=False)[0]
    for axes, ablation in zip(panels, ablations, strict=True):
        for index, label in enumerate(ablation.values):
            curve = ablation.curves[label]
            style = {"color": COLOURS[index % len(COLOURS)], "linestyle": LINES[index % len(LINES)], "marker": MARKERS[index % len(MARKERS)]}
            axes.plot(*zip(*curve, strict=True), markersize=4, linewidth=1.2, label=legend_label(label), **style)
        axes.set_xlabel("training step")
        axes.legend(title=TITLES[ablation.name])
        grid_lines(axes)
    panels[0].set_ylabel("loss on fixed probes")
    figure.suptitle("T2I-SPO on the miniature (proxy), one seed a line", fontsize=9)
    return figure
