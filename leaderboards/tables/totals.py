"""Table 3's totals: a board has each part by itself, and a sum's interval is not the sum of intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.metrics.columns import SEED
from bench.stats import function_of_means, rank_methods
from bench.types.sample import KEY
from leaderboards.tables.layout import PARTS, TOTAL

COLUMNS = tuple(f"part {part}" for part in PARTS)


def total_rows(samples: pd.DataFrame) -> pd.DataFrame:
    """Return one row a method of one suite, as a board's rows are: the parts of all its images together.

    Args:
        samples: the suite's sample rows, with the columns ``part BR`` and so on; an image that lacks one is excluded.

    Returns:
        ``count`` is the total, ``value`` the mean an image with its bootstrap interval of prompts (none where all images have as many);
        ranked among the methods where there are two or more, on the samples that all of them have.
    """
    keyed = samples.assign(total=samples[list(COLUMNS)].sum(axis=1, skipna=False))
    rows = []
    for method, group in keyed.groupby("method", sort=True):
        known = group["total"].notna()
        if not known.any():
            continue
        generator = np.random.default_rng(SEED)
        found = function_of_means(lambda average: average, [group["total"].astype("float64")], group["prompt_id"], generator=generator)
        rows.append(
            {
                "method": method,
                "metric": TOTAL,
                "value": found.value,
                "value_low": found.low,
                "value_high": found.high,
                "n": found.n,
                "excluded": found.excluded,
                "interval": found.method,
                "count": int(group["total"].sum()),
                "beaten_by": None,
            }
        )
    if len(rows) > 1:
        _rank(keyed, rows)
    return pd.DataFrame(rows)


def _rank(keyed: pd.DataFrame, rows: list[dict[str, object]]) -> None:
    """Add to each row the methods that have significantly fewer parts."""
    wide = keyed.pivot(index=KEY, columns="method", values="total")
    names = [str(row["method"]) for row in rows]
    wide = wide[names].dropna()
    if wide.empty:
        return
    ranking = rank_methods(
        [[wide[name].astype("float64")] for name in names],
        wide.index.get_level_values(0),
        better="lower",
        generator=np.random.default_rng(SEED),
    )
    for index, row in enumerate(rows):
        row["beaten_by"] = ", ".join(name for name, beats in zip(names, ranking.beats[:, index], strict=True) if beats)
