"""One process, two processes, or a run killed at any moment: the same rows and the same images."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench import api
from bench.engine.local import beside
from bench.engine.pool import WorkerPool, finish
from bench.engine.worker import Job, Worker
from bench.guard.calls import UnitLimit
from bench.runs.folders import run_folders
from bench.runs.manifest import begin
from bench.runs.scores import choose_scorers, make_current
from bench.runs.spec import RunSpec
from tests.bench.engine.conftest import equal

COMMAND = [
    sys.executable,
    "-m",
    "bench",
    "run",
    "--method",
    "sd-v1.5",
    "--suite",
    "i2p",
    "--limit",
    "40",
    "--batch-size",
    "4",
    "-q",
    "--scorer",
    "fidelity",
]
ROWS = 40
UNITS = 5
"""Of two batches each, as the whole suite is cut."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The records of an uninterrupted run in one process."""
    out = tmp_path_factory.mktemp("whole")
    return bench.run("sd-v1.5", "i2p", limit=ROWS, batch_size=4, out=out, workers=1, scorers=["fidelity"]).records()


@pytest.mark.slow
def test_two_processes_give_the_same_bits(whole: pd.DataFrame, tmp_path: Path) -> None:
    assert equal(bench.run("sd-v1.5", "i2p", limit=ROWS, batch_size=4, out=tmp_path, workers=2, scorers=["fidelity"]).records(), whole)


@pytest.mark.slow
def test_scoring_in_a_process_of_its_own_gives_the_same_bits(whole: pd.DataFrame, tmp_path: Path) -> None:
    """As on a GPU: what is finished is scored while the next unit is made."""
    spec = RunSpec("sd-v1.5", "i2p", limit=ROWS, batch_size=4)
    folder, _ = api.folder_of(spec, tmp_path)
    planned = choose_scorers(["fidelity"], spec.loaded_track)
    told: Counter[str] = Counter()
    with folder.lock():
        begin(folder, spec, "0" * 64)
        maker = Worker(Job(spec, folder, make=True))
        beside(maker, Job(spec, folder, make=False, scorers=planned), range(UNITS), lambda kind, count: told.update({kind: count}), UnitLimit())
        make_current(folder, planned)
    assert told == {"made": ROWS, "scored": ROWS}
    assert equal(bench.load_run(folder.path).records(), whole)


@pytest.mark.slow
def test_making_in_one_process_and_scoring_in_another_gives_the_same_bits(whole: pd.DataFrame, tmp_path: Path) -> None:
    """As the command does on a GPU."""
    spec = RunSpec("sd-v1.5", "i2p", limit=ROWS, batch_size=4)
    folder, _ = api.folder_of(spec, tmp_path)
    planned = choose_scorers(["fidelity"], spec.loaded_track)
    told: Counter[str] = Counter()

    def tell(kind: str, count: int) -> None:
        told[kind] += count

    with folder.lock():
        begin(folder, spec, "0" * 64)
        with (
            WorkerPool(Job(spec, folder, make=False, scorers=planned), 1, tell, UnitLimit()) as scorers,
            WorkerPool(Job(spec, folder, make=True), 1, tell, UnitLimit(), then=scorers.give) as makers,
        ):
            for unit in range(UNITS):
                makers.give(unit)
            finish(makers, scorers)
        make_current(folder, planned)
    assert told == {"made": ROWS, "scored": ROWS}
    assert equal(bench.load_run(folder.path).records(), whole)


def test_scoring_after_generation_gives_the_same_bits(whole: pd.DataFrame, tmp_path: Path) -> None:
    run = bench.run("sd-v1.5", "i2p", limit=ROWS, batch_size=4, out=tmp_path, workers=1, scorers=["fidelity"], scoring="after")
    assert run.complete and equal(run.records(), whole)


@pytest.mark.parametrize("after", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_to_the_same_bits(whole: pd.DataFrame, tmp_path: Path, after: int) -> None:
    process = subprocess.Popen([*COMMAND, "--workers", "2"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.rglob("units/*.json"))) < after and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = len(list(tmp_path.rglob("units/*.json")))
    assert after <= finished < UNITS
    time.sleep(1)  # orphaned workers must be gone by now, and must not write behind the next run's back
    again = subprocess.run([*COMMAND, "--workers", "1"], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    (run,) = api.find_runs(tmp_path / "runs")
    assert run.complete and api.verify(run.path).whole
    assert equal(run.records(), whole)


@pytest.mark.slow
def test_three_workers_killed_again_and_again_leave_nothing_damaged(whole: pd.DataFrame, tmp_path: Path) -> None:
    """Each time after some more files, whatever they are: images, tables, markers, scores, or half of one."""
    schedule = random.Random(0)
    kills = 0
    while True:
        before = len(list(tmp_path.rglob("*")))
        wanted = before + schedule.randint(1, 40)
        process = subprocess.Popen([*COMMAND, "--workers", "3"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(tmp_path.rglob("*"))) < wanted:
            time.sleep(0.002)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        time.sleep(1)  # for orphaned workers, as above
        for folder in run_folders(tmp_path / "runs"):
            proof = api.verify(folder.path)
            assert not proof.damaged and not proof.damaged_scores and not [each for each in proof.manifest if "No manifest" not in each]
    (run,) = api.find_runs(tmp_path / "runs")
    assert kills >= 3 and run.complete and api.verify(run.path).whole
    assert equal(run.records(), whole)


@pytest.mark.slow
def test_a_killed_worker_is_one_clear_line(tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, "--workers", "2"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("units/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    children = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True).stdout.split()
    os.kill(int(children[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "error: A worker process died with signal 9" in errors and "Traceback" not in errors


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_told_what_it_lacks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import bench\nbench.run('black', 'i2p', limit=8, batch_size=4, workers=2, scorers=['fidelity'])\n")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and 'put the call under `if __name__ == "__main__":`, or give workers=1' in last
