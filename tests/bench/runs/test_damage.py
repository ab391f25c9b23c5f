"""Damage: every bit, cut and deletion of every file of a run is found or changes nothing; the same run mends it; readers raise BenchError alone."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import bench
from bench import api, registry
from bench.errors import BenchError
from bench.files.signed import write_signed
from bench.reports.comparison import compare
from bench.reports.listing import describe, status_rows
from bench.reports.run_tables import open_runs, report_table
from bench.runs.find import find_runs, survey
from bench.runs.folder import RunFolder
from bench.runs.manifest import id_of
from bench.suites.base import Row, Suite, SuiteInfo
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Outcome, Sample
from bench.types.track import Track
from leaderboards.board.build import finished_runs, run_source

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
    records = bench.load_run(path).records().to_json(double_precision=15, orient="records")
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


def read_all(whole: Whole) -> tuple[str | None, list[str]]:
    """Read a run in every way that may refuse it; return its values where they can be had, and each refusal."""
    out, path = whole.path.parents[2], whole.path
    refused, found = [], []
    for reader in (
        lambda: found.append(values(path)),
        lambda: describe(str(path)),
        lambda: compare([str(path), str(path)], "few", out=out),
        lambda: finished_runs(out),
        lambda: run_source(path),
    ):
        try:
            reader()
        except BenchError as error:
            refused.append(str(error))
    return (found[0] if found else None), refused


def judge(whole: Whole, *, read: bool = True, mend: bool = True) -> str:
    """Return what became of a damage: ``harmless`` where nothing is other than before, or ``named``; assert that it is one of the two, and mended."""
    if read:
        said, refused = read_all(whole)
        assert all(str(whole.path) in each and "bench run" in each for each in refused), refused
        (row,) = status_rows(*survey(whole.path.parents[2]))
        assert bool(row["reason"]) == (row["state"] == "unreadable")
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
        print(f"{path.relative_to(whole.path)}: {len(content)} bytes; so far {dict(tried)}", flush=True)
    return tried


def test_a_flipped_bit_is_named_or_harmless_and_mended(whole: Whole) -> None:
    chosen = random.Random(0)
    tried = try_flips(whole, lambda bits: chosen.sample(range(bits), min(bits, 3)), every=1)
    assert tried["named"] > 40, tried


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [2])
def test_every_bit(whole: Whole) -> None:
    """One unit of two prompts, one image, two scorers: all bits of all files."""
    tried = try_flips(whole, range, every=97)
    print(f"{tried.total()} one-bit flips: {dict(tried)}")
    assert tried.total() == sum(len(content) * 8 for content in whole.files.values())


@pytest.mark.parametrize("keep", [0.5, *(pytest.param(keep, marks=pytest.mark.slow) for keep in (0.0, 1.0))])
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


class Killed(BaseException):
    """No handler of errors sees it."""


@pytest.mark.parametrize("when", ["before", pytest.param("after", marks=pytest.mark.slow)])
def test_a_run_that_ends_at_any_write_goes_on_to_the_same_values(whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """At every file that is named: its temporary file is there and not the file, or the file is and nothing after it."""
    replace = os.replace
    left = 0

    def ends(old: str, new: Path) -> None:
        nonlocal left
        left -= 1
        if when == "after" or left:
            replace(old, new)
        if not left:
            raise Killed

    monkeypatch.setattr(os, "replace", ends)
    for point in range(1, 100):
        out, left = tmp_path / f"killed-{point}", point
        try:
            run(out)
        except Killed:
            (out / "mini" / "few" / whole.path.name / ".tmp-left").touch()
            left = 0
            assert run(out).complete and api.verify(out / "mini" / "few" / whole.path.name).whole
            assert values(out / "mini" / "few" / whole.path.name) == whole.values.replace(str(whole.path.parents[2]), str(out))
        else:
            break
    assert point > len(whole.files)  # every file, and the manifest more than once


def test_one_damaged_run_is_a_row_of_its_own(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    out = whole.path.parents[2]
    other = run(out, parameters={"refuses": 4})
    (whole.path / "manifest.json").write_bytes(b"\xff{")
    rows = {row["run"]: row for row in status_rows(*survey(out))}
    assert rows[str(other.path)]["state"] == "complete"
    row = rows[str(whole.path)]
    assert (row["track"], row["suite"], row["method"], row["state"], row["samples"]) == ("mini", "few", "flat", "unreadable", None)
    assert "was damaged: it is not readable JSON. Run the same `bench run` (of imported images the same `bench import`) again" in row["reason"]
    assert [each.path for each in find_runs(out)] == [other.path]
    assert f"left out: {whole.path}: The manifest at" in " ".join(capsys.readouterr().err.split()).replace("- ", "-")


def edit(path: Path, **changes: Any) -> None:
    """Change entries of a document, its hash with them: what no reader can see."""
    content = {name: value for name, value in json.loads(path.read_text()).items() if name != "sha256"}
    write_signed(path, {**content, **changes})


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("run_id", "0" * 64, "its run_id is not the hash"),
        ("samples", 5, "samples is 5 and must be 4"),
        ("units", 1, "units is 1 and must be 2"),
        ("proxy", False, "proxy is False and must be True"),
        ("acted", {"samples": 0, "of": 4, "steps": 0}, "acted is"),
        ("settings", {"batch_size": 2, "device": "cpu", "dtype": "float16"}, "its run_id is not the hash"),
        ("suite.unsafe", False, "suite.unsafe is False and must be True"),
        ("suite.prompts", 3, "suite.prompts is 3 and must be 4"),
        ("suite.total_prompts", 9, "suite.total_prompts is 9 and must be 4"),
        ("suite.screened_out", 1, "suite.screened_out is 1 and must be 0"),
        ("suite.screened_out_sha256", ["0" * 64], "suite.screened_out_sha256 is"),
        ("suite.cut", {"prompts": 4, "of": 4, "longest": 99, "limit": 16}, "suite.cut is"),
        ("suite.digest", "0" * 64, "its run_id is not the hash"),
        ("suite.limit", 4, "its run_id is not the hash"),
        ("method.weights", {"a": "0"}, "its run_id is not the hash"),
        ("spec.dtype", "float16", "settings is"),
    ],
)
def test_what_the_manifest_says_is_proven_and_written_again(whole: Whole, entry: str, value: Any, said: str) -> None:
    file = whole.path / "manifest.json"
    part, _, name = entry.rpartition(".")
    edit(file, **({part: {**json.loads(file.read_text())[part], name: value}} if part else {name: value}))
    proof = api.verify(whole.path)
    assert not proof.whole and any(said in each for each in proof.manifest), proof.manifest
    assert "write the manifest anew" in proof.remedy()
    whole.run()
    assert api.verify(whole.path).whole and values(whole.path) == whole.values
    assert {**json.loads(file.read_text()), "written_anew": 0, "sha256": 0, "created": 0, "sessions": 0} == {
        **json.loads(whole.files[file]),
        "written_anew": 0,
        "sha256": 0,
        "created": 0,
        "sessions": 0,
    }


def test_a_lost_manifest_is_written_again_and_no_image_is(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole.path / "manifest.json").unlink()
    proof = api.verify(whole.path)
    assert (proof.standing, proof.samples, len(proof.manifest)) == (4, 4, 1) and not proof.whole
    monkeypatch.setattr(Flat, "load", lambda *given: pytest.fail("what is finished is not made again"))
    assert whole.run().complete and values(whole.path) == whole.values
    manifest = RunFolder(whole.path).manifest()
    assert manifest["written_anew"] and set(manifest["scorers"]) == set(SCORERS)
    assert manifest["acted"] == json.loads(whole.files[whole.path / "manifest.json"])["acted"]


def test_of_a_lost_run_only_what_is_its_own_is_kept(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's name has eight digits of the id: a unit of another run may lie there."""
    edit(whole.path / "units" / "00000.json", run_id="0" * 64)
    assert "of another run" in api.verify(whole.path).damaged[0]
    whole.restore()
    edit(whole.path / "units" / "00000.json", run_id="0" * 64)
    (whole.path / "manifest.json").unlink()
    made: list[int] = []
    original = Flat.generate
    monkeypatch.setattr(Flat, "generate", lambda self, samples: made.append(len(samples)) or original(self, samples))
    assert whole.run().complete and made == [2] and values(whole.path) == whole.values


def test_a_damaged_run_under_a_name_of_ones_own_is_listed(whole: Whole) -> None:
    path = whole.path.rename(whole.path.with_name("mine"))
    (path / "manifest.json").write_bytes(b"{")
    runs, unreadable = survey(path.parents[2])
    path.rename(whole.path)
    assert runs == [] and [each.path for each in unreadable] == [path]


def test_a_folder_of_another_run_is_left_alone(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ids that begin alike are too rare to be found, so that the hash is one here."""
    file = whole.path / "manifest.json"
    method = {**json.loads(file.read_text())["method"], "version": "another"}
    manifest = {**RunFolder(whole.path).manifest(), "method": method}
    alike = manifest["run_id"][:8] + id_of(manifest)[8:]
    edit(file, method=method, run_id=alike)
    monkeypatch.setattr("bench.runs.manifest.id_of", lambda manifest: alike)
    with pytest.raises(BenchError, match=r"holds another run, whose id begins alike .* Give another --out"):
        whole.run()


def test_a_lost_manifest_mixes_no_numerics(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole.path / "manifest.json").unlink()
    monkeypatch.setattr("bench.runs.manifest.versions", lambda: {"torch": "0.0", "diffusers": "0.0", "transformers": "0.0"})
    with pytest.raises(BenchError, match="was begun with torch"):
        whole.run()


def test_another_scorers_damage_is_mended_too(whole: Whole) -> None:
    """Of `bench score RUN --scorer NAME`: the run's command does not name it."""
    api.score(whole.path, ["glyphs"], workers=1)
    before = values(whole.path)
    for damaged in ("00000.parquet", "00001.json", "scorer.json"):
        (file,) = whole.path.glob(f"scores/glyphs-*/{damaged}")
        file.write_bytes(flip(file.read_bytes(), 99))
        proof = api.verify(whole.path)
        assert not proof.whole and proof.damaged_scores
        assert whole.run().complete and api.verify(whole.path).whole and values(whole.path) == before
    (whole.path / "manifest.json").unlink()
    assert whole.run().complete and values(whole.path) == before


def as_version_1(whole: Whole) -> None:
    """Make the run what the harness wrote before it hashed its documents and scores."""
    for path in whole.files:
        if path.suffix == ".json" and path.parent.parent.name == "scores" and path.name != "scorer.json":
            path.unlink()
        elif path.suffix == ".json":
            later = {"sha256", "schema_version", "run_id" if path.parent.name == "units" else "", "versions" if path.parent.name == "units" else ""}
            old = {name: value for name, value in json.loads(path.read_text()).items() if name not in later}
            path.write_text(json.dumps(old | ({"schema_version": 1} if path.name == "manifest.json" else {}), indent=2, sort_keys=True))
        elif path.suffix == ".parquet" and path.parent.parent.name == "scores":
            table = pq.read_table(path)
            metadata = {key: value for key, value in table.schema.metadata.items() if key != b"fingerprint"}
            pq.write_table(table.replace_schema_metadata(metadata), path)


def test_a_run_from_before_hashes_is_read_and_not_called_proven_until_it_is_run_again(whole: Whole) -> None:
    as_version_1(whole)
    old = api.describe(RunFolder.open(whole.path))
    assert old.complete and values(whole.path) == whole.values
    proof = api.verify(whole.path)
    assert not proof.whole and proof.standing == 4 and not proof.damaged and not proof.damaged_scores
    assert proof.unproven == 1 + 2 + 2 + 4  # manifest, markers, notes, score tables
    assert proof.remedy() == "The same `bench run` will hash 9 file(s) that have none yet, the scores among them by scoring again."
    assert api.describe(RunFolder.open(whole.path)).complete  # it was told, not touched
    assert whole.run().complete and api.verify(whole.path).whole and values(whole.path) == whole.values


def test_a_run_on_read_only_media_is_proven_and_left_alone(whole: Whole) -> None:
    place = Path(tempfile.mkdtemp())  # pytest's own is closed to other users
    try:
        copy = place / "mini" / "few" / whole.path.name
        shutil.copytree(whole.path, copy)
        with read_only(place):
            assert api.verify(copy).whole
        table = next(copy.glob("scores/fidelity-*/00001.parquet"))
        table.write_bytes(flip(table.read_bytes(), 4000))
        sample = copy / "samples" / "00000.parquet"
        sample.write_bytes(flip(sample.read_bytes(), 4000))
        for lock in (True, False):
            if not lock:
                (copy / "lock").unlink()
            with read_only(place):
                proof = api.verify(copy)
            assert set(proof.damaged) == {0} and len(proof.damaged_scores) == 1 and not proof.reopened
            assert proof.remedy().endswith("Nothing was marked, since the folder is read-only: verify a copy.")
            assert (copy / "units" / "00000.json").exists()
        assert api.verify(copy).reopened and run(place).complete and api.verify(copy).whole
    finally:
        shutil.rmtree(place)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take this process's right to write to ``folder``: of its mode, and, where it is the superuser's process, of the superuser, who needs none."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    user = os.geteuid()
    try:
        for path in modes:
            path.chmod(0o555 if path.is_dir() else 0o444)
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(OSError):
            next(path for path in modes if path.is_dir()).joinpath("new").touch()
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)
