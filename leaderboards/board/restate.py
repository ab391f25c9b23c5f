"""A board's composites, computed again by the constants that its tracks state now; from its own samples, without a run.

    python -m leaderboards.board.restate BOARD

Nothing else on the board changes: what is no composite does not depend on the constants. Killed half way, the same command
makes it whole: it reads the scores alone, which it leaves as they are.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from bench.console import say
from bench.errors import BenchError
from bench.files.atomic import write_json
from bench.metrics.catalogue import composite
from bench.metrics.columns import Column, estimates
from bench.metrics.composites import COMPOSITES, Constants
from bench.stats.clusters import Labels
from bench.tracks import load_track
from bench.types.sample import KEY
from bench.types.suite import ALL_PROMPTS
from leaderboards.board.build import CONSTANTS, ROWS, RUNS, SAMPLES, UNRANKED, ranks, read_runs, write_table


def restate(folder: Path) -> int:
    """Compute a board's composites again and write its files; return how many numbers were made.

    Raises:
        BenchError: it is no board, it has a track that is not known here, or one without centres.
    """
    tracks = {str(run["track"]): Constants.of(load_track(str(run["track"]))) for run in read_runs(folder)}
    samples, rows = pd.read_parquet(folder / SAMPLES), pd.read_parquet(folder / ROWS)
    made = 0
    for (track, suite), inside in samples.groupby(["track", "suite"], sort=False):
        here = (rows["track"] == track) & (rows["suite"] == suite) & (rows["category"] == ALL_PROMPTS)
        for name in COMPOSITES:
            methods = rows.loc[here & (rows["metric"] == name), "method"].tolist()
            found = {method: _column(name, own.set_index(KEY), tracks[track]) for method, own in inside.groupby("method") if method in methods}
            numbers = estimates([(column, Labels.of(column.values.index.get_level_values(0))) for column in found.values()])
            ranked = ranks({name: list(found.items())})
            for (method, column), number in zip(found.items(), numbers, strict=True):
                place = ranked.get((method, name, ALL_PROMPTS), UNRANKED)
                about = {"value": number.value, "value_low": number.low, "value_high": number.high, "interval": number.method, **place}
                (row,) = rows.index[here & (rows["metric"] == name) & (rows["method"] == method)]
                for key, value in about.items():
                    rows.at[row, key] = value
                if name in samples:
                    samples.loc[inside.index[inside["method"] == method], name] = column.values.to_numpy(dtype="float32")
                made += 1
    write_table(folder / SAMPLES, samples)
    write_table(folder / ROWS, rows)
    about = json.loads((folder / RUNS).read_text(encoding="utf-8"))
    write_json(folder / RUNS, {**about, "runs": [{**run, CONSTANTS: asdict(tracks[run["track"]])} for run in about["runs"]]})
    return made


def _column(name: str, samples: pd.DataFrame, constants: Constants) -> Column:
    """Return a composite of one run's samples, as :func:`bench.metrics.columns.columns` makes it."""
    function, metric = composite(name, constants), COMPOSITES[name].metric
    if function is None:
        raise BenchError(f"{name} needs centres that the track does not state; a board with it cannot be computed again. Give the track its centres.")
    first, *further = (samples[part].astype("float64") for part in metric.made_of)
    if metric.of_images:
        return Column(name, metric.unit, False, function(first, *further))
    return Column(name, metric.unit, False, first, further=tuple(further), function=function)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m leaderboards.board.restate BOARD")
    try:
        say(f"computed again: {restate(Path(sys.argv[1]))} numbers of {sys.argv[1]}")
    except BenchError as error:
        sys.exit(f"error: {error}")
