"""What the engines' tests share."""

from __future__ import annotations

import pandas as pd


def equal(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Return whether two runs' records are the same to the bit."""
    return a.drop(columns="metadata").equals(b.drop(columns="metadata")) and a["metadata"].tolist() == b["metadata"].tolist()
