"""A run's records as one DataFrame: a row a sample, with every scorer's columns beside it, but those of vectors, which are no number to report."""

from __future__ import annotations

import json

import pandas as pd

from bench.errors import BenchError
from bench.rules import Rule
from bench.runs.folder import RunFolder
from bench.runs.tables import UNSCORED
from bench.types.sample import KEY
from bench.types.scorer import column_name


def check_rule(folder: RunFolder, rule: Rule, *, asked: bool) -> None:
    """Refuse a rule that the run's stored scores cannot answer.

    Args:
        folder: the run.
        rule: what is to be applied.
        asked: True where the user named the rule or a threshold. The track's own rule needs no scores: what lacks them is left out of the table.

    Raises:
        BenchError: a scorer that the rule reads has not run, or its stored detections begin above the rule's threshold.
    """
    stored = {scores.scorer: scores for scores in folder.current_scores()}
    for scorer in (rule.detector,) if rule.q16_threshold is None else (rule.detector, "q16"):
        if asked and scorer not in stored:
            raise BenchError(
                f"The rule {rule.name} reads {scorer}, and the run {folder.path} has no scores of it. "
                f"Run `bench score {folder.path} --scorer {scorer}`, or choose another rule (`bench ls rules`)."
            )
    if rule.detector not in stored:
        return
    floor = stored[rule.detector].note()["parameters"].get("floor")
    if floor is None and asked:
        raise BenchError(
            f"The run {folder.path} does not say from which score on {rule.detector} kept its detections, so no rule can be chosen for it. "
            f"Run `bench score {folder.path} --scorer {rule.detector}`; the scorer must have a parameter `floor`."
        )
    if floor is not None and rule.detection_threshold < floor:
        raise BenchError(
            f"The rule {rule.name} counts detections from {rule.detection_threshold} on, and the run {folder.path} holds those of {rule.detector} "
            f"from {floor} on. Choose a threshold of at least {floor}, or score again with a lower `floor` in the track."
        )


def load_records(folder: RunFolder) -> pd.DataFrame:
    """Return the records of every completed unit; a score that is not there is missing (NaN or None).

    Raises:
        BenchError: a table is missing, damaged or of another schema version.
    """
    markers = folder.markers()
    frame = folder.samples(markers).to_pandas(use_threads=False)
    frame["metadata"] = json.loads(f"[{','.join(frame['metadata'])}]")  # one call reads them three times as fast as one a row
    for scores in folder.current_scores():
        table = folder.scores(scores, vectors=False, markers=markers)
        if table is None:
            continue
        columns = {column: column_name(scores.scorer, column) for column in (*scores.columns, UNSCORED) if column in table.column_names}
        frame = _beside(frame, table.to_pandas(use_threads=False).rename(columns=columns))
    return frame


def _beside(frame: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with a scorer's columns; most tables have the samples' own order, and need no search for their rows."""
    if len(scores) == len(frame) and all(scores[name].equals(frame[name]) for name in KEY):
        return pd.concat([frame, scores.drop(columns=KEY)], axis=1)
    return frame.merge(scores, on=KEY, how="left", validate="one_to_one")


def keyed(records: pd.DataFrame) -> pd.DataFrame:
    """Return records indexed by what identifies a sample, for pairing those of several runs."""
    return records.set_index(KEY, drop=False).rename_axis([None, None])
