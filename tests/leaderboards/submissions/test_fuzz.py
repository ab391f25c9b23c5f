"""Seeded mutations of a good bundle: never an exception, never a pass that is not deserved, nothing written."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboards.submissions import validate
from leaderboards.submissions.archive import unpack
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict
from tests.leaderboards.submissions.conftest import Made, failed, member, rehashed

Checked = Callable[[bytes], list[CheckResult]]

FREE = {"name", "contact", "versions", "git", "machine", "created", "summary", "paper", "code", "licence", "trained_on", "numerics", "scheduler"}
FREE |= {"safety_checker"}
"""Keys whose values nothing in a bundle contradicts: what a submitter says of himself and of the method."""

VALUES = [None, True, 0, -1, 10**18, 1e308, "", "x", "0" * 64, "<b>", "../..", [], {}, [[]], {"a": 1}]


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one slice changed, removed, doubled or inserted."""
    start = chance.randrange(len(raw))
    length = chance.choice([1, 1, 2, 4, 16, 300])
    piece = raw[start : start + length]
    new = chance.choice([chance.randbytes(len(piece)), b"", piece * 2, chance.randbytes(length) + piece, bytes(len(piece))])
    return raw[:start] + new + raw[start + length :]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value that is no object or list."""
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [each for key, inner in pairs for each in leaves(inner, (*path, key))]
    return [path]


def check_bytes(raw: bytes, checked: Checked, chance: random.Random) -> None:
    other = mutated(raw, chance)
    if other != raw:
        results = checked(other)
        assert failed(results), "a changed byte passed"
        sane(results)


def check_document(raw: bytes, checked: Checked, chance: random.Random) -> None:
    members = unpack(raw)
    name = chance.choice(sorted(name for name in members if name.endswith(".json")))
    document = json.loads(members[name])
    path = chance.choice([path for path in leaves(document) if path[0] != "members"])
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    before, inside[path[-1]] = inside[path[-1]], chance.choice(VALUES)
    results = checked(rehashed({**members, name: json.dumps(document).encode()}))
    sane(results)
    if not FREE & set(map(str, path)) and inside[path[-1]] != before:
        assert failed(results), (name, path, inside[path[-1]])


def sane(results: list[CheckResult]) -> None:
    for each in results:
        assert each.reason and each.reason.isprintable() and len(each.reason) <= 400
        assert each.verdict in CheckVerdict


@pytest.mark.parametrize("seed", range(3))
def test_mutations(made: Made, checked: Checked, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(150):
        check_bytes(made.raw, checked, chance)
    for _ in range(8):
        check_document(made.raw, checked, chance)


READ = """
import sys
from pathlib import Path
from leaderboards.submissions.samples import read
from leaderboards.submissions.verdicts import Refused
for path in Path(sys.argv[1]).iterdir():
    try:
        read(path.read_bytes())
    except Refused as error:
        assert str(error)
"""


def read_mutated(made: Made, folder: Path, seed: int, times: int) -> None:
    """Read mutations of the sample table in a process of its own: a library that breaks on one would take the tests along."""
    raw, chance = unpack(made.raw)[member(made.raw, "samples.parquet")], random.Random(seed)
    for index in range(times):
        (folder / f"{index}.parquet").write_bytes(mutated(raw, chance))
    subprocess.run([sys.executable, "-c", READ, str(folder)], check=True, timeout=300)


def test_mutated_tables_are_read_or_refused(made: Made, tmp_path: Path) -> None:
    read_mutated(made, tmp_path, 0, 100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_mutations(made: Made, checked: Checked, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3000):
        check_bytes(made.raw, checked, chance)
    for _ in range(150):
        check_document(made.raw, checked, chance)
    (tmp_path / "bundle.zip").unlink()
    read_mutated(made, tmp_path, seed, 2000)


@pytest.mark.slow
def test_mutated_tables_with_fitting_hashes_in_the_process_of_its_own(made: Made, tmp_path: Path) -> None:
    chance = random.Random(7)
    name, path = member(made.raw, "samples.parquet"), tmp_path / "bundle.zip"
    for _ in range(40):
        members = unpack(made.raw)
        members[name] = mutated(members[name], chance)
        path.write_bytes(rehashed(members))
        sane(validate(path))
        assert list(tmp_path.iterdir()) == [path]
