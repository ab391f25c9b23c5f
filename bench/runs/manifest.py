"""What a run's manifest says: written here when the run begins, and changed by :meth:`bench.runs.folder.RunFolder.update_manifest` alone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.errors import BenchError, blaming
from bench.runs.folder import RunFolder
from bench.runs.provenance import NUMERIC, git_state, machine, tf32, versions
from bench.runs.spec import RunSpec, digest
from bench.tracks.schedulers import configured
from bench.tracks.tokens import CUT, cut_prompts


def begin(folder: RunFolder, spec: RunSpec, run_id: str, units: int) -> None:
    """Write the manifest of a new run; refuse to mix numerics in an old one."""
    now = versions()
    if folder.exists():
        before = folder.manifest()["versions"]
        changed = [name for name in NUMERIC if before.get(name) != now[name]]
        if changed:
            name = changed[0]
            raise BenchError(
                f"The run {folder.path} was begun with {name} {before.get(name)}; here is {now[name]}, whose images may differ. "
                f"Install {name}=={before.get(name)} to go on, or give another --out to begin anew."
            )
        return
    suite = spec.loaded_suite
    identity = spec.identity()
    folder.write_manifest(
        {
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
            "method": {**identity["method"], **_says(spec)},
            "suite": {
                **identity["suite"],
                "unsafe": suite.info.unsafe,
                "prompts": suite.prompts,
                "total_prompts": suite.total,
                "screened_out": len(suite.excluded),
                "screened_out_sha256": list(suite.excluded),
                **_cut(spec),
            },
            "scheduler": _scheduler(spec),
            "numerics": {**asdict(spec.context.numerics), **(tf32() if spec.device.startswith("cuda") else {})},
            "proxy": spec.loaded_track.proxy,
            "safety_checker": "the method's own" if "checker" in identity["method"]["parameters"] else "off",
            "samples": len(suite.samples),
            "units": units,
            "versions": now,
            "git": git_state(),
            "machine": machine(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "scorers": {},
        }
    )


def _scheduler(spec: RunSpec) -> dict[str, Any]:
    """Return the configuration of what the method is sampled with."""
    method = spec.make_method()
    with blaming("method", spec.method, "scheduled"):
        return configured(*method.scheduled(spec.context))


def _cut(spec: RunSpec) -> dict[str, Any]:
    """Return how many of the run's prompts lose their end before they are read; empty where that cannot be told."""
    prompts = {sample.prompt_id: sample.prompt for sample in spec.loaded_suite.samples}
    found = cut_prompts(spec.loaded_track, list(prompts.values()), *spec.make_method().prompts_read_by(spec.context))
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
