"""How long the leaderboard takes to open a large board: makes a synthetic one and times what its pages read.

    python benchmarks/board.py                            # 100 methods, 10 suites, 3,000 samples each: 3 million sample rows
    python benchmarks/board.py --out hundred              # keeps it; then: bench leaderboard --board hundred

The numbers in it are random; what `bench board` would compute (ranks, intervals) is filled in, so that only reading is timed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.files.atomic import write_json
from bench.formats import Format, show
from bench.metrics.catalogue import better
from leaderboards.app import frames
from leaderboards.board.build import ROWS, RUNS, SAMPLES, SCHEMA
from leaderboards.board.read import Board

TRACK = "mini"
SUITES = ("i2p", "i2p-sexual", "nsfw56k-sexual", "sneakyprompt", "mma", "pickapic", "hpd", "drawbench", "coco30k", "dev-benign")
UNSAFE = SUITES[:5]
METRICS = ("ip", "glyphs", "q16", "pickscore", "clipscore_mini", "aesthetic", "fidelity", "severity", "sc", "uas_per_image", "blocked")
FLAGS = ("ip", "glyphs", "q16", "blocked")
KINDS = ("base", "filter", "guidance", "edit", "fine-tune", "preference")
CATEGORIES = ("hate", "harassment", "violence", "self-harm", "sexual", "shocking", "illegal activity")


def make(out: Path, methods: int, samples: int, seed: int = 1) -> int:
    """Write a synthetic board to ``out`` and return how many sample rows it has."""
    generator = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    names = [f"method-{index:03d}" for index in range(methods)]
    rows, runs, total = [], [], 0
    with pq.ParquetWriter(out / SAMPLES, _schema(), compression="zstd") as file:
        for suite in SUITES:
            for index, name in enumerate(names):
                frame = _samples(generator, suite, name, samples, quality=index / methods)
                file.write_table(pa.Table.from_pandas(frame, schema=_schema(), preserve_index=False))
                run_id = generator.bytes(32).hex()
                rows += _rows(frame, suite, name, index, run_id, methods)
                runs.append(_run(suite, name, index, run_id, samples))
                total += len(frame)
    pd.DataFrame(rows).to_parquet(out / ROWS, compression="zstd")
    write_json(out / RUNS, {"schema_version": SCHEMA, "runs": runs})
    return total


def _schema() -> pa.Schema:
    head = [(name, pa.string()) for name in ("track", "suite", "method", "prompt_id")]
    middle = [("image_index", pa.int16()), *((name, pa.string()) for name in ("category", "kind", "status"))]
    return pa.schema([*head, *middle, *((name, pa.float32()) for name in METRICS)])


def _samples(generator: np.random.Generator, suite: str, method: str, count: int, quality: float) -> pd.DataFrame:
    head = {
        "track": TRACK,
        "suite": suite,
        "method": method,
        "prompt_id": [f"{suite}-{index:04d}" for index in range(count)],
        "image_index": np.zeros(count, dtype=np.int16),
        "category": np.resize(CATEGORIES, count),
        "kind": "",
        "status": "generated",
    }
    values = {name: generator.random(count) < quality if name in FLAGS else generator.normal(quality, 1, count) for name in METRICS}
    return pd.DataFrame({**head, **{name: column.astype(np.float32) for name, column in values.items()}})


def _rows(frame: pd.DataFrame, suite: str, method: str, index: int, run_id: str, methods: int) -> list[dict[str, object]]:
    about = {"method_kind": KINDS[index % len(KINDS)], "status": "measured", "proxy": True, "date": "2026-01-01", "run_id": run_id}
    found = []
    groups = [("all", frame), *((name, frame[frame["category"] == name]) for name in CATEGORIES)]
    for metric in METRICS:
        for category, part in groups if metric == "ip" and suite in UNSAFE else groups[:1]:
            value = float(part[metric].mean())
            way = better(metric) if category == "all" else None
            place = {"rank": index + 1, "rank_low": max(1, index - 3), "rank_high": min(methods, index + 5), "tier": 1 + index // 5} if way else {}
            number = {"value": value, "value_low": value - 0.02, "value_high": value + 0.02, "n": len(part), "prompts": len(part), "excluded": 0}
            said = {"unit": "of images" if metric in FLAGS else "score", "interval": "none: synthetic", "count": None, "rule": "glyphs-q16"}
            where = {"track": TRACK, "suite": suite, "method": method, "metric": metric, "category": category}
            ranked = {"better": way, "ranked_among": methods if way else None, "ranked_by": None}
            found.append({**where, **number, **said, **about, "rank": None, "rank_low": None, "rank_high": None, "tier": None, **place, **ranked})
    return found


def _run(suite: str, method: str, index: int, run_id: str, samples: int) -> dict[str, object]:
    counts = {"prompts": samples, "total_prompts": samples, "screened_out": 0, "screened_out_sha256": [], "limit": None}
    return {
        "run_id": run_id,
        "track": TRACK,
        "status": "measured",
        "rule": "glyphs-q16",
        "method": {"name": method, "kind": KINDS[index % len(KINDS)], "parameters": {}, "version": "1", "weights": {}},
        "suite": {"name": suite, "version": "1", "digest": "0" * 64, "unsafe": suite in UNSAFE, **counts},
        "created": "2026-01-01T00:00:00+00:00",
        "samples": samples,
        "proxy": True,
    }


def measure(folder: Path) -> list[dict[str, object]]:
    """Return how long each reading takes, from nothing remembered."""
    found: list[dict[str, object]] = []

    def timed(what: str, begin: float, rows: int) -> None:
        found.append({"what": what, "seconds": time.perf_counter() - begin, "rows": rows})

    begin = time.perf_counter()
    rows = Board(folder).rows()
    timed("Board: read every number", begin, len(rows))
    begin = time.perf_counter()
    table = frames.board_table(rows, TRACK, SUITES[0], ranked_by="ip", benign=SUITES[5:])
    timed("Board: make its table", begin, len(table))
    begin = time.perf_counter()
    part = Board(folder).samples(["ip", "pickscore", "sc"], track=TRACK, suite=SUITES[0], method="method-000")
    timed("Run: read one run's samples", begin, len(part))
    begin = time.perf_counter()
    part = Board(folder).samples(["ip", "pickscore"], track=TRACK, suite=SUITES[0])
    timed("Trade-off: read a suite's samples", begin, len(part))
    return found


def main() -> None:
    """Make the board and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--methods", type=int, default=100)
    parser.add_argument("--samples", type=int, default=3000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.out or Path(place)
        total = make(folder, given.methods, given.samples)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
        show(measure(folder), Format.TABLE, title=f"a board of {total:,} sample rows, {size:.0f} MiB")


if __name__ == "__main__":
    main()
