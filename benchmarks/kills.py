"""Kills trainings and runs at random moments, goes on, and compares the bits of what comes out with those of one that nobody killed.

    python benchmarks/kills.py train --kills 12        # libraalign, scm and t2i-spo at small settings, one on the other's results
    python benchmarks/kills.py train --full 6          # the same with files that may not grow beyond a random size, as on a full disk
    python benchmarks/kills.py run --kills 15          # bench run --workers 3: by turns the command and one of its workers

Half of the moments are random times, half come shortly after a random number of changes in the folder, which is when files are written.
A kill is SIGKILL. It prints counts, and ends with exit code 1 where anything differs, is damaged, or ends in a traceback.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import api
from bench.runs.folders import run_folders

BENCH = [sys.executable, "-m", "bench"]
TRAININGS: Mapping[str, Sequence[str]] = {
    "libraalign": [
        *("libraalign", "--set", "prompts.harmful_limit=96", "--set", "prompts.benign_limit=32", "--set", "unit=16"),
        *("--set", "hf.units=3"),
    ],
    "scm": ["scm", "--set", "centers={}", "--set", "epochs=20"],
    "t2i-spo": ["t2i-spo", "--set", "steps=24", "--set", "checkpoint_every=2"],
}
RUN = ["run", "--method", "sd-v1.5", "--suite", "i2p", "--limit", "32", "--batch-size", "4", "--scorer", "fidelity", "--workers", "3"]
SECONDS = 20.0
"""What a training that was found again is taken to have lasted."""
ORPHANS = 1.0
"""Seconds that workers without a parent have to end."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "run"))
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--full", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="where what nobody killed is kept, and found again")
    parser.add_argument("--recipe", choices=tuple(TRAININGS), help="this training alone; what it learns from is made first")
    given = parser.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        bad = trainings(work, given.kills, given.full, given.recipe) if given.what == "train" else runs(work, given.kills)
    sys.exit(1 if bad else 0)


def trainings(work: Path, kills: int, full: int, recipe: str | None) -> int:
    """Kill each training, print what came of it, and return how much went wrong."""
    bad = 0
    data = work / "libraalign"
    for name, command in TRAININGS.items():
        settings = command if name == "libraalign" else [*command, "--set", f"data={data}"]
        whole = work / name
        seconds = finish(["train", *settings, "--out", str(whole), "-q"]) if not whole.exists() else SECONDS
        if recipe in (None, name):
            found = Counter[str]()
            while found["kills"] < kills or found["full disks"] < full:
                other = work / f"{name}-again"
                line = ["train", *settings, "--out", str(other), "-q"]
                for _ in range(1000):
                    moment = until_full(whole, found) if found["full disks"] < full else until_killed(seconds, other, found)
                    if moment(line):
                        break
                    if found["kills"] >= kills and found["full disks"] >= full:
                        finish(line)
                        break
                found["finished"] += 1
                found["other bits"] += bits(other) != bits(whole)
                subprocess.run(["rm", "-r", str(other)], check=True)
                print(f"{name}: {dict(found)}", flush=True)
            bad += found["other bits"] + found["tracebacks"] + found["dead ends"]
        if name == recipe:
            return bad
    return bad


def until_killed(seconds: float, folder: Path, found: Counter[str], *, worker: bool = False) -> Callable[[Sequence[str]], bool]:
    """Return what runs a command until it is killed at a random moment, and tells whether it ended by itself."""

    def run(line: Sequence[str]) -> bool:
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([*BENCH, *line], stdout=subprocess.DEVNULL, stderr=errors, cwd=folder.parent)
            if random.random() < 0.5:
                wait = random.uniform(0.2, 1.0) * seconds
                until = time.monotonic() + wait
                while process.poll() is None and time.monotonic() < until:
                    time.sleep(0.005)
            else:
                changes, before = random.randint(1, 12), state(folder)
                while process.poll() is None and changes:
                    time.sleep(0.002)
                    now = state(folder)
                    changes -= now != before
                    before = now
                time.sleep(random.choice((0, 0, 0.001, 0.01, 0.05)))
            if process.poll() is None:
                victims = children(process.pid) if worker else []
                for victim in random.sample(victims, min(1, len(victims))):
                    os.kill(victim, signal.SIGKILL)
                    process.wait(60)
                if not victims:
                    process.kill()
                process.wait()
                found["kills"] += 1
                found["of a worker"] += bool(victims)
                time.sleep(ORPHANS)
                return judged(process, errors.seek(0) or errors.read(), found, killed=not victims)
            return judged(process, errors.seek(0) or errors.read(), found)

    return run


def until_full(like: Path, found: Counter[str]) -> Callable[[Sequence[str]], bool]:
    """Return what runs a command whose files may grow to a random size only, and tells whether it ended well."""
    largest = max(path.stat().st_size for path in like.rglob("*") if path.is_file())

    def run(line: Sequence[str]) -> bool:
        limit = random.randint(0, largest)
        done = subprocess.run(
            [*BENCH, *line], capture_output=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        )
        found["full disks"] += 1
        return judged(done, done.stderr, found)

    return run


def judged(
    process: subprocess.Popen[bytes] | subprocess.CompletedProcess[bytes], errors: bytes, found: Counter[str], *, killed: bool = False
) -> bool:
    """Return whether a command ended well, and count a traceback or an end that is none of those a user can mend."""
    print(dict(found), file=sys.stderr, flush=True)
    if process.returncode == 0:
        return True
    if b"Traceback" in errors or (not killed and process.returncode != 2):
        found["tracebacks"] += 1
        print(errors.decode(errors="replace")[-2000:], flush=True)
    return False


def runs(work: Path, kills: int) -> int:
    """Kill runs of three workers, print what came of it, and return how much went wrong."""
    whole, other = work / "whole", work / "again"
    seconds = finish([*RUN, "-q", "--out", str(whole)])
    wanted, found = records(whole), Counter[str]()
    line = [*RUN, "-q", "--out", str(other)]
    while found["kills"] < kills:
        while found["kills"] < kills:
            if until_killed(seconds, other, found, worker=bool(found["kills"] % 2))(line):
                break
            proofs = [api.verify(folder.path) for folder in run_folders(other)]
            found["damaged"] += sum(bool(proof.damaged or proof.damaged_scores) for proof in proofs)
        finish(line)
        found["finished"] += 1
        found["other rows or images"] += records(other) != wanted
        subprocess.run(["rm", "-r", str(other)], check=True)
        print(f"run --workers 3: {dict(found)}", flush=True)
    return found["other rows or images"] + found["tracebacks"] + found["damaged"]


def finish(line: Sequence[str]) -> float:
    """Run a command to its end and return its seconds."""
    began = time.monotonic()
    subprocess.run([*BENCH, *line], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def state(folder: Path) -> list[tuple[str, int, int]]:
    """Return what lies in a folder now, with size and time of each file."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                about = os.stat(os.path.join(root, name))
            except FileNotFoundError:
                continue
            found.append((name, about.st_size, about.st_mtime_ns))
    return sorted(found)


def children(pid: int) -> list[int]:
    """Return the worker processes of a command."""
    said = subprocess.run(["pgrep", "-P", str(pid), "-f", "spawn_main"], capture_output=True, text=True, check=False).stdout
    return [int(each) for each in said.split()]


def bits(folder: Path) -> dict[str, str]:
    """Return the hash of every file of weights or data in a training's folder."""
    kept = [
        path for path in sorted(folder.rglob("*")) if path.suffix in (".safetensors", ".parquet") and "work" not in path.relative_to(folder).parts
    ]
    assert kept
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def records(out: Path) -> tuple[str, list[str]]:
    """Return a run's records and its pictures, which are named by their pixels' hash, and prove them."""
    (run,) = api.find_runs(out)
    assert run.complete
    assert api.verify(run.path).whole
    return run.records().to_json(double_precision=15, orient="records"), sorted(path.name for path in run.path.rglob("*.png"))


if __name__ == "__main__":
    main()
