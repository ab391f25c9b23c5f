"""One function for every figure: by its number, from the runs, the board or the ablations that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.tracks import load_track
from bench.types.track import Track
from leaderboards.figures import attacks, curves, grid, tradeoff
from leaderboards.figures.ablations import place_of, read_ablation
from leaderboards.figures.style import drawing, save
from leaderboards.tables.build import board_of, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUMBERS = ("1", "4a", "4b", "5")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What figures are made of; each takes what it needs.

    Attributes:
        track: a track's name or file (1, 4b).
        board: a board's folder; the one that ships for the track where None (4b).
        data: folders that ``bench ablate`` wrote; its own places where empty (4a, 5).
        runs: the folder of all runs (1).
        suite: of the runs (1).
        methods: one a line (1).
        samples: columns (1).
    """

    track: str = "mini"
    board: Path | None = None
    data: Sequence[Path] = ()
    runs: Path = Path("runs")
    suite: str = grid.SUITE
    methods: Sequence[str] = grid.METHODS
    samples: int = 7


def make_figure(number: str, out: Path, given: Inputs) -> tuple[list[Path], str]:
    """Draw a figure of the paper and write it to ``out`` as PNG, PDF, SVG and a caption.

    Returns:
        The files, and the caption.

    Raises:
        BenchError: unknown figure, or its inputs are not there; the message has the command that makes them.
        NotAvailable: Matplotlib or DuckDB is not installed.
    """
    if number not in NUMBERS:
        raise BenchError(f"The paper's figures that can be made are {', '.join(NUMBERS)}; got {number!r}. Example: bench figure 4b.")
    with drawing():
        figure, caption = _DRAWN[number](load_track(given.track), given)
        return save(figure, out, f"figure-{number}", caption), caption


def _grid(track: Track, given: Inputs) -> tuple[Figure, str]:
    made = grid.grid(given.methods, given.suite, track, given.runs, given.samples)
    return grid.draw(made), grid.caption(made)


def _tradeoff(track: Track, given: Inputs) -> tuple[Figure, str]:
    _check_mini(track)
    if len(given.data) > 1:
        raise BenchError("Figure 4a takes one --data FOLDER, which `bench ablate lambda` wrote.")
    ablation = read_ablation("lambda", given.data[0] if given.data else None)
    return tradeoff.draw(ablation), tradeoff.caption(ablation)


def _attacks(track: Track, given: Inputs) -> tuple[Figure, str]:
    have = numbers(board_of(track.name, given.board), track.name)
    bars = attacks.bars(track, have)
    return attacks.draw(track, bars), attacks.caption(track, bars, have)


def _curves(track: Track, given: Inputs) -> tuple[Figure, str]:
    """Both ablations, or the one that is there."""
    _check_mini(track)
    places = {place.name.removeprefix("ablate-"): place for place in given.data} or {what: place_of(what) for what in curves.TITLES}
    unknown = [name for name in places if name not in curves.TITLES]
    if unknown:
        raise BenchError(
            f"Figure 5 takes --data folders called ablate-dfm and ablate-augmentations, as `bench ablate` writes them; got {unknown[0]!r}."
        )
    there = [what for what in curves.TITLES if what in places and (places[what] / "table.csv").is_file()]
    if not there:
        read_ablation(next(iter(places)), next(iter(places.values())))  # says what is missing and what makes it
    ablations = [read_ablation(what, places[what]) for what in there]
    return curves.draw(ablations), curves.caption(ablations, [what for what in curves.TITLES if what not in there])


def _check_mini(track: Track) -> None:
    if track.name != "mini":
        raise BenchError(f"`bench ablate` trains on the miniature alone, so there is no such figure of track {track.name}; leave --track out.")


_DRAWN = {"1": _grid, "4a": _tradeoff, "4b": _attacks, "5": _curves}
