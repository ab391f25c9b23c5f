"""What a run's manifest says: written here when the run begins, and again from what is left where it was lost; proven by what it describes.

Otherwise :meth:`bench.runs.folder.RunFolder.update_manifest` alone changes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.errors import BenchError, Damaged, blaming
from bench.runs.acting import ACTED, total
from bench.runs.folder import RunFolder
from bench.runs.labels import LABEL
from bench.runs.provenance import NUMERIC, git_state, machine, tf32, versions
from bench.runs.sources import SOURCE
from bench.runs.spec import RAISED, RunSpec, digest
from bench.tracks.schedulers import configured
from bench.tracks.tokens import CUT, cut_prompts

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "track": (),
    "method": ("name", "version", "parameters", "weights", SOURCE),
    "suite": ("name", "version", "digest", "limit"),
    "settings": (),
}
"""Of a manifest: what its run id is the hash of; of each part these entries, or all."""


def begin(folder: RunFolder, spec: RunSpec, run_id: str, units: int) -> None:
    """Bring the manifest up to date: of a new run, of one whose manifest was lost or damaged, or of one that says what is not so.

    What of a lost run was finished is kept where its markers say that it is of this run; what cannot be known to be is made again.

    Raises:
        BenchError: another version of the harness wrote it, the folder holds another run, or what was finished was made with other numerics.
    """
    try:
        before = folder.manifest()
    except Damaged:
        before = None
    if before is not None and before["run_id"] != run_id:
        if id_of(before) == before["run_id"] and before["run_id"][:8] == run_id[:8]:
            raise BenchError(f"The folder {folder.path} holds another run, whose id begins alike ({before['run_id'][:16]}). Give another --out.")
        before = None
    if before is None or id_of(before) != run_id:
        _adopt(folder, run_id)
        folder.write_manifest(_whole(spec, run_id, units) | _left(folder, units))
        return
    if REOPENED in before:
        new = _whole(spec, run_id, units)
        made = {name: value for name, value in before.items() if name in _MADE}
        folder.write_manifest({**new, **made})
    else:
        facts = described(spec, cut=False)
        folder.update_manifest(**{**facts, "suite": {**before["suite"], **facts["suite"]}})
    folder.update_manifest(**_acted(folder, units))
    folder.sign_markers(before)


REOPENED = "reopened"
"""Of a manifest: `bench verify` found that it says what is not so."""
_MADE = ("versions", "git", "machine", "created", "written_anew", "scorers", "sessions", ACTED, LABEL)
"""Of a manifest: what no spec says."""


def reopen(folder: RunFolder) -> None:
    """Have the next run write again what of the manifest follows from the spec."""
    folder.update_manifest(**{REOPENED: True})


def same_numerics(folder: RunFolder) -> None:
    """Refuse to go on with a run under other numerics than it was begun with.

    Raises:
        BenchError: a package that may give other pixels is of another version.
    """
    _check_numerics(folder, folder.manifest()["versions"])


def id_of(manifest: Mapping[str, Any]) -> str:
    """Return the run id that follows from what a manifest says of the run."""
    found: dict[str, Any] = {}
    for part, names in IDENTITY.items():
        said = manifest[part]
        found[part] = {name: said.get(name) for name in names if name != SOURCE or name in said} if names else said
    return digest(found)


def contradictions(manifest: Mapping[str, Any], spec: RunSpec, markers: Iterable[Mapping[str, Any]] | None) -> list[str]:
    """Return what a manifest says that is not so: of the run's id, its settings, its suite, its counts and its flags.

    Args:
        manifest: as it was read.
        spec: what it says that the run is.
        markers: of every unit; None where one is not finished, so that nothing can be summed.
    """
    found = []
    if id_of(manifest) != manifest["run_id"]:
        found.append("its run_id is not the hash of its track, method, suite and settings")
    stated = {**_flat(manifest), "method": manifest["method"]["name"], "track": manifest["track"]["name"], "settings": manifest["settings"]}
    # Of what the bench raises where it gives other images than it did: the bench's of then.
    settings = {name: value for name, value in spec.settings().items() if name not in RAISED}
    settings |= {name: value for name, value in manifest["settings"].items() if name in RAISED}
    derived = {**_flat(described(spec)), "method": spec.method, "track": spec.loaded_track.name, "settings": settings}
    derived |= {"suite.name": spec.loaded_suite.info.name, "suite.version": spec.loaded_suite.info.version, "suite.limit": spec.limit}
    acted = None if markers is None else total(markers)
    derived[ACTED] = asdict(acted) if acted else None
    for name, value in derived.items():
        if name in OPTIONAL and (value is None or stated.get(name) is None):
            continue
        if stated.get(name) != value:
            found.append(f"{name} is {_short(stated.get(name))} and must be {_short(value)}")
    return found


OPTIONAL = (ACTED, f"suite.{CUT}")
"""Of a manifest: not there where it is not known, or where the harness that made the run did not ask."""


def described(spec: RunSpec, *, cut: bool = True) -> dict[str, Any]:
    """Return what of a manifest follows from suite and track: counts, what the child-safety screen took, flags.

    ``cut``: also how many prompts the base's tokenizers cut, for which every prompt is tokenized.
    """
    suite = spec.loaded_suite
    return {
        "suite": {
            "digest": suite.digest,
            "unsafe": suite.info.unsafe,
            "prompts": suite.prompts,
            "total_prompts": suite.total,
            "screened_out": len(suite.excluded),
            "screened_out_sha256": list(suite.excluded),
            **(_cut(spec) if cut else {}),
        },
        "proxy": spec.loaded_track.proxy,
        "samples": len(suite.samples),
        "units": len(spec.units),
    }


def _flat(manifest: Mapping[str, Any]) -> dict[str, Any]:
    suite = {f"suite.{name}": value for name, value in manifest["suite"].items()}
    return {**{name: value for name, value in manifest.items() if name != "suite"}, **suite}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _whole(spec: RunSpec, run_id: str, units: int) -> dict[str, Any]:
    """Return the manifest of a new run."""
    identity, facts = spec.identity(), described(spec)
    return {
        "run_id": run_id,
        "spec": {
            "method": spec.method,
            "suite": spec.suite,
            "track": spec.track,
            "parameters": dict(spec.parameters),
            "limit": spec.limit,
            "batch_size": spec.batch_size,
            "device": spec.device,
            "dtype": spec.dtype,
            "scheduler": spec.scheduler,
            "numerics": dict(spec.numerics),
        },
        **identity,
        **facts,
        "method": {**identity["method"], **_says(spec)},
        "suite": {**identity["suite"], **facts["suite"]},
        "scheduler": _scheduler(spec),
        "numerics": {**asdict(spec.context.numerics), **(tf32() if spec.device.startswith("cuda") else {})},
        "safety_checker": "the method's own" if "checker" in identity["method"]["parameters"] else "off",
        "units": units,
        "versions": versions(),
        "git": git_state(),
        "machine": machine(),
        "created": _now(),
        "scorers": {},
    }


def _adopt(folder: RunFolder, run_id: str) -> None:
    """Keep of a run whose manifest was lost what its markers say to be of it; the rest will be made again."""
    for unit, marker in folder.readable_markers().items():
        if marker.get("run_id") == run_id:
            _check_numerics(folder, marker["versions"])
        else:
            folder.reopen(unit)


def _left(folder: RunFolder, units: int) -> dict[str, Any]:
    """Return what a manifest that was written anew can say of what is left of the run; nothing where the run is new."""
    markers = folder.readable_markers()
    if not markers:
        return {}
    scores = Counter(each.scorer for each in folder.score_sets())
    only = {each.scorer: each.fingerprint for each in folder.score_sets() if scores[each.scorer] == 1}
    # When and where the images were made stood in the manifest alone.
    return {"scorers": only, "written_anew": _now(), **_acted(folder, units)}


def _acted(folder: RunFolder, units: int) -> dict[str, Any]:
    """Return on how many samples the method acted; nothing while a unit is missing, whose samples a sum would lack."""
    markers = folder.readable_markers()
    acted = total(markers.values()) if len(markers) == units else None
    return {ACTED: asdict(acted)} if acted else {}


def _check_numerics(folder: RunFolder, before: Mapping[str, str]) -> None:
    now = versions()
    changed = next((name for name in NUMERIC if before.get(name) != now[name]), None)
    if changed:
        raise BenchError(
            f"The run {folder.path} was begun with {changed} {before.get(changed)}; here is {now[changed]}, whose images may differ. "
            f"Install {changed}=={before.get(changed)} to go on, or give another --out to begin anew."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _scheduler(spec: RunSpec) -> dict[str, Any]:
    """Return the configuration of what the method is sampled with."""
    method = spec.make_method()
    with blaming("method", spec.method, "scheduled"):
        return configured(*method.scheduled(spec.context))


def _cut(spec: RunSpec) -> dict[str, Any]:
    """Return how many of the run's prompts lose their end before they are read; empty where that cannot be told."""
    prompts = {sample.prompt_id: sample.prompt for sample in spec.loaded_suite.samples}
    method = spec.make_method()
    with blaming("method", spec.method, "prompts_read_by"):
        tokenizers, added = method.prompts_read_by(spec.context)
    found = cut_prompts(spec.loaded_track, list(prompts.values()), tokenizers, added)
    return {} if found is None else {CUT: asdict(found)}


def _says(spec: RunSpec) -> dict[str, Any]:
    """Return what a method says of itself, for the run's manifest: not part of what decides the images."""
    method = spec.make_method()
    info = method.info
    with blaming("method", spec.method, "info"):
        found = {
            "passed": method.passed,
            "kind": info.kind.value,
            "summary": info.summary,
            "paper": info.paper,
            "code": info.code,
            "licence": info.licence,
            "trained_on": list(info.trained_on),
        }
        digest(found)  # what the manifest cannot hold is refused before it is begun
    return found
