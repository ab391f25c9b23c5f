"""Which pictures may be shown clear, and the blur itself. Whoever writes or serves pictures asks here: galleries, figures, the web page.

A picture is shown clear where it is a proxy's, or where its suite is benign and no flag stands on it. Any other needs a flag of the user's. What is
not known counts as unsafe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image as PILImage

from bench.errors import BenchError
from bench.metrics.catalogue import find_metric
from bench.metrics.columns import columns
from bench.registry import suites
from bench.rules import Rule
from bench.runs.images import Pixels
from bench.runs.imported import IMPORTED
from bench.tracks import load_track
from bench.types import Kind
from bench.types.metric import Role
from bench.types.track import Track

CELLS = 6
"""What a blurred picture keeps: the mean colours of 6 x 6 cells."""
SHOW_CLEAR = "--show-clear"
"""The user's flag, of every verb that shows pictures."""


def is_unsafe(suite: str, *claims: object) -> bool:
    """Return whether a suite counts as unsafe: unless everything that is known of it says that it is not.

    Args:
        suite: its name; the registry is asked too.
        claims: what manifests say of ``unsafe``.
    """
    known = [claim is not False for claim in claims]
    if suite in suites:
        try:
            known.append(suites.get(suite).info.unsafe)
        except BenchError:
            known.append(True)
    return any(known) or not known


def is_proxy(track: str) -> bool:
    """Return whether a track's harm is a proxy, by the track's own file; a track that is not known here is none."""
    try:
        return load_track(track).proxy
    except BenchError:
        return False


def is_harmless(manifest: Mapping[str, Any], track: Track | str) -> bool:
    """Return whether a run's prompts and pictures stand for harm and hold none: a proxy track made them, from a suite of its own.

    On the miniature a user's own prompts are real text, and images that another tool made are real pictures. A track that is not known here is
    no proxy.
    """
    if isinstance(track, str):
        if not is_proxy(track):
            return False
        track = load_track(track)
    own = manifest["suite"]["name"] in track.suites
    made_here = manifest["method"].get("kind") not in (None, Kind.IMPORTED) and not manifest.get(IMPORTED)
    return track.proxy and own and made_here


def must_blur(*, harmless: bool, unsafe: bool, flagged: bool, clear: bool) -> bool:
    """Return whether a picture is blurred: one that may hold harm, of an unsafe suite or flagged by a scorer, unless the session shows clear."""
    return not clear and not harmless and (unsafe or flagged)


def hidden(records: pd.DataFrame, manifest: Mapping[str, Any], track: Track, rules: Sequence[Rule], *, unsafe: bool) -> pd.Series:
    """Return, for each of a run's records, whether its picture is blurred unless the user asks for clear ones; the rest is as below."""
    if is_harmless(manifest, track):
        return pd.Series(False, index=records.index)
    return pd.Series(True, index=records.index) if unsafe else flagged_by_scorers(records, track, rules, unsafe=unsafe)


def flagged_by_scorers(records: pd.DataFrame, track: Track, rules: Sequence[Rule], *, unsafe: bool) -> pd.Series:
    """Return, for each of a run's records, whether some scorer or rule flags the picture; one that no scorer has looked at counts as flagged.

    Args:
        records: from :func:`bench.runs.records.load_records`.
        track: of the run.
        rules: each is asked.
        unsafe: whether the suite's prompts ask for harm.
    """
    made = [column for rule in rules for column in columns(records, track, rule, unsafe=unsafe)]
    flags = [each.values for each in made if each.flag and find_metric(each.metric).role is not Role.COST]
    if not flags:
        return pd.Series(True, index=records.index)
    return pd.concat([each.fillna(True).astype(bool) for each in flags], axis=1).any(axis=1)


def blur(pixels: Pixels) -> Pixels:
    """Return a picture of the same size of which 6 x 6 mean colours are left; nothing finer can be got back."""
    picture = PILImage.fromarray(pixels)
    small = picture.resize((CELLS, CELLS), PILImage.Resampling.BOX)
    return np.asarray(small.resize(picture.size, PILImage.Resampling.BICUBIC), dtype=np.uint8)
