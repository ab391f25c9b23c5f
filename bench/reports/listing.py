"""Rows for ``bench ls``, ``show``, ``status`` and ``verify``. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, did_you_mean
from bench.registry import methods, scorers, suites
from bench.rules import RULES, Rule
from bench.suites.from_files.dataset import brought
from bench.suites.own.place import ENDINGS, own_file
from bench.tracks import load_track, track_names
from bench.types.suite import Suite

if TYPE_CHECKING:
    from bench.runs.find import Run, Unreadable
    from bench.runs.regenerate import Regenerated
    from bench.runs.verify import Proof

KINDS = ("methods", "suites", "scorers", "tracks", "rules")


def rows(what: str) -> list[dict[str, Any]]:
    """Return one row a registered thing of kind ``what``.

    Raises:
        BenchError: there is no such kind.
    """
    match what:
        case "methods":
            return [{"method": name, "kind": each.info.kind.value, "summary": each.info.summary} for name, each in methods.items()]
        case "suites":
            return [
                {"suite": name, "unsafe": each.info.unsafe, "tracks": list(each.tracks()), "summary": each.info.summary}
                for name, each in suites.items()
            ]
        case "scorers":
            return [
                {"scorer": name, "proxy": each.info.proxy, "columns": list(each.info.columns), "summary": each.info.summary}
                for name, each in scorers.items()
            ]
        case "tracks":
            return [{"track": name, "proxy": load_track(name).proxy, "summary": load_track(name).summary} for name in track_names()]
        case "rules":
            return [_rule(rule) for rule in dict.fromkeys(RULES.values())]
        case _:
            raise did_you_mean("list", what, list(KINDS))


def describe(name: str, *, benign: bool = False, columns: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return one row a property of the run folder, method, suite, scorer, track or rule called ``name``, or of a file of prompts.

    A rule may share its name with what it belongs to (``i2p`` is a suite and a rule): ``rule:i2p`` is the rule, and the suite's rows say so.

    Raises:
        BenchError: nothing is called so.
    """
    from bench.runs.folder import RunFolder

    if RunFolder.is_run(Path(name)):
        return _properties(RunFolder.open(Path(name)).manifest())
    known = sorted({*methods.names(), *suites.names(), *scorers.names(), *track_names(), *RULES})
    if (file := _prompts(name, known)) is not None:
        from bench.reports.prompt_file import describe_file

        return _properties(describe_file(file, benign=benign, columns=columns or {}))
    if benign or columns:
        raise BenchError(f"--benign and --column are for a file of prompts; {name!r} is none. Leave them out.")
    kind, _, ruled = name.partition(":")
    found = asdict(RULES[ruled]) if kind == "rule" and ruled in RULES else _registered(name)
    if name in RULES:
        found = {**found, "also": f"a rule; run `bench show rule:{name}`"} if found else asdict(RULES[name])
    if not found:
        raise did_you_mean("method, suite, scorer, track, rule, run or file of prompts", name, known)
    return _properties(found)


def _prompts(name: str, known: Sequence[str]) -> Path | None:
    """Return the file of prompts that ``name`` is the path of; None where it is something else."""
    if name in known or name.endswith((".yaml", ".yml")):
        return None
    called = name.lower().removesuffix(".gz").endswith(ENDINGS)
    if not called and not Path(name).expanduser().is_file():
        return None
    return own_file(name, known)


def _registered(name: str) -> dict[str, Any]:
    """Return what the method, suite, scorer or track called ``name`` says of itself; nothing where there is none."""
    if name in methods:
        info = methods.get(name).info
        # As JSON: what `--set` takes, and a parameter that the track decides (null) is not left out as empty.
        return {**asdict(info), "defaults": {parameter: json.dumps(value) for parameter, value in info.defaults.items()}}
    if name in suites:
        return _suite(suites.get(name))
    if name in scorers:
        return asdict(scorers.get(name).info)
    if name in track_names() or name.endswith((".yaml", ".yml")):
        return load_track(name).model_dump()
    return {}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "detector": rule.detector,
        "threshold": rule.detection_threshold,
        "q16": rule.q16_threshold,
        "inferred": rule.inferred,
        "summary": rule.summary,
    }


def _suite(suite: Suite) -> dict[str, Any]:
    """Return what is known of a suite; of a variant that the user brings, also what was added and what the screen took of it."""
    from bench.reports.needs import state

    found = {
        **asdict(suite.info),
        "seeds": suite.info.seeds.sentence(),
        "tracks": list(suite.tracks()),
        "prompts cut": _cut(suite),
    }
    real = brought(suite)
    return found if real is None else {**found, "real tracks": state(real)}


def _cut(suite: Suite) -> dict[str, str]:
    """Return how many prompts each track's base cuts, for the tracks whose prompts and tokenizers are here."""
    from bench.suites.load import load_suite
    from bench.tracks.tokens import cut_prompts

    found = {}
    for track in (load_track(name) for name in suite.tracks() if name in track_names()):
        if cut_prompts(track, []) is None:  # before a large suite is read for nothing
            continue
        with suppress(BenchError):  # what lacks its data says so below
            prompts = {sample.prompt_id: sample.prompt for sample in load_suite(suite.info.name, track).samples}
            cut = cut_prompts(track, list(prompts.values()))
            if cut is not None:
                found[track.name] = cut.words()
    return found


def _properties(values: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Return nested mappings as flat rows with dotted names; what is empty is left out."""
    found: list[dict[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _properties(value, f"{prefix}{name}.")
        elif value not in ("", (), [], None):
            found.append({"property": f"{prefix}{name}", "value": str(value)})
    return found


def status_rows(runs: Sequence[Run], unreadable: Sequence[Unreadable] = ()) -> list[dict[str, Any]]:
    """Return one row a run: what it is and how far it got; of one that cannot be read, where it lies and why. By path."""
    from bench.runs.labels import labels_of

    rows: list[dict[str, Any]] = [
        {
            "track": run.spec.track,
            "suite": run.spec.suite,
            "method": run.spec.method,
            "label": label,
            "state": "complete" if run.complete else "incomplete",
            "samples": run.samples,
            **run.counts,
            "reason": "the missing images were not brought" if run.finished and not run.complete else "",
            "run": str(run.path),
        }
        for run, label in zip(runs, labels_of(runs), strict=True)
    ]
    unknown = dict.fromkeys(("samples", "generated", "blocked", "failed", "missing"))
    for each in unreadable:
        track, suite, name = each.path.parts[-3:]  # what its place says, since nothing else does
        method = name.rpartition("-")[0]
        said = {"track": track, "suite": suite, "method": method, "label": method, "state": "unreadable"}
        rows.append({**said, **unknown, "reason": each.reason, "run": str(each.path)})
    return sorted(rows, key=lambda row: str(row["run"]))


def verdict_rows(verdict: Proof, again: Sequence[Regenerated]) -> list[dict[str, Any]]:
    """Return what ``bench verify`` found, one row a check."""
    found: list[dict[str, Any]] = [{"check": "suite", "result": verdict.suite_since}] if verdict.suite_since else []
    found += [
        {"check": "samples standing, whole and proven", "result": f"{verdict.standing} of {verdict.samples}"},
        {"check": "samples failed", "result": str(verdict.failed)},
        *([{"check": "images that were not brought", "result": str(verdict.absent)}] if verdict.absent else []),
        {"check": "units not finished", "result": str(len(verdict.missing_units))},
        {"check": "units damaged", "result": str(len(verdict.damaged))},
        {"check": "score tables damaged", "result": str(len(verdict.damaged_scores))},
        {"check": "units without scores", "result": ", ".join(f"{units} of {name}" for name, units in verdict.unscored.items()) or "0"},
        {"check": "what the manifest says and is not so", "result": str(len(verdict.manifest))},
        {"check": "files written before files were hashed", "result": str(verdict.unproven)},
        {"check": "image files that no sample names", "result": str(verdict.unreferenced)},
    ]
    if verdict.older:
        found.append({"check": "scores that are not current, not read and not proven", "result": ", ".join(verdict.older)})
    found += [{"check": f"damaged unit {unit}", "result": wrong} for unit, wrong in verdict.damaged.items()]
    found += [{"check": "damaged scores", "result": wrong} for wrong in verdict.damaged_scores]
    found += [{"check": "manifest", "result": wrong} for wrong in verdict.manifest]
    if again:
        identical = sum(each.identical for each in again)
        largest = max((each.largest for each in again if each.largest is not None), default=0)
        agreed = sum(each.agrees for each in again)
        found.append({"check": "made again", "result": f"{agreed} of {len(again)} agree, {identical} bit for bit, largest difference {largest}/255"})
    return found
