"""A run's records as one DataFrame: a row a sample, with every scorer's columns beside it."""

from __future__ import annotations

import json

import pandas as pd

from bench.store.run_folder import RunFolder, ScoreSet

KEY = ["prompt_id", "image_index"]


def column_name(scorer: str, column: str) -> str:
    """Return the name of a scorer's column in the records: ``clipscore``, ``q16_inappropriate``, ``glyphs_detections``."""
    return column if column == scorer or column.startswith(f"{scorer}_") else f"{scorer}_{column}"


def current_scores(folder: RunFolder) -> list[ScoreSet]:
    """Return the score sets that the manifest names as current, one a scorer; older fingerprints stay on disk unread."""
    current = folder.manifest().get("scorers", {})
    return [scores for scores in folder.score_sets() if current.get(scores.scorer) == scores.fingerprint]


def load_records(folder: RunFolder) -> pd.DataFrame:
    """Return the records of every completed unit; a score that is not there is missing (NaN or None).

    Raises:
        BenchError: a table is missing, damaged or of another schema version.
    """
    frame = folder.samples().to_pandas()
    frame["metadata"] = [json.loads(text) for text in frame["metadata"]]
    for scores in current_scores(folder):
        table = folder.scores(scores)
        if table is None:
            continue
        columns = {column: column_name(scores.scorer, column) for column in scores.columns}
        frame = frame.merge(table.to_pandas().rename(columns=columns), on=KEY, how="left", validate="one_to_one")
    return frame
