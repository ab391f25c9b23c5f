"""What a run's manifest says: written here when the run begins, and again from what is left where it was lost; proven by what it describes.

Otherwise :meth:`bench.runs.folder.RunFolder.update_manifest` alone changes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.errors import BenchError, Damaged, blaming
from bench.runs.acting import ACTED, total
from bench.runs.folder import RunFolder
from bench.runs.imported import IMPORTED
from bench.runs.labels import LABEL
from bench.runs.provenance import NUMERIC, git_state, machine, tf32, versions
from bench.runs.sources import SOURCE
from bench.runs.spec import RAISED, Reach, RunSpec, digest
from bench.tracks.schedulers import configured
from bench.tracks.tokens import CUT, cut_prompts
from bench.types.sample import key_of

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "track": (),
    "method": ("name", "version", "parameters", "weights", SOURCE),
    "suite": ("name", "version", "digest", "limit"),
    "settings": (),
}
"""Of a manifest: what its run id is the hash of; of each part these entries, or all."""


def begin(folder: RunFolder, spec: RunSpec, run_id: str) -> RunSpec:
    """Bring the manifest up to date: of a new run, of one whose manifest was lost or damaged, or of one that says what is not so.

    What of a lost run was finished is kept where its markers say that it is of this run; what cannot be known to be is made again.
    Returned is the run as far as it has ever been asked to go, of which ``spec`` may be a part: its units are made as they are in that.

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
        _adopt(folder, run_id, imported=spec.imported)
        spec = spec.to(spec.reach.joined(_held(folder, spec)))
        folder.write_manifest(_whole(spec, run_id) | _left(folder, spec))
        return spec
    if REOPENED in before:
        spec = spec.to(spec.reach.joined(_held(folder, spec)))
        made = {name: value for name, value in before.items() if name in _MADE}
        folder.write_manifest({**_whole(spec, run_id), **made})
    else:
        spec = spec.to(spec.reach.joined(Reach.of(before)))
        folder.update_manifest(**grown(before, spec))
    folder.update_manifest(**acted_on(folder, spec))
    folder.sign_markers(before)
    return spec


def grown(before: Mapping[str, Any], spec: RunSpec) -> dict[str, Any]:
    """Return what of a manifest is otherwise once the run goes as far as ``spec``."""
    facts = described(spec, cut=spec.reach != Reach.of(before))
    return {**facts, "suite": {**before["suite"], **facts["suite"]}, "spec": {**before["spec"], **asked_for(spec)}}


def asked_for(spec: RunSpec) -> dict[str, Any]:
    """Return how far a run goes, as its manifest's spec states it."""
    reach = spec.reach
    return {"limit": reach.limit, **({} if reach.images is None else {"images": reach.images})}


def _held(folder: RunFolder, spec: RunSpec) -> Reach:
    """Return how far the finished units of a run go, by their tables."""
    suite = spec.loaded_suite
    place = {prompt: at for at, prompt in enumerate(dict.fromkeys(sample.prompt_id for sample in suite.whole), start=1)}
    limit = images = 0
    for unit in folder.readable_markers():
        with suppress(Damaged):
            for prompt, image in map(key_of, folder.unit_rows(unit)):
                limit, images = max(limit, place.get(prompt, 0)), max(images, image + 1)
    if not limit:
        return spec.reach
    return Reach(None if limit == suite.screened else limit, images if images > suite.info.images_per_prompt else None)


REOPENED = "reopened"
"""Of a manifest: `bench verify` found that it says what is not so."""
_MADE = ("versions", "git", "machine", "created", "written_anew", "scorers", "sessions", ACTED, IMPORTED, LABEL)
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
    derived |= {"suite.name": spec.loaded_suite.info.name, "suite.version": spec.loaded_suite.info.version, "suite.limit": spec.id_limit}
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


def _whole(spec: RunSpec, run_id: str) -> dict[str, Any]:
    """Return the manifest of a new run."""
    identity, facts = spec.identity(), described(spec)
    return {
        "run_id": run_id,
        "spec": {
            "method": spec.method,
            "suite": spec.suite,
            "track": spec.track,
            "parameters": dict(spec.parameters),
            **asked_for(spec),
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
        **({} if spec.imported else _sampled(spec)),
        "versions": versions(),
        "git": git_state(),
        "machine": machine(),
        "created": _now(),
        "scorers": {},
    }


def _sampled(spec: RunSpec) -> dict[str, Any]:
    """Return how the images are sampled."""
    return {
        "scheduler": _scheduler(spec),
        "numerics": {**asdict(spec.context.numerics), **(tf32() if spec.device.startswith("cuda") else {})},
        "safety_checker": "the method's own" if "checker" in spec.make_method().parameters else "off",
    }


def _adopt(folder: RunFolder, run_id: str, *, imported: bool) -> None:
    """Keep of a run whose manifest was lost what its markers say to be of it; the rest will be made again."""
    for unit, marker in folder.readable_markers().items():
        if marker.get("run_id") == run_id:
            if not imported:
                _check_numerics(folder, marker["versions"])
        else:
            folder.reopen(unit)


def _left(folder: RunFolder, spec: RunSpec) -> dict[str, Any]:
    """Return what a manifest that was written anew can say of what is left of the run; nothing where the run is new."""
    markers = folder.readable_markers()
    if not markers:
        return {}
    scores = Counter(each.scorer for each in folder.score_sets())
    only = {each.scorer: each.fingerprint for each in folder.score_sets() if scores[each.scorer] == 1}
    # When and where the images were made stood in the manifest alone.
    return {"scorers": only, "written_anew": _now(), **acted_on(folder, spec)}


def acted_on(folder: RunFolder, spec: RunSpec) -> dict[str, Any]:
    """Return on how many samples the method acted; nothing while some are missing, which a sum would lack."""
    markers = folder.readable_markers()
    whole = sum(marker["samples"] for marker in markers.values()) == len(spec.loaded_suite.samples)
    acted = total(markers.values()) if whole else None
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
    if spec.imported:
        return {}
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
