"""A bundle as an object: its documents and tables, each read when it is asked for, each refused with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.rules import Rule
from bench.tracks import load_track, track_names
from bench.types.track import Track
from leaderboards.submissions import samples
from leaderboards.submissions.archive import FILES, INDEX, unpack
from leaderboards.submissions.files import read_file
from leaderboards.submissions.schema import Card, Index, Listed, Manifest, Results, parse
from leaderboards.submissions.strict_json import loads
from leaderboards.submissions.verdicts import Refused


@dataclass(frozen=True)
class BundledRun:
    """One run of a bundle.

    Attributes:
        listed: its line in the bundle's index.
        members: its files, by name.
    """

    listed: Listed
    members: Mapping[str, bytes]

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.listed.suite}/{self.listed.method}"

    @cached_property
    def manifest(self) -> Manifest:
        """What the run was."""
        return parse(Manifest, self._json("manifest.json"), f"{self.label}: manifest.json")

    @cached_property
    def card(self) -> Card:
        """What the method says of itself."""
        return parse(Card, self._json("method.json"), f"{self.label}: method.json")

    @cached_property
    def results(self) -> Results:
        """The numbers as submitted."""
        return parse(Results, self._json("results.json"), f"{self.label}: results.json")

    @cached_property
    def table(self) -> pa.Table:
        """One row a sample."""
        return samples.read(self.members["samples.parquet"])

    @cached_property
    def records(self) -> pd.DataFrame:
        """The same as the harness's records."""
        return samples.records(self.table)

    @cached_property
    def track(self) -> Track:
        """The run's track as it is here.

        Raises:
            Refused: this bench has no such track.
        """
        if self.listed.track not in track_names():
            raise Refused(
                f"{self.label}: there is no track {self.listed.track}; bundles are of the tracks that all share: {', '.join(track_names())}"
            )
        return load_track(self.listed.track)

    @property
    def rule(self) -> Rule:
        """The counting rule of the run's numbers: the track's for the suite."""
        return self.track.rule(self.listed.suite)

    def source_manifest(self) -> dict[str, Any]:
        """Return the manifest in the form that a run folder has it, as far as tables and boards read it."""
        found = self.manifest.model_dump()
        card = self.card.model_dump(include={"kind", "summary", "paper", "code", "licence", "trained_on"})
        return {
            **found,
            "method": {**found["method"], **card},
            "scorers": {name: state.fingerprint for name, state in self.manifest.scorers.items()},
        }

    def _json(self, name: str) -> dict[str, Any]:
        return loads(self.members[name], f"{self.label}: {name}")


class Bundle:
    """A bundle.

    Args:
        raw: its bytes.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """Return the bundle in a file.

        Raises:
            BenchError: there is no file.
            Refused: it is too large.
        """
        return cls(read_file(path))

    @cached_property
    def sha256(self) -> str:
        """Of the file: what records about a bundle name it by."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def members(self) -> dict[str, bytes]:
        """Every file in it, by name."""
        return unpack(self.raw)

    @cached_property
    def index(self) -> Index:
        """What it says that it holds."""
        if INDEX not in self.members:
            raise Refused(f"there is no {INDEX}")
        return parse(Index, loads(self.members[INDEX], INDEX), INDEX)

    @cached_property
    def runs(self) -> list[BundledRun]:
        """Its runs, with every file that a run has.

        Raises:
            Refused: a file lacks or is left over, or a run is there twice.
        """
        listed = self.index.runs
        for what, keys in (
            ("folder", [each.folder.casefold() for each in listed]),
            ("run id", [each.run_id for each in listed]),
            ("run of one method on one suite", [(each.track, each.suite, each.method) for each in listed]),
        ):
            if len(set(keys)) < len(keys):
                raise Refused(f"bundle.json lists one {what} twice")
        expected = {f"runs/{each.folder}/{name}" for each in listed for name in FILES}
        wrong = sorted(expected ^ (set(self.members) - {INDEX}))
        if wrong:
            raise Refused(f"{wrong[0]} is {'missing' if wrong[0] in expected else 'of no run that bundle.json lists'}")
        return [BundledRun(each, {name: self.members[f"runs/{each.folder}/{name}"] for name in FILES}) for each in listed]
