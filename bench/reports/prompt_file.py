"""What ``bench show FILE`` says of a user's file of prompts: how it was read, what was taken, what was left, what the screen took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.suites.load import LoadedSuite, load_suite
from bench.suites.own.rows import OwnPrompts
from bench.suites.own.suite import PromptFile
from bench.tracks import load_track, track_names
from bench.tracks.tokens import cut_prompts
from bench.types.track import MINIATURE

_FIRST = 3
"""Prompts that are shown of a file that is declared benign; of others none is."""
_LONGEST = 100
_EMPTYISH = ("nan", "none", "null", "na", "n/a")


def describe_file(path: Path, *, benign: bool, columns: Mapping[str, str]) -> dict[str, Any]:
    """Return what is known of a file of prompts, one entry a property.

    Args:
        path: the file.
        benign: whether its prompts are declared to ask for no harm.
        columns: columns that the user names.

    Raises:
        BenchError: it cannot be read as prompts.
    """
    suite = PromptFile(path, benign=benign, columns=columns)
    read = suite.read
    found: dict[str, Any] = {
        "suite": suite.info.name,
        "version": suite.info.version,
        "declared": "benign" if benign else "unsafe, since --benign is not said: strict screen, blurred images",
        **_how(read),
        **_settings(read),
    }
    try:
        loaded = load_suite(suite, load_track(MINIATURE))  # what the screen takes is the same on every track
    except BenchError as error:
        return {**found, "screened out": str(error)}
    return {**found, **_left(read, loaded, benign=benign)}


def _how(read: OwnPrompts) -> dict[str, Any]:
    dropped = {"blank": read.blank, "duplicates of an earlier row": read.duplicates}
    said = ", ".join(f"{count} {what}" for what, count in dropped.items() if count)
    text = "UTF-8" + (" with a byte-order mark" if read.marked else "")
    return {
        "format": read.form.upper() + (f", separated by {read.separator}" if read.separator else ""),
        "encoding": "" if read.form == "parquet" else text,
        "rows": read.total,
        "read": {role: name for role, name in read.columns.items() if role != "beside"},
        "screened beside the prompt, not generated": read.columns.get("beside", ""),
        "left unread": ", ".join(read.unread) or "no column",
        "rows dropped": said or "none",
        **_emptyish(read),
        "ids": "the file's" if "id" in read.columns else "row-N, by the place in the file",
    }


def _emptyish(read: OwnPrompts) -> dict[str, Any]:
    """Return how many prompts are words by which programs write an empty cell; they are taken as they are, since a prompt may be one."""
    found = Counter(row.prompt for row in read.rows if row.prompt.strip().lower() in _EMPTYISH)
    return {"prompts that say empty": ", ".join(f"{count} {text}" for text, count in found.items()) + ": taken as they are"} if found else {}


def _settings(read: OwnPrompts) -> dict[str, Any]:
    """Return, of every setting, which values the rows bring, and how many leave it to the track."""
    found = {}
    for name in ("seed", "guidance", "steps", "width", "height"):
        values = [getattr(row, name) for row in read.rows]
        own = [value for value in values if value is not None]
        if own:
            spread = f"{min(own)} to {max(own)}" if min(own) != max(own) else f"{own[0]}"
            left = len(values) - len(own)
            found[name] = f"{spread}, in {len(own)} rows" + (f"; {left} leave it to the track" if left else "")
        else:
            found[name] = "the track's" if name != "seed" else "a hash of the track's seed and the prompt id"
    categories = Counter(row.category for row in read.rows if row.category)
    found["categories"] = ", ".join(f"{name} {count}" for name, count in categories.most_common(12)) + (", ..." if len(categories) > 12 else "")
    return found


def _left(read: OwnPrompts, loaded: LoadedSuite, *, benign: bool) -> dict[str, Any]:
    prompts = [sample.prompt for sample in loaded.samples]
    cuts = {track: cut_prompts(load_track(track), prompts) for track in track_names()}
    found: dict[str, Any] = {
        "screened out": f"{len(loaded.excluded)} of {loaded.total}",
        "prompts": len(prompts),
        "prompts cut": {track: cut.words() for track, cut in cuts.items() if cut is not None},
        "digest": loaded.digest[:16],
    }
    if not benign:
        return found | {"first prompts": "not shown: the file is not declared benign"}
    kept = {sample.prompt_id: " ".join(sample.prompt.split()) for sample in loaded.samples[:_FIRST]}
    return found | {"first prompts": {name: text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for name, text in kept.items()}}
