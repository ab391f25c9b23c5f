"""From finished runs to a bundle: what others need to check and to show them, and nothing of the machine that made them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.metrics.rows import run_rows
from bench.registry import find_method, scorers
from bench.runs.find import describe
from bench.runs.folder import RunFolder
from bench.runs.provenance import versions
from bench.runs.verify import verify
from bench.scorers.features import FeatureScorer
from bench.tracks import track_names
from bench.types.scorer import column_name
from bench.types.track import Track
from leaderboards.submissions import samples
from leaderboards.submissions.archive import INDEX, pack
from leaderboards.submissions.bundle import BundledRun
from leaderboards.submissions.paths import machine_path
from leaderboards.submissions.schema import SCHEMA, Card, Index, Listed, Manifest, Member, ResultRow, Results, parse
from leaderboards.submissions.slugs import slug
from leaderboards.submissions.verdicts import Refused

_MANIFEST = set(Manifest.model_fields)


def bundle(paths: Sequence[Path], *, name: str = "", contact: str = "", advance: Callable[[int], None] = lambda done: None) -> bytes:
    """Return the bundle of finished runs: the same bytes for the same runs.

    Args:
        paths: run folders, of any suites.
        name: the submitter's.
        contact: how to reach them.
        advance: called with the number of runs just read.

    Raises:
        BenchError: a run is not finished, does not verify, acted on no sample, lacks scores,
            names a place of this machine, or two are of one method on one suite.
    """
    listed: list[Listed] = []
    members: dict[str, bytes] = {}
    try:
        for path in paths:
            line, files = _run(path)
            listed.append(line)
            members |= {f"runs/{line.folder}/{file}": content for file, content in files.items()}
            advance(1)
        places = [(each.track, each.suite, each.method) for each in listed]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice:
            raise BenchError(f"Two of these runs are of {twice[2]} on {twice[1]} ({twice[0]}); a bundle holds one. Name the run that counts.")
        hashes = {file: Member(sha256=hashlib.sha256(content).hexdigest(), size=len(content)) for file, content in members.items()}
        index = {
            "schema_version": SCHEMA,
            "name": name,
            "contact": contact,
            "versions": versions(),
            "runs": [each.model_dump() for each in sorted(listed, key=lambda each: each.folder)],
            "members": {file: each.model_dump() for file, each in hashes.items()},
        }
        return pack({**members, INDEX: _json(parse(Index, index, INDEX).model_dump())})
    except Refused as error:
        raise BenchError(f"These runs make no valid bundle: {error}.") from None


def default_name(paths: Sequence[Path]) -> str:
    """Return a file name for the bundle of these runs: the method, and a hash of the runs' ids."""
    manifests = [RunFolder.open(path).manifest() for path in paths]
    ids = hashlib.sha256("".join(sorted(str(each["run_id"]) for each in manifests)).encode()).hexdigest()
    methods = sorted({str(each["method"]["name"]) for each in manifests})
    return f"{slug(methods[0]) if len(methods) == 1 else 'methods'}-{ids[:8]}.zip"


def _run(path: Path) -> tuple[Listed, dict[str, bytes]]:
    run = describe(RunFolder.open(path))
    if run.spec.imported:
        raise BenchError(f"The images of {path} were made elsewhere, so nobody can make samples again to check them; a bundle holds none of these.")
    if not run.complete:
        raise BenchError(f"The run {path} is not complete. Run the same `bench run` again, then submit it.")
    if run.idle and run.acted is not None:
        raise BenchError(f"The run {path} is no run of its method: {run.acted.sentence(run.spec.method)} A bundle holds none of these.")
    proof = verify(path)
    if not proof.whole:
        raise BenchError(f"The run {path} does not verify: {proof.reasons()[0].rstrip('.')}. Run the same `bench run` again, then submit it.")
    track, suite = run.spec.loaded_track, run.spec.suite
    if run.spec.track not in track_names():
        shared = ", ".join(track_names())
        raise BenchError(f"The run {path} is on {run.spec.track}, a track of your own; bundles are of the tracks that all share: {shared}.")
    if suite not in track.suites:
        shared = ", ".join(track.suites)
        raise BenchError(f"The run {path} is of {suite}, which is none of the suites of {track.name} that all share: {shared}.")
    manifest, states = _manifest(path), _scorers(run.path, track, suite)
    manifest["scorers"] = states
    records = run.records()
    kept = [column_name(scorer, column) for scorer, state in states.items() for column in state["columns"]]
    table = samples.write(records, kept)
    listed = Listed(
        folder=f"{suite}-{slug(run.spec.method)[:30]}-{manifest['run_id'][:8]}",
        track=track.name,
        suite=suite,
        method=run.spec.method,
        run_id=manifest["run_id"],
    )
    card = _card(run.spec.method, manifest["method"])
    found = {"manifest.json": _json(manifest), "method.json": _json(card), "results.json": b"{}", "samples.parquet": table}
    bundled = BundledRun(listed, found)
    for what, value in (("manifest.json", bundled.manifest.model_dump()), ("method.json", bundled.card.model_dump())):
        place = machine_path(value)
        if place is not None:
            raise BenchError(
                f"The run {path} names a place of this machine ({place!r}, in {what}), where nobody else finds anything. "
                "Publish the weights and run again with their location, such as --method unet:OWNER/NAME."
            )
    return listed, {**found, "results.json": _json(results(bundled).model_dump())}


def results(run: BundledRun) -> Results:
    """Return the numbers of a bundled run, computed from its samples, to ten significant digits; its ``results.json`` is not read."""
    found = run_rows(run.records, run.track, run.rule, run.source_manifest())
    rows = [{name: _rounded(row[name]) for name in ResultRow.model_fields} for row in found]
    return Results.model_validate({"schema_version": SCHEMA, "rule": run.rule.name, "rows": rows})


def _rounded(value: Any) -> Any:
    """Return a number to ten significant digits: sums differ in the sixteenth between machines."""
    if isinstance(value, float):
        return None if pd.isna(value) else float(f"{value:.10g}")
    return value.item() if hasattr(value, "item") else value


def _manifest(path: Path) -> dict[str, Any]:
    """Return what of a run's manifest is for others."""
    found = {key: value for key, value in RunFolder.open(path).manifest().items() if key in _MANIFEST}
    for part, fields in (("method", ("name", "version", "parameters", "weights", "source")), ("track", ("name", "base", "scheduler", "concepts"))):
        found[part] = {key: found[part][key] for key in fields if key in found[part]}
    suite = ("name", "version", "digest", "limit", "unsafe", "prompts", "total_prompts", "screened_out")
    found["suite"] = {key: found["suite"][key] for key in suite}
    return {**found, "schema_version": SCHEMA}


def _scorers(path: Path, track: Track, suite: str) -> dict[str, dict[str, Any]]:
    """Return the state of every scorer of the track that keeps numbers and not vectors.

    Raises:
        BenchError: one has not run.
    """
    here = {each.scorer: each for each in RunFolder(path).current_scores()}
    wanted = required_scorers(track, suite)
    lacking = [name for name in wanted if name not in here]
    if lacking:
        raise BenchError(f"The run {path} lacks scores of {', '.join(lacking)}, which track {track.name} has. Run `bench score {path}`.")
    states: dict[str, dict[str, Any]] = {}
    for name in sorted(wanted):
        note = here[name].note()
        states[name] = {key: note[key] for key in ("fingerprint", "version", "parameters", "weights", "source", "columns") if key in note}
    return states


def required_scorers(track: Track, suite: str) -> list[str]:
    """Return the scorers that a run on ``suite`` must have: the track's, but those that keep vectors, which are too large for a bundle."""
    return [name for name in track.scorers_on(suite) if name in scorers and not issubclass(scorers.get(name), FeatureScorer)]


def _card(name: str, identity: Mapping[str, Any]) -> dict[str, Any]:
    info = find_method(name)[0].info
    return Card(
        schema_version=1,
        name=name,
        kind=info.kind,
        summary=info.summary,
        version=info.version,
        paper=info.paper,
        code=info.code,
        licence=info.licence,
        trained_on=list(info.trained_on),
        parameters=dict(identity["parameters"]),
        weights=dict(identity["weights"]),
    ).model_dump()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
