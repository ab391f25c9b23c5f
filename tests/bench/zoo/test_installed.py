"""The zoo as an installed package: through the command, and in worker processes, which a plugin may end, keep, or leave something in."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench
from bench import registry
from bench.errors import BenchError
from bench.runs.find import folder_of
from bench.runs.scores import choose_scorers
from bench.runs.sources import source_hash
from bench.runs.spec import RunSpec

RUN = ["run", "--suite", "i2p", "--limit", "2", "--batch-size", "1", "--workers", "1", "-q"]


def command(*arguments: str, site: Path, zoo: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)]), "ZOO": zoo}
    line = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(line, cwd=site.parent, capture_output=True, text=True, env=environment, check=False, timeout=240)


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the one line that a command says, after its warnings, where it ends with ``code``."""
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    (line,) = (each for each in done.stderr.splitlines() if not each.startswith("warning: "))
    return line


def run(out: Path, method: str = "zoo", scorer: str = "zoo_score", **settings: object) -> bench.runs.find.Run:
    """One worker process."""
    return bench.run(method, "i2p", limit=2, batch_size=1, out=out, scorers=[scorer], workers=1, isolate=True, **settings)  # type: ignore[arg-type]


def test_a_method_that_ends_its_process_is_one_line_and_a_failed_sample(site: Path) -> None:
    line = one_line(command(*RUN, "-m", "zoo", "--scorer", "zoo_score", site=site, zoo="generate=os-exit"), 2)
    assert line.startswith(
        "error: A worker process died with exit code 0 while it was calling the method 'zoo' in generate, sample i2p-0001 (image 0)."
    )
    (found,) = bench.api.find_runs(site.parent / "runs")
    assert found.counts == {"generated": 0, "blocked": 0, "failed": 2, "missing": 0}  # both are of one unit
    assert found.failures().endswith(": the worker process died with exit code 0 in generate")
    assert run(site.parent / "runs").complete


@pytest.mark.slow
def test_a_result_is_all_that_stands_on_standard_output(site: Path) -> None:
    done = command(*RUN, "-m", "zoo", "--scorer", "zoo_score", "--format", "json", site=site, zoo="*=print")
    assert done.returncode == 0 and {row["method"] for row in json.loads(done.stdout)} == {"zoo"}
    for line in ("a line of a plugin's", "and one that Python does not see", "and one of its child"):
        assert done.stderr.splitlines().count(line) > 8  # from being imported to scoring, in the first process and in the worker


@pytest.mark.slow
def test_a_scorer_that_exits_is_one_line_and_an_image_without_a_score(site: Path) -> None:
    line = one_line(command(*RUN, "-m", "black", "--scorer", "zoo_score", "--format", "json", site=site, zoo="score=sys-exit"), 1)
    assert "1 image(s) have no score of 'zoo_score', first i2p-0001 (image 0): SystemExit: 0." in line


@pytest.mark.parametrize("place", ["import", "method-init", "method-weights"])
@pytest.mark.parametrize("way", ["sys-exit", "mute"])
def test_what_breaks_before_the_run_leaves_no_folder(place: str, way: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", f"{place}={way}")
    with pytest.raises(BenchError, match=r"^The method 'zoo' .*(SystemExit: 0|Mute)") as found:
        run(tmp_path / "runs", scorer="fidelity")
    assert str(found.value).isprintable() and not (tmp_path / "runs").exists()


def test_an_entry_point_that_leads_nowhere_is_one_line(site: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^The method 'zoo-lost' \(zoo_that_is_not_there:Zoo\) does not load: ModuleNotFoundError: No module"):
        run(tmp_path, "zoo-lost")


@pytest.mark.parametrize("place", [pytest.param("method-load", marks=pytest.mark.slow), "scorer-load"])
def test_a_load_that_breaks_is_one_line(place: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", f"{place}=keyboard")
    noun, name = ("method", "zoo") if place == "method-load" else ("scorer", "zoo_score")
    with pytest.raises(BenchError, match=rf"^The {noun} '{name}' is broken: load raised KeyboardInterrupt\.$"):
        run(tmp_path)


def test_a_method_that_never_ends_is_a_failed_sample(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO", "generate=hang")
    done = run(tmp_path, unit_timeout=1)
    passed = "took longer than 1 s over a unit of 2 sample(s) (--unit-timeout)"
    assert done.counts["failed"] == 2 and done.failures().endswith(f": {passed}")
    warned = "warning: the method 'zoo' in generate, sample i2p-0001 (image 0), " + passed
    assert warned in capfd.readouterr().err


def test_what_it_writes_into_its_workers_pipe_ends_the_run_in_one_line(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", "generate=pipe")
    wrote = r"^Something was written into the pipe of a worker process while it was calling the method 'zoo' in generate, sample i2p-0001 \(image 0\)"
    with pytest.raises(BenchError, match=wrote):
        run(tmp_path)
    (found,) = bench.api.find_runs(tmp_path)
    assert found.counts["failed"] == 2 and found.failures().endswith("something was written into the worker's pipe in generate")


def test_an_import_that_never_ends_is_one_line(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", "import=loop")
    monkeypatch.setattr(registry, "IMPORT_LIMIT", 0.3)
    with pytest.raises(BenchError, match=r"^The method 'zoo' \(zoo:Zoo\) does not load: its import took longer than 0.3 s\."):
        run(tmp_path / "runs", scorer="fidelity")
    assert not (tmp_path / "runs").exists()


ELSEWHERE = {
    "speed": ["speed", "zoo", "--rounds", "2", "--batch-size", "1", "--unit-timeout", "5"],
    "check": ["check-method", "zoo", "--no-measure", "--unit-timeout", "30"],
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", [*ELSEWHERE, "verify"])
@pytest.mark.parametrize("way", ["os-exit", "hang", "pipe", "sys-exit"])
def test_verbs_beside_run_are_guarded_alike(verb: str, way: str, site: Path) -> None:
    if verb == "verify":
        done = run(site.parent / "runs", scorer="fidelity")
        line = ["verify", str(done.path), "--regenerate", "2", "--unit-timeout", "5"]
        broken = command(*line, site=site, zoo=f"generate={way}")
    else:
        broken = command(*ELSEWHERE[verb], "-q", site=site, zoo=f"every-generate={way}")
    assert broken.returncode in (1, 2) and "Traceback" not in broken.stderr
    last = broken.stderr.splitlines()[-1:] or [""]
    if way != "sys-exit":
        assert "the method 'zoo'" in last[0].lower() and last[0].startswith("error: ")


@pytest.mark.slow
def test_a_scorer_that_never_ends_leaves_the_others_their_scores(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", "score=hang")
    done = bench.run("zoo", "i2p", limit=2, batch_size=1, out=tmp_path, scorers=["zoo_score", "fidelity"], workers=1, isolate=True, unit_timeout=1)
    (said,) = done.lacking_scores()
    assert "1 image(s) have no score of 'zoo_score', first i2p-0001 (image 0): took longer than 1 s" in said
    records = done.records()
    assert records["fidelity"].notna().all() and records["zoo_score"].notna().tolist() == [True, False]


@pytest.mark.slow
def test_a_load_that_never_ends_is_one_line(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", "method-load=hang")
    with pytest.raises(BenchError, match=r"^The method 'zoo' did not load within 1 s \(--unit-timeout\)"):
        run(tmp_path, unit_timeout=1)


@pytest.mark.slow
def test_a_scorer_that_ends_its_process_is_one_line(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", "score=os-exit")
    with pytest.raises(BenchError, match=r"died with exit code 0 while it was calling the scorer 'zoo_score' in score, sample i2p-0001 \(image 0\)"):
        run(tmp_path)
    monkeypatch.delenv("ZOO")
    assert run(tmp_path).complete


def test_what_a_plugin_leaves_running_ends_with_the_run(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO", "generate=leaves")
    before, began = sleepers(), time.monotonic()
    assert run(tmp_path).complete
    assert sleepers() <= before and time.monotonic() - began < 60


def sleepers() -> set[str]:
    """The processes that the zoo has left behind."""
    return set(subprocess.run(["pgrep", "-f", "^sleep 600$"], capture_output=True, text=True).stdout.split())


def test_another_source_is_another_method_and_another_scorer(site: Path, tmp_path: Path) -> None:
    """So that what a broken version stored is not kept once it is mended, although its version was not raised."""
    before = identities(tmp_path)
    assert identities(tmp_path) == before
    registry.methods.unregister("zoo")
    registry.scorers.unregister("zoo_score")
    sys.modules.pop("zoo")
    (site / "zoo.py").write_text((site / "zoo.py").read_text().replace("sample.seed % 251", "sample.seed % 250"))
    assert not set(identities(tmp_path)) & set(before)


def identities(out: Path) -> list[str]:
    """Run id and fingerprint of the zoo's two plugins."""
    spec = RunSpec("zoo", "i2p", limit=2)
    return [folder_of(spec, out)[1], choose_scorers(["zoo_score"], spec.loaded_track)[0].fingerprint]


def test_the_source_of_a_package_is_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "housed" / "inner"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py", package.parent / "helper.py"):
        path.write_text("")
    (package / "adapter.py").write_text("class Adapter: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("housed.inner.adapter").Adapter
    first = source_hash(kind)
    (package.parent / "helper.py").write_text("outside = 1\n")
    assert source_hash(kind) == first  # of the package that the class is in, and what is below
    (package / "helper.py").write_text("inside = 1\n")
    assert source_hash(kind) != first


def test_the_harness_s_own_go_by_their_versions_alone(tmp_path: Path) -> None:
    assert "source" not in RunSpec("sd-v1.5", "i2p").identity()["method"]
    done = bench.run("black", "i2p", limit=1, out=tmp_path, scorers=["fidelity"], workers=1)
    assert "source" not in json.loads(next(done.path.rglob("scorer.json")).read_text())
    # Written down when sources began to count: they must be what they were before.
    assert next(done.path.glob("scores/*")).name == "fidelity-4f742930"
    assert folder_of(RunSpec("black", "i2p", limit=1), tmp_path)[0].path == done.path
