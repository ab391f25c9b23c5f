"""Actors of a Ray cluster: the same rows and the same images as one process, and one clear line for what a cluster can lack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench import api
from bench.engine import ray as engine
from bench.engine.worker import Job
from bench.errors import BenchError, NotAvailable
from bench.guard.calls import UnitLimit
from bench.runs.folder import RunFolder
from bench.runs.manifest import begin
from bench.runs.provenance import versions
from bench.runs.spec import RunSpec, digest
from tests.bench.engine.conftest import equal

ray = pytest.importorskip("ray")
ROWS = 24


@pytest.fixture(scope="module")
def joined() -> Iterator[None]:
    """A cluster of two processors, which the engine is to leave as it is."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    assert ray.is_initialized()
    ray.shutdown()


def made(out: Path, **settings: object) -> bench.runs.find.Run:
    return bench.run("sd-v1.5", "i2p", limit=ROWS, batch_size=4, out=out, scorers=["fidelity"], **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The records of an uninterrupted run in one process."""
    return made(tmp_path_factory.mktemp("whole"), workers=1).records()


@pytest.mark.slow
def test_two_actors_give_the_same_bits(joined: None, whole: pd.DataFrame, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    class Heard:
        def start(self, what: str, total: int, unit: str = "images") -> object:
            return lambda count: told.append((what, count))

    run = made(tmp_path, engine="ray", progress=Heard())
    assert run.complete and equal(run.records(), whole) and api.verify(run.path).whole
    assert {what: sum(count for name, count in told if name == what) for what, _ in told} == {"sd-v1.5 on i2p": ROWS, "score": ROWS}
    (session,) = RunFolder(run.path).manifest()["sessions"]
    assert (session["engine"], session["workers"], session["units"]) == ("ray", 2, -(-ROWS // 8))


@pytest.mark.slow
def test_an_actor_that_dies_is_replaced(joined: None, whole: pd.DataFrame, tmp_path: Path) -> None:
    killed: list[int] = []

    class Killer:
        """Kills the first actor that is seen at work."""

        def start(self, what: str, total: int, unit: str = "images") -> object:
            return self.kill

        def kill(self, count: int) -> None:
            pids = subprocess.run(["pgrep", "-f", "ray::Served"], capture_output=True, text=True).stdout.split()
            if not killed and pids:
                killed.append(int(pids[0]))
                os.kill(killed[0], signal.SIGKILL)

    run = made(tmp_path, engine="ray", workers=2, progress=Killer())
    assert killed
    assert run.complete and equal(run.records(), whole) and api.verify(run.path).whole


def hire(actor: type, out: Path) -> engine.Crew:
    """Actors of that class, for a run of four units."""
    spec, folder = RunSpec("black", "i2p", limit=32, batch_size=1), RunFolder(out / "run")
    begin(folder, spec, digest(spec.identity()))
    return engine.Crew(ray.remote(num_cpus=0)(actor).remote, Job(spec, folder, make=True), UnitLimit())


def crew(seen: Path, times: int) -> engine.Crew:
    """Actors of which each dies over unit 1 until that happened ``times`` times."""

    class Fragile:
        def begin(self) -> engine.ActorReport:
            return engine.ActorReport()

        def do(self, unit: int) -> engine.ActorReport:
            if unit == 1 and len(list(seen.iterdir())) < times:
                (seen / str(os.getpid())).touch()
                os._exit(1)
            return engine.ActorReport(told=(("made", 10 + unit),))

    return hire(Fragile, seen.parent)


def seen(folder: Path) -> Path:
    """A folder for what actors have seen."""
    (folder / "seen").mkdir()
    return folder / "seen"


@pytest.mark.parametrize("actors", [1, 2])
def test_a_unit_goes_to_another_actor_when_one_dies_over_it(joined: None, tmp_path: Path, actors: int) -> None:
    told: list[int] = []
    hired = crew(seen(tmp_path), engine.RETRIES)
    hired.do(range(4), actors, lambda kind, count: told.append(count))
    hired.dismiss()
    assert sorted(told) == [10, 11, 12, 13]


def test_a_unit_that_kills_every_actor_ends_the_run(joined: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hired = crew(seen(tmp_path), 99)
    with pytest.raises(BenchError, match=r"^A Ray worker died \(.*\) while the method 'black' worked on sample .*\. Finished units are kept"):
        hired.do(range(4), 2, lambda kind, count: None)
    hired.dismiss()
    assert len(list((tmp_path / "seen").iterdir())) == engine.RETRIES + 1
    assert [row["reason"][:17] for row in RunFolder(tmp_path / "run").unit_rows(1)] == ["A Ray worker died"] * len(
        RunFolder(tmp_path / "run").unit_rows(1)
    )
    assert capsys.readouterr().err.count("warning: a Ray worker died (") == engine.RETRIES


def test_a_worker_that_cannot_be_made_says_why(joined: None, tmp_path: Path) -> None:
    """As on a node where the harness is not installed."""

    class Absent:
        def __init__(self) -> None:
            raise ModuleNotFoundError("No module named 'bench'")

        def begin(self) -> engine.ActorReport:
            return engine.ActorReport()

    hired = hire(Absent, tmp_path)
    with pytest.raises(BenchError, match=r"^A Ray worker died \(ModuleNotFoundError: No module named 'bench'\)"):
        hired.do(range(4), 1, lambda kind, count: None)
    hired.dismiss()


def test_what_the_user_must_mend_comes_back_as_one_line(joined: None, tmp_path: Path) -> None:
    """The weights are looked for when a worker loads them, so inside an actor."""
    with pytest.raises(BenchError, match="nowhere") as found:
        bench.run("t2i-spo", "i2p", limit=4, parameters={"weights": str(tmp_path / "nowhere")}, out=tmp_path, engine="ray", scorers=["fidelity"])
    assert "Traceback" not in str(found.value) and "ray::" not in str(found.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"workers": 3}, r"has 2 CPU\(s\), and --workers 3 would wait for more for ever"),
        ({"device": "cuda"}, "has no GPU"),
        ({"device": "cuda:1"}, "gives each worker a GPU of its own"),
    ],
)
def test_what_a_cluster_has_not_is_said_before_anything_waits(joined: None, tmp_path: Path, settings: dict[str, object], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        made(tmp_path, engine="ray", **settings)


def test_a_node_must_see_the_same_run_and_have_the_same_versions(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    installed = {"torch": versions()["torch"]}
    with pytest.raises(BenchError, match="does not see the run"):
        engine.check_node(folder, "", installed)
    spec = RunSpec("black", "i2p", limit=4)
    begin(folder, spec, digest(spec.identity()))
    here = digest(folder.manifest())
    engine.check_node(folder, here, installed)
    with pytest.raises(BenchError, match="does not see the run"):
        engine.check_node(folder, digest({"run_id": "2"}), installed)
    with pytest.raises(BenchError, match="its images may differ"):
        engine.check_node(folder, here, {"torch": "1.0"})


def test_without_ray_there_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(NotAvailable, match="pip install"):
        engine.imported()


COMMAND = [sys.executable, "-m", "bench", "run", "--method", "sd-v1.5", "--suite", "i2p", "--limit", str(ROWS), "--batch-size", "4", "-q"]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(whole: pd.DataFrame, tmp_path: Path) -> None:
    """In a cluster of its own, made and ended by the command."""
    command = [*COMMAND, "--scorer", "fidelity", "--engine", "ray"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("units/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 1 <= len(list(tmp_path.rglob("units/*.json"))) < ROWS // 4
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # Ray's own lines are not for the user of a finished run
    (run,) = api.find_runs(tmp_path / "runs")
    assert run.complete and equal(run.records(), whole)


@pytest.mark.slow
def test_the_cluster_at_an_address_is_joined_and_left_as_it_is(joined: None, whole: pd.DataFrame, tmp_path: Path) -> None:
    environment = {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    done = subprocess.run([*COMMAND, "--scorer", "fidelity", "--engine", "ray"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert [node["Alive"] for node in ray.nodes()] == [True]
    (run,) = api.find_runs(tmp_path / "runs")
    assert run.complete and equal(run.records(), whole)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:x", "ray://127.0.0.1:1"])
def test_an_address_where_nothing_answers_is_one_line(address: str, tmp_path: Path) -> None:
    environment = {**os.environ, "RAY_ADDRESS": address}
    done = subprocess.run([*COMMAND, "--scorer", "fidelity", "--engine", "ray"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and line.startswith(f"error: The Ray cluster at RAY_ADDRESS={address} cannot be joined (")


def test_a_token_that_is_not_here_is_one_line(joined: None, tmp_path: Path) -> None:
    address = ray.get_runtime_context().gcs_address
    environment = {**os.environ, "RAY_ADDRESS": address, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    done = subprocess.run([*COMMAND, "--scorer", "fidelity", "--engine", "ray"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and line.startswith(f"error: The Ray cluster at RAY_ADDRESS={address} cannot be joined (")
    assert "RAY_AUTH_MODE=token and its token in ~/.ray/auth_token" in line


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """Ray keeps the token of a cluster that it makes there."""
    (tmp_path / "home").write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {"HOME": str(tmp_path / "home")}
    done = subprocess.run([*COMMAND, "--scorer", "fidelity", "--engine", "ray"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: Ray cannot be started on this machine (")
