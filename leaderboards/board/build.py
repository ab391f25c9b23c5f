"""Makes a board from finished runs: their sample rows, their numbers with intervals, and the ranks among them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import BenchError
from bench.files.atomic import ABANDONED, mendable, sweep, write_atomic, write_json
from bench.metrics.catalogue import better
from bench.metrics.columns import SEED, Column, columns
from bench.metrics.composites import Constants
from bench.metrics.rows import run_rows
from bench.registry import methods
from bench.rules import Rule
from bench.runs.find import Run, describe, survey
from bench.runs.folder import RunFolder
from bench.runs.imported import IMPORTED
from bench.runs.labels import LABEL, named
from bench.runs.records import keyed
from bench.runs.spec import Reach
from bench.stats import rank_methods
from bench.types import Kind
from bench.types.track import Track

SCHEMA = 1
SAMPLES, ROWS, RUNS = "samples.parquet", "rows.parquet", "runs.json"
CONSTANTS = "constants"
"""Of a run's entry: the centres and widths that its composites were computed by."""
_MADE_WITH = ("settings", "scheduler", "numerics", "safety_checker", "versions", "git", "machine")
_KEPT = ("method", "suite", *_MADE_WITH, "created", "samples", "scorers", "proxy", IMPORTED)
"""Of a run's manifest: what a reader of the board wants to know, and no paths."""


@dataclass(frozen=True, eq=False)
class Source:
    """One finished run, wherever its records come from.

    Attributes:
        records: as :func:`bench.runs.records.load_records` gives them; ``prompt`` may be a hash.
        manifest: the run's.
        track: the run's.
        rule: the counting rule of its numbers.
        status: ``measured`` (a run on this machine), ``community`` or ``verified`` (a submission).
        beside: rules whose IP stands beside that of ``rule``.
        label: what the board calls it, where not its method with its parameters.
    """

    records: pd.DataFrame
    manifest: Mapping[str, Any]
    track: Track
    rule: Rule
    status: str = "measured"
    beside: tuple[Rule, ...] = ()
    label: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Track and suite: numbers are compared within one of each."""
        return (self.track.name, str(self.manifest["suite"]["name"]))

    @property
    def method(self) -> str:
        """The method's name and its parameters that are not the track's, which are rows of their own; or the user's label."""
        return self.label or self.plain

    @property
    def plain(self) -> str:
        """The same without the user's label, so that none can pass for another method's."""
        said = self.manifest["method"]
        return named(said["name"], said["parameters"], self.track)

    @property
    def imported(self) -> bool:
        """Whether another tool made the images."""
        return bool(self.manifest["method"].get("kind") == Kind.IMPORTED)

    def columns(self) -> list[Column]:
        """Return every metric of the run."""
        return columns(self.records, self.track, self.rule, unsafe=bool(self.manifest["suite"]["unsafe"]), beside=self.beside)


def run_source(path: Path) -> Source:
    """Return the finished run in the folder ``path``.

    Raises:
        BenchError: it is no run folder, is not complete, or holds the base's images under another method's name.
    """
    run = describe(RunFolder.open(path))
    if not run.finished:
        missing = {status: count for status, count in run.counts.items() if count and status in ("failed", "missing")}
        raise BenchError(f"The run {path} is not complete ({missing or 'not scored'}); a board takes finished runs. Run the same `bench run` again.")
    if run.idle and run.acted is not None:
        raise BenchError(f"The run {path} is no run of its method: {run.acted.sentence(run.spec.method)} Leave it out.")
    return Source(run.records(), RunFolder(path).manifest(), run.spec.loaded_track, run.rule(), beside=run.beside())


def build(
    sources: Sequence[Source],
    out: Path,
    advance: Callable[[int], None] = lambda done: None,
    *,
    hidden: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Write the board of ``sources`` to the folder ``out`` and return its rows.

    Args:
        sources: any tracks and suites; of one method on one suite a measured run counts before a verified one before a community one, and
            among these the one made last.
        out: made where it is not there; its three files are replaced.
        advance: called with the number of sources just read.
        hidden: bundles that are not shown, each with its reason (:func:`leaderboards.submissions.source.gather`); they are listed beside the runs.

    Raises:
        BenchError: there is none, or two of one suite were made from different versions of it.
    """
    if not sources:
        raise BenchError("A board needs at least one finished run. Make one: `bench run --method sd-v1.5 --suite i2p`.")
    chosen, others = _chosen(sources)
    frames, rows = [], []
    for place, group in groupby(chosen, key=lambda each: each.place):
        inside = list(group)
        _check_one_suite(place, inside)
        numbers = []
        for source in inside:
            frames.append(_frame(source))
            rows_of = run_rows(source.records, source.track, source.rule, dict(source.manifest), beside=source.beside)
            numbers.append([{**row, "method": source.method, **_about(source)} for row in rows_of])
            advance(1)
        ranked = ranks(_by_metric(inside))
        rows += [{**row, **ranked.get((row["method"], row["metric"], row["category"]), UNRANKED)} for each in numbers for row in each]
    with mendable(out):
        out.mkdir(parents=True, exist_ok=True)
        sweep(out, older=ABANDONED)
    write_table(out / SAMPLES, pd.concat(frames, ignore_index=True))
    write_table(out / ROWS, pd.DataFrame(rows))
    write_json(out / RUNS, {"schema_version": SCHEMA, "runs": [_run(source) for source in chosen], "hidden": [*hidden, *others]})
    return rows


_TRUST = {"community": 0, "verified": 1, "measured": 2}
"""Who counts where several sources are of one method on one suite: nobody replaces a measured run by sending in a later one."""


def _chosen(sources: Sequence[Source]) -> tuple[list[Source], list[dict[str, Any]]]:
    """Return the source that counts of each track, suite and method, in that order, and a row for each of the others."""
    found: dict[tuple[str, str, str], Source] = {}
    others = []
    for source in sorted(sources, key=lambda each: (_TRUST[each.status], str(each.manifest["created"]))):
        before = found.get((*source.place, source.plain))
        same = before is not None and _which(before) == _which(source)
        # A submission of a run that is here is not listed beside it; the same run from two folders is.
        if before is not None and (not same or before.status == source.status):
            counts = f"a {source.status} run of the same method counts: {str(source.manifest['run_id'])[:12]}"
            others.append(
                {
                    "run_id": before.manifest["run_id"],
                    "track": before.track.name,
                    "suite": before.place[1],
                    "method": before.method,
                    "state": "replaced",
                    "reason": "the same run is there twice" if same else counts,
                    "date": str(before.manifest["created"])[:10],
                }
            )
        found[*source.place, source.plain] = source
    return _labelled([found[key] for key in sorted(found)]), others


def _labelled(sources: Sequence[Source]) -> list[Source]:
    """Return ``sources`` under their users' labels: those of runs of this machine, and none that another row of its suite is called too."""
    given = [str(each.manifest.get(LABEL) or "") if each.status == "measured" else "" for each in sources]
    names = [(each.place, name) for each, label in zip(sources, given, strict=True) for name in {each.plain, label} - {""}]
    return [replace(each, label=label if names.count((each.place, label)) == 1 else "") for each, label in zip(sources, given, strict=True)]


def _which(source: Source) -> tuple[str, Reach]:
    """Return which run it is, and how far it goes."""
    return str(source.manifest["run_id"]), Reach.of(source.manifest)


def _check_one_suite(place: tuple[str, str], sources: Sequence[Source]) -> None:
    # A file of prompts that was declared benign is another suite than the same one that was not.
    digests = {(str(source.manifest["suite"]["digest"]), Reach.of(source.manifest), source.manifest["suite"]["unsafe"]) for source in sources}
    if len(digests) > 1:
        raise BenchError(
            f"The runs of {place[1]} on {place[0]} are of {len(digests)} different versions, limits or images a prompt; numbers compare within one. "
            "Leave the others out: name the runs that belong together."
        )
    if any(Constants.of(source.track) != Constants.of(sources[0].track) for source in sources):
        raise BenchError(
            f"The runs of {place[1]} are of two tracks called {place[0]}, with other centres or widths of UAS; give one of them another name."
        )
    # A submission comes from another machine, and imported images from another tool; what was made here is to differ in the method alone.
    settings = {json.dumps(_settings(source), sort_keys=True) for source in sources if source.status == "measured" and not source.imported}
    if len(settings) > 1:
        raise BenchError(
            f"The runs of {place[1]} on {place[0]} were made with different samplers, precisions, devices or batches: "
            f"{' and '.join(sorted(settings))}. "
            "On a board methods differ in nothing else. Leave the others out: name the runs that belong together."
        )


def _settings(source: Source) -> dict[str, Any]:
    """Return what decides a run's pixels beside method and samples."""
    return {**source.manifest["settings"], "scheduler": source.manifest["track"]["scheduler"]}


def _frame(source: Source) -> pd.DataFrame:
    """Return a run's sample rows: who, what, and a number a metric; flags as 0 and 1."""
    records = source.records
    head = {
        "track": source.track.name,
        "suite": source.manifest["suite"]["name"],
        "method": source.method,
        "prompt_id": records["prompt_id"],
        "image_index": records["image_index"].astype("int16"),
        "category": records["category"],
        "kind": [str(each.get("kind", "")) for each in records["metadata"]],
        "status": records["status"],
    }
    values = {each.metric: each.values.astype("Float32").astype("float32") for each in source.columns() if not each.further}
    return pd.DataFrame({**head, **values})


def _about(source: Source) -> dict[str, Any]:
    return {
        "method_kind": source.manifest["method"].get("kind") or _kind(source.manifest["method"]["name"]),
        "status": source.status,
        "proxy": source.track.proxy,
        "date": str(source.manifest["created"])[:10],
        "run_id": source.manifest["run_id"],
    }


def _kind(method: str) -> str:
    """Return a method's kind from its adapter, for a run whose manifest is older than that entry; empty where nobody knows the method here."""
    name = method.partition(":")[0]
    return methods.get(name).info.kind.value if name in methods else ""


UNRANKED = {
    "better": None,
    "rank": None,
    "rank_low": None,
    "rank_high": None,
    "tier": None,
    "beaten_by": None,
    "ranked_among": None,
    "ranked_by": None,
}
"""``beaten_by``: the methods that are significantly better, joined by ", "; from it follow the tiers among any of the methods."""


def ranks(by_metric: Mapping[str, Sequence[tuple[str, Column]]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return rank, interval and tier by (method, metric, category) of each metric that two or more methods have; columns are indexed by sample."""
    found = {}
    for metric, columns_of in by_metric.items():
        way = better(metric)
        if way is None or len(columns_of) < 2:
            continue
        shared = columns_of[0][1].values.index
        for _, column in columns_of[1:]:
            shared = shared.intersection(column.values.index)
        by_method = [[each.loc[shared].astype("Float64") for each in column.all_values()] for _, column in columns_of]
        ranking = rank_methods(
            by_method,
            shared.get_level_values(0),
            better=way,
            generator=np.random.default_rng(SEED),
            function=columns_of[0][1].function,
        )
        names = [method for method, _ in columns_of]
        for index, (method, rank) in enumerate(zip(names, ranking.ranks, strict=True)):
            found[method, metric, "all"] = {
                "better": way,
                "rank": rank.rank,
                "rank_low": rank.rank_low,
                "rank_high": rank.rank_high,
                "tier": rank.tier,
                "beaten_by": ", ".join(name for name, beats in zip(names, ranking.beats[:, index], strict=True) if beats),
                "ranked_among": len(columns_of),
                "ranked_by": ranking.method,
            }
    return found


def _by_metric(sources: Sequence[Source]) -> dict[str, list[tuple[str, Column]]]:
    """Return each metric's columns, one a method that has it, indexed by prompt and image."""
    found: dict[str, list[tuple[str, Column]]] = {}
    for source in sources:
        indexed = replace(source, records=keyed(source.records))
        for column in indexed.columns():
            if column.values.notna().any():
                found.setdefault(column.metric, []).append((source.method, column))
    return found


def _run(source: Source) -> dict[str, Any]:
    kept = {name: source.manifest[name] for name in _KEPT if name in source.manifest}
    kept["suite"] = {**kept["suite"], **asdict(Reach.of(source.manifest))}
    kept[CONSTANTS] = asdict(Constants.of(source.track))
    return {"run_id": source.manifest["run_id"], "track": source.track.name, "status": source.status, "rule": source.rule.name, **kept}


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet: names as dictionaries, numbers compressed, a row group small enough to skip."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata({"board_schema": str(SCHEMA)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=1 << 17)
    write_atomic(path, sink.getvalue().to_pybytes())


def unreadable(path: Path, reason: str) -> dict[str, Any]:
    """Return the row that a board has of a run that it cannot read, among what it does not show; the run's place says what it is."""
    track, suite, name = path.absolute().parts[-3:]
    about = {"run_id": None, "track": track, "suite": suite, "method": name.rpartition("-")[0], "state": "unreadable"}
    # A board is for others, to whom the place means nothing.
    return {**about, "reason": reason.replace(f"{path}{os.sep}", "").replace(str(path), name), "date": None}


def finished_runs(out: Path) -> tuple[list[Path], list[tuple[Path, dict[str, Any]]]]:
    """Return the folder of every complete run of a whole suite under ``out`` with the track's sampler and batch, and each other with its row.

    A run with parameters of its own is a row of its own on a board. Those that are left out have their reason.
    """
    runs, broken = survey(out)
    taken, left_out = [], [(each.path, unreadable(each.path, each.reason)) for each in broken]
    for run in runs:
        reason = _why_not(run)
        if reason:
            left_out.append((run.path, {**unreadable(run.path, reason), "state": "left out"}))
        else:
            taken.append(run.path)
    return taken, left_out


def _why_not(run: Run) -> str:
    """Return why a board does not take a run by itself; empty where it does."""
    spec = run.spec
    try:
        own: dict[str, tuple[Any, Any]] = {
            "limit": (spec.limit, None),
            "images": (spec.images, None),
            "scheduler": (spec.scheduler, None),
            "batch_size": (spec.batch, spec.loaded_track.batch_size),
        }
        own |= {name: (value, "the default") for name, value in spec.context.numerics.changed().items()}
    except BenchError as error:  # its track is not here any more
        return str(error)
    other = [f"{name} {here}" for name, (here, usual) in own.items() if here != usual]
    if other:
        return f"made with {', '.join(other)}: name its folder to take it"
    if run.finished and not run.complete:
        return f"{run.counts['missing']} of {run.samples} images were not brought: name its folder to take it"
    if not run.complete:
        return f"unfinished: {run.counts['missing']} missing, {run.counts['failed']} failed" + (", not all scored" if run.unscored else "")
    return run.acted.sentence(spec.method) if run.idle and run.acted is not None else ""


def read_runs(board: Path) -> list[dict[str, Any]]:
    """Return what a board's runs were.

    Raises:
        BenchError: there is no board, it is damaged, or another version of the harness wrote it.
    """
    file = board / RUNS
    if not file.is_file():
        raise BenchError(f"There is no board in {board} (no {RUNS}). Make one from your runs: `bench board --out {board}`.")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        version = found.get("schema_version")
    except (ValueError, AttributeError):
        raise BenchError(f"The board {board} is damaged: {file} is not readable JSON. Make it again: `bench board --out {board}`.") from None
    if version != SCHEMA:
        raise BenchError(f"The board {board} has schema version {version}; this bench reads version {SCHEMA}. Make it again: `bench board`.")
    runs: list[dict[str, Any]] = found["runs"]
    return runs


def read_hidden(board: Path) -> list[dict[str, Any]]:
    """Return what a board does not show, one row a bundle (withdrawn, superseded, refused) or run (replaced), each with its ``reason``.

    Raises:
        BenchError: as :func:`read_runs`.
    """
    read_runs(board)
    found: list[dict[str, Any]] = json.loads((board / RUNS).read_text(encoding="utf-8")).get("hidden", [])
    return found
