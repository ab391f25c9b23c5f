"""How all figures look, and how they are saved: colours for the colour-blind that differ in grey too, lines and hatches that need no colour."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import BenchError, NotAvailable
from bench.files.atomic import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#000000", "#0072B2", "#D55E00", "#56B4E9", "#E69F00", "#009E73", "#CC79A7")
"""Okabe and Ito's, told apart with every common colour blindness; neighbours differ in lightness."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
FORMATS = ("png", "pdf", "svg")
_SETTINGS: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # letters stay letters: a publisher's check wants no Type 3 fonts
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the figures' settings; nothing outside sees them.

    Raises:
        NotAvailable: Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise NotAvailable("Figures need Matplotlib, which is not installed. Run: pip install -c constraints.txt -e '.[leaderboard]'.") from error
    with matplotlib.rc_context(_SETTINGS):
        yield


def grid_lines(axes: Axes, axis: Literal["x", "y", "both"] = "y") -> None:
    """Draw thin lines behind the data."""
    axes.grid(axis=axis, color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def save(figure: Figure, out: Path, name: str, caption: str) -> list[Path]:
    """Write ``name`` as PNG, PDF and SVG and its caption as text; the same figure gives the same bytes.

    Returns:
        The files.

    Raises:
        BenchError: the folder cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise BenchError(f"{out} is a file; --out takes a folder.")
    paths = []
    for suffix in FORMATS:
        buffer = io.BytesIO()
        undated = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[suffix]
        figure.savefig(buffer, format=suffix, dpi=200, metadata=undated)
        paths.append(out / f"{name}.{suffix}")
        write_atomic(paths[-1], buffer.getvalue())
    paths.append(out / f"{name}.txt")
    write_atomic(paths[-1], (caption + "\n").encode())
    return paths
