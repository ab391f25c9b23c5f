"""How long finished runs take to be read: a large run's table, the comparison of three, and a small run printed again from process start.

    python benchmarks/reading.py                      # two minutes: makes its runs first
    python benchmarks/reading.py --out FOLDER         # keeps them, and reads those that are there
    python benchmarks/reading.py --samples 3000 --rounds 1

Each time is also given as a ratio to a plain NumPy reference measured in the same process: the bootstrap of one column's mean, 2,000 resamples of
as many prompts, drawn one by one. The large runs repeat the rows of small real ones with noise on every number, so that all of a track's scorers are
there and no two images score alike; they have no images, which no table reads.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import bench
from bench.formats import Format, show, show_table
from bench.reports.comparison import compare
from bench.reports.run_tables import open_runs, report_table
from bench.runs.folder import RunFolder
from bench.types.sample import KEY

METHODS = ("sd-v1.5", "uce", "sld-strong")
SUITE = "i2p"
SEEDS, SMALL = 48, 210
"""Prompts of the runs that the large ones repeat, and of the one that is printed again."""
UNIT = 448
"""Samples a unit, as 30,000 samples in batches of 64 are cut."""
RESAMPLES = 2000


def main() -> None:
    """Make the runs where they are not there, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--out", type=Path, help="a folder to keep the runs in")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        out = given.out or Path(place)
        for method in METHODS:
            bench.run(method=method, suite=SUITE, limit=SEEDS, out=out / "seeds")
        bench.run(method=METHODS[1], suite=SUITE, limit=SMALL, out=out / "small")
        large = [
            enlarged(next((out / "seeds" / "mini" / SUITE).glob(f"{method}-*")), out / f"large-{given.samples}", given.samples) for method in METHODS
        ]
        again = [sys.executable, "-m", "bench", "run", "-m", METHODS[1], "-s", SUITE, "--limit", str(SMALL), "--out", str(out / "small"), "--quiet"]
        what: dict[str, Callable[[], Any]] = {
            "reference: NumPy bootstrap of one mean": lambda: plain_bootstrap(given.samples),
            "its table": lambda: show_table(report_table(open_runs(large[:1])), Format.TABLE),
            "three such runs compared": lambda: show(compare([str(path) for path in large]), Format.JSON),
            f"`bench run` again, {SMALL} samples, from process start": lambda: subprocess.run(again, check=True, capture_output=True),
        }
        rows: list[dict[str, object]] = []
        reference = (0.0, 0.0)
        for name, call in what.items():
            took = seconds(call, given.rounds)
            reference = took if not rows else reference
            ratios = {"ratio": took[0] / reference[0], "processor ratio": took[1] / reference[1]}
            rows.append({"what": name, "seconds": took[0], "processor seconds": took[1], **ratios})
        show(rows, Format.TABLE, title=f"a run of {given.samples:,} samples; medians of {given.rounds}")


def seconds(call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return the median time of ``call`` by the clock, and that of the processor, its own processes included; what it prints is thrown away."""
    taken = []
    for _ in range(rounds):
        begin = (time.perf_counter(), sum(os.times()[:4]))
        with contextlib.redirect_stdout(io.StringIO()):
            call()
        taken.append((time.perf_counter() - begin[0], sum(os.times()[:4]) - begin[1]))
    clock, processor = zip(*taken, strict=True)
    return median(clock), median(processor)


def plain_bootstrap(prompts: int) -> tuple[float, float]:
    """Return the percentile interval of a mean, as plain NumPy makes it."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=prompts)
    means = [values[generator.integers(prompts, size=prompts)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def enlarged(small: Path, out: Path, samples: int) -> Path:
    """Return a run of ``samples`` prompts under ``out`` whose rows are those of the run ``small``, with noise; made where it is not there."""
    source, target = RunFolder(small), RunFolder(out / small.name)
    if target.exists():
        return target.path
    rows = source.samples().to_pylist()
    generator = np.random.default_rng(2)
    chosen = generator.integers(len(rows), size=samples)
    units = -(-samples // UNIT)
    manifest = source.manifest()
    manifest |= {"samples": samples, "units": units, "suite": {**manifest["suite"], "prompts": samples}}
    sets = [
        (scores, target.score_set(scores.scorer, scores.fingerprint, scores.columns, _described(scores.note()))) for scores in source.current_scores()
    ]
    tables = {scores.scorer: [row for unit in source.marked_units() for row in scores.rows(unit).to_pylist()] for scores, _ in sets}
    target.write_manifest(manifest)
    for unit in range(units):
        inside = range(unit * UNIT, min(samples, (unit + 1) * UNIT))
        keys = [{KEY[0]: f"prompt-{index:06d}", KEY[1]: 0} for index in inside]
        new = [{**rows[chosen[index]], **key, "unit": unit, "batch": index // 64} for index, key in zip(inside, keys, strict=True)]
        target.commit_unit(unit, new, 1.0)
        for scores, made in sets:
            table = tables[scores.scorer]
            target.commit_scores(made, unit, [{**_noisy(table[chosen[index]], generator), **key} for index, key in zip(inside, keys, strict=True)])
    return target.path


def _described(note: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in note.items() if name not in ("scorer", "fingerprint", "columns", "schema_version")}


def _noisy(row: dict[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    return {name: value + 0.01 * float(generator.normal()) if isinstance(value, float) else value for name, value in row.items()}


if __name__ == "__main__":
    main()
