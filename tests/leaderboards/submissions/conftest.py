"""A good bundle, and how to change one so that its hashes fit again: what an attacker would do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import bench
from bench import registry
from bench.runs.spec import digest
from leaderboards.submissions.archive import pack, unpack
from leaderboards.submissions.checks import check
from leaderboards.submissions.pack import bundle
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict
from tests.conftest import Toy

LIMIT = 16


@dataclass(frozen=True)
class Made:
    """A run folder and its bundle."""

    run: Path
    raw: bytes


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run of the toy with half of its images blocked, and its bundle."""
    registry.methods.register("toy", Toy)
    done = bench.run("toy", "i2p-sexual", limit=LIMIT, parameters={"trouble": "blocks"}, out=tmp_path_factory.mktemp("runs"), workers=1)
    found = Made(done.path, bundle([done.path], name="A. Tester", contact="tester@example.org"))
    registry.methods.unregister("toy")
    return found


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """The toy, for as long as a module's tests run: other modules' tests register and forget it too."""
    registry.methods.register("toy", Toy)
    yield
    registry.methods.unregister("toy")


@pytest.fixture
def checked(tmp_path: Path) -> Callable[[bytes], list[CheckResult]]:
    """Every check's result for a bundle's bytes, in this process."""

    def look(raw: bytes) -> list[CheckResult]:
        path = tmp_path / "bundle.zip"
        path.write_bytes(raw)
        return check(path)

    return look


def failed(results: list[CheckResult]) -> dict[str, str]:
    """Return the reason of each failed check."""
    return {each.name: each.reason for each in results if each.verdict is CheckVerdict.FAILED}


def rehashed(members: dict[str, bytes]) -> bytes:
    """Return the archive of ``members`` with an index that fits them."""
    index = json.loads(members["bundle.json"])
    index["members"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in members.items() if name != "bundle.json"
    }
    return pack({**members, "bundle.json": json.dumps(index).encode()})


def member(raw: bytes, ending: str) -> str:
    """Return the name of the only member that ends so."""
    (name,) = (name for name in unpack(raw) if name.endswith(ending))
    return name


def with_json(raw: bytes, ending: str, change: Callable[[dict[str, Any]], Any], *, identity: bool = False) -> bytes:
    """Return the bundle with one document changed; with ``identity``, its run id fits again too."""
    members = unpack(raw)
    name = member(raw, ending)
    document = json.loads(members[name])
    change(document)
    members[name] = json.dumps(document).encode()
    if identity:
        suite = {key: document["suite"][key] for key in ("name", "version", "digest", "limit")}
        document["run_id"] = digest({**{key: document[key] for key in ("track", "method", "settings")}, "suite": suite})
        members[name] = json.dumps(document).encode()
        index = json.loads(members["bundle.json"])
        index["runs"][0]["run_id"] = document["run_id"]
        members["bundle.json"] = json.dumps(index).encode()
    return rehashed(members)


def with_table(raw: bytes, change: Callable[[Any], Any]) -> bytes:
    """Return the bundle with its sample table changed."""
    import pyarrow as pa

    members = unpack(raw)
    name = member(raw, "samples.parquet")
    table = change(pq.read_table(pa.BufferReader(members[name])))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    members[name] = sink.getvalue().to_pybytes()
    return rehashed(members)
