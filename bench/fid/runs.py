"""The features that a run has stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.fid.networks import Network, hash_of
from bench.runs.find import describe
from bench.runs.folder import RunFolder
from bench.scorers.features import FeatureScorer
from bench.stats.distances import Features
from bench.types.sample import KEY


@dataclass(frozen=True, slots=True)
class RunFeatures:
    """A run as one side of a distance.

    Attributes:
        features: of its images, with their prompts.
        network: that they are of.
        excluded: images of the run that are not among them.
    """

    features: Features
    network: Network
    excluded: int


def run_features(folder: RunFolder, kind: type[FeatureScorer], *, blocked_as_black: bool) -> RunFeatures:
    """Return a finished run's features by the scorer ``kind``.

    Args:
        folder: the run.
        kind: from :func:`bench.fid.networks.find_network`.
        blocked_as_black: count a blocked image as the black one that a user would see; False leaves it out.

    Raises:
        BenchError: samples or features are missing, or a table is damaged.
    """
    run = describe(folder)
    lacking = run.counts["failed"] + run.counts["missing"]
    if lacking and not run.finished:  # an import may lack images for good
        raise BenchError(
            f"The run {folder.path} is incomplete: {lacking} of {run.samples} images are not there. Finish it with the same `bench run`."
        )
    name = kind.info.name
    scores = next((each for each in folder.current_scores() if each.scorer == name), None)
    if scores is None or folder.unscored_units(scores):
        raise BenchError(f"The run {folder.path} lacks features of {name}. Run: bench score {folder.path} --scorer {name}")
    table = folder.scores(scores)
    assert table is not None  # a finished run has units, and all of them are scored
    column = table["features"].combine_chunks()
    values = column.flatten().to_numpy().reshape(len(column), -1)
    rows = pd.DataFrame({key: table[key].to_pandas() for key in KEY}).merge(folder.samples().to_pandas()[[*KEY, "status"]], on=KEY, how="left")
    kept = np.full(len(rows), True) if blocked_as_black else (rows["status"] == "generated").to_numpy()
    clusters = rows["prompt_id"].to_numpy()[kept]
    return RunFeatures(Features(values[kept], clusters), Network(kind, scores.fingerprint, hash_of(scores.note()["weights"])), int((~kept).sum()))
