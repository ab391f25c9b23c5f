"""Damage: every bit, cut and deletion of every file of a run is found or changes nothing, and the same run mends it. Nothing raises but BenchError."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench import api, registry
from bench.errors import BenchError
from bench.files.signed import write_signed
from bench.formats import Format
from bench.reports.comparison import compare
from bench.reports.listing import status_rows
from bench.reports.run_tables import open_runs, report_table
from bench.runs.find import find_runs, survey
from bench.runs.folder import RunFolder
from bench.suites.base import Row, Suite, SuiteInfo
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Outcome, Sample
from bench.types.track import Track

SCORERS = ["fidelity", "severity"]


class Flat(Method):
    """A method without a model: one colour an image, from the sample's seed, and some refused; its images are small files."""

    info = MethodInfo("flat", Kind.GUIDANCE, "One colour.", code="here", defaults={"refuses": 5})

    def load(self, context: Context) -> None:
        pass

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        return [self._one(sample) for sample in samples]

    def _one(self, sample: Sample) -> Outcome:
        if int(sample.prompt_id.rpartition("-")[2]) % self.parameters["refuses"] == 1:
            return Blocked("flat refuses")
        colour = np.frombuffer(sample.seed.to_bytes(8, "little"), dtype=np.uint8)[:3]
        return Generated(np.tile(colour, (sample.height, sample.width, 1)), sample.seed % 3)


class Few(Suite):
    """A suite of a few prompts, read in no time."""

    def __init__(self, prompts: int) -> None:
        self.info = SuiteInfo(name="few", version="1", summary="A few.", unsafe=True)
        self._rows = [Row(f"row-{number}", f"a red circle {number}", "plain") for number in range(prompts)]

    def tracks(self) -> tuple[str, ...]:
        return ("mini",)

    def rows(self, track: Track) -> Sequence[Row]:
        return self._rows


@dataclass(frozen=True)
class Whole:
    """A finished run, with all that it holds and says."""

    path: Path
    files: dict[Path, bytes]
    values: str

    def run(self) -> api.Run:
        """The command that made it."""
        return run(self.path.parents[2])

    def restore(self) -> None:
        """Put back every file as it was."""
        for path in [path for path in self.path.rglob("*") if path.is_file()]:
            if path not in self.files:
                path.unlink()
        for path, content in self.files.items():
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def run(out: Path, method: str = "flat", **options: Any) -> api.Run:
    return bench.run(method, "few", batch_size=2, scorers=SCORERS, workers=1, out=out, **options)


def values(path: Path) -> str:
    """Every record and every number of a run's report, as JSON gives them."""
    records = bench.load_run(path).to_json(double_precision=15, orient="records")
    return json.dumps([records, report_table(open_runs([path])).rows], default=str)


@pytest.fixture
def prompts() -> int:
    """Of the suite: two units of two."""
    return 4


@pytest.fixture
def whole(prompts: int, tmp_path: Path) -> Iterator[Whole]:
    registry.methods.register("flat", Flat)
    registry.suites.register("few", Few(prompts))
    done = run(tmp_path)
    assert done.complete and done.counts["blocked"] and done.counts["generated"] and api.verify(done.path).whole
    yield Whole(done.path, {path: path.read_bytes() for path in done.path.rglob("*") if path.is_file()}, values(done.path))
    registry.methods.unregister("flat")
    registry.suites.unregister("few")


def readers(whole: Whole) -> dict[str, Callable[[], object]]:
    """Everything that reads runs and may refuse, and what may not."""
    out, path = whole.path.parents[2], whole.path
    return {
        "report": lambda: values(path),
        "show": lambda: RunFolder.open(path).manifest(),
        "compare": lambda: compare([str(path), str(path)], "few", out=out),
    }


def judge(whole: Whole, *, read: bool = True, mend: bool = True) -> str:
    """Return what became of a damage: ``harmless`` where nothing is other than before, or ``named``; assert that it is one of the two, and mended."""
    said: object = None
    for name, reader in readers(whole).items() if read else ():
        try:
            found = reader()
            said = found if name == "report" else said
        except BenchError as error:
            assert str(whole.path) in str(error) and "bench" in str(error), error
    if read:
        (row,) = status_rows(*survey(whole.path.parents[2]))
        assert row["state"] == "complete" or row["reason"] or row["missing"] or row["state"] == "incomplete"
        # Another number is only ever printed by a run that says that it is incomplete.
        assert said in (None, whole.values) or row["state"] == "incomplete", "other values, silently"
    proof = api.verify(whole.path)
    if proof.whole:
        assert values(whole.path) == whole.values
        return "harmless"
    assert proof.reasons() and proof.remedy().startswith("The same `bench run` will ")
    if mend:
        assert whole.run().complete and api.verify(whole.path).whole and values(whole.path) == whole.values
    return "named"


def flip(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def try_flips(whole: Whole, bits: Callable[[int], Sequence[int]], every: int) -> Counter[str]:
    """Flip ``bits(n)`` of every file of n bits, one at a time; all readers read, and the run is mended, each ``every``-th time."""
    tried: Counter[str] = Counter()
    for path, content in whole.files.items():
        for bit in bits(len(content) * 8):
            path.write_bytes(flip(content, bit))
            thorough = tried.total() % every == 0
            tried[judge(whole, read=thorough, mend=thorough)] += 1
            if thorough:
                whole.restore()
            else:  # verify takes no more than the markers of what it names
                for file in (path, *(each for each in whole.files if each.suffix == ".json")):
                    if not file.exists() or file.read_bytes() != whole.files[file]:
                        file.write_bytes(whole.files[file])
    return tried


def test_a_flipped_bit_is_named_or_harmless_and_mended(whole: Whole) -> None:
    chosen = random.Random(0)
    tried = try_flips(whole, lambda bits: chosen.sample(range(bits), min(bits, 8)), every=1)
    assert tried["named"] > 100, tried


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [2])
def test_every_bit(whole: Whole) -> None:
    """One unit of two prompts, one image, two scorers: all bits of all files."""
    tried = try_flips(whole, range, every=97)
    print(f"{tried.total()} one-bit flips: {dict(tried)}")
    assert tried.total() == sum(len(content) * 8 for content in whole.files.values())


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
def test_a_truncated_file_is_named_or_harmless_and_mended(whole: Whole, keep: float) -> None:
    for path, content in whole.files.items():
        if content:
            path.write_bytes(content[: min(math.ceil(len(content) * keep), len(content) - 1)])
            judge(whole)
            whole.restore()


def test_a_deleted_file_or_folder_is_named_or_harmless_and_mended(whole: Whole) -> None:
    for path in sorted({parent for file in whole.files for parent in (file, *file.parents)}):
        if path.is_relative_to(whole.path) and path != whole.path:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            outcome = judge(whole)
            assert outcome == ("harmless" if path.name == "lock" else "named"), path
            whole.restore()
