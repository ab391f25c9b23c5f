"""Methods that break: each is a failed sample with its reason, nothing else is lost, and a mended one goes on in the same folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import bench
import bench.guard.state
from bench import registry
from bench.errors import SAID, BenchError
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Sample

SAYS = {
    "sys-exit": "SystemExit: 0",
    "exit-text": "SystemExit: good bye",
    "generator-exit": "GeneratorExit",
    "stop-iteration": "StopIteration",
    "recursion": "RecursionError: maximum recursion depth exceeded",
    "memory": "MemoryError",
    "no-message": "ValueError",
    "long-message": "ValueError: long long long",
    "many-lines": r"ValueError: first second\x1b[31m third",
    "surrogate": r"ValueError: half a character: \ud800",
    "mute": "Mute: (its message cannot be read: SystemExit)",
    "clinging": "Clinging: holds a lock",
    "none": "the method returned NoneType; expected a list of outcomes",
    "mapping": "the method returned dict; expected a list of outcomes",
    "text": "the method returned str; expected a list of outcomes",
    "too-few": "the method returned 0 outcomes for 1 samples",
    "too-many": "the method returned more than 1 outcomes for 1 samples",
    "endless": "the method returned more than 1 outcomes for 1 samples",
    "bare-array": "expected Generated or Blocked, got ndarray",
    "float": "expected uint8 pixels, got float64",
    "small": "expected an image of shape (32, 32, 3), got (31, 32, 3)",
    "acted": "expected acted as a number of steps or None, got -1",
    "blocked": "expected Blocked with a reason in words, got NoneType",
    "torn": "ValueError: in the middle",
}

Generate = Callable[[list[Sample]], object]


@pytest.fixture
def animal(zoo: ModuleType) -> Iterator[type[Method]]:
    """A method that does ``way`` with the second sample; registered as ``animal``."""

    class Animal(Method):
        info = MethodInfo("animal", Kind.FLOOR, "One of the zoo.")
        way: Generate | None = None
        loads = 0

        def load(self, context: Context) -> None:
            type(self).loads += 1

        def generate(self, samples: Sequence[Sample]) -> Sequence[Generated]:
            given = list(samples)
            if self.way is not None and given[0].prompt_id == zoo.SECOND:
                return type(self).way(samples)  # type: ignore[misc, return-value, arg-type]
            return [Generated(zoo.image(sample)) for sample in given]

    registry.methods.register("animal", Animal)
    yield Animal
    registry.methods.unregister("animal")


def run(out: Path, **settings: object) -> bench.runs.find.Run:
    return bench.run("animal", "i2p", limit=2, batch_size=1, out=out, scorers=["fidelity"], workers=1, **settings)  # type: ignore[arg-type]


def test_every_way_is_told_of(zoo: ModuleType) -> None:
    assert set(zoo.GENERATES) == set(SAYS)


@pytest.mark.parametrize("way", SAYS)
def test_it_is_a_failed_sample_with_its_reason(way: str, animal: type[Method], zoo: ModuleType, tmp_path: Path) -> None:
    animal.way = zoo.GENERATES[way]  # type: ignore[attr-defined]
    done = run(tmp_path)
    assert not done.complete and done.counts == {"generated": 1, "blocked": 0, "failed": 1, "missing": 0}
    head, _, reason = done.failures().partition("(image 0): ")
    assert head == "1 sample(s) failed in the method 'animal', first i2p-0001 "
    assert reason.startswith(SAYS[way]) and len(reason) <= SAID and reason.isprintable()
    animal.way = None  # type: ignore[attr-defined]
    mended = run(tmp_path)
    assert mended.complete and mended.path == done.path and bench.api.verify(done.path).whole


def test_a_bench_error_stops_the_run_and_names_method_and_sample(animal: type[Method], zoo: ModuleType, tmp_path: Path) -> None:
    animal.way = zoo.raising(BenchError("give me\nmore"))  # type: ignore[attr-defined]
    with pytest.raises(BenchError) as found:
        run(tmp_path)
    assert str(found.value) == "The method 'animal' (generate, sample i2p-0001 (image 0)): give me more"
    animal.way = None  # type: ignore[attr-defined]
    assert run(tmp_path).complete


def test_a_refusal_is_kept_as_one_line(animal: type[Method], tmp_path: Path) -> None:
    animal.way = lambda samples: [Blocked("no\nnot this \ud800")]  # type: ignore[attr-defined]
    done = run(tmp_path)
    assert done.complete and set(done.records()["reason"].dropna()) == {r"no not this \ud800"}


def test_one_that_does_not_end_is_stopped_and_loaded_again(animal: type[Method], tmp_path: Path) -> None:
    def forever(samples: list[Sample]) -> None:
        while True:
            pass

    animal.way = forever  # type: ignore[attr-defined]
    done = run(tmp_path, unit_timeout=0.3)
    assert done.failures().endswith(": took longer than 0.3 s over a unit of 2 sample(s) (--unit-timeout)")
    assert done.counts["generated"] == 1 and animal.loads == 2  # type: ignore[attr-defined]


def test_what_it_does_to_its_samples_reaches_nobody(animal: type[Method], zoo: ModuleType, tmp_path: Path) -> None:
    def greedy(samples: list[Sample]) -> list[Generated]:
        pictures = [Generated(zoo.image(sample)) for sample in samples]
        for sample in samples:
            sample.metadata.clear()  # type: ignore[attr-defined]
        samples.clear()
        return pictures

    animal.way = greedy  # type: ignore[attr-defined]
    done = run(tmp_path)
    assert done.complete and all(done.records()["metadata"])


def test_what_it_does_to_the_process_is_undone_and_said(
    animal: type[Method], zoo: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(samples: list[Sample]) -> list[Generated]:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.set_num_threads(2)
        np.seterr(all="raise")
        os.chdir("/")
        os.umask(0o777)
        sys.setrecursionlimit(200)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return [Generated(zoo.image(sample)) for sample in samples]

    monkeypatch.chdir(tmp_path)
    before = bench.guard.state.snapshot()
    animal.way = careless  # type: ignore[attr-defined]
    done = run(Path("runs"))
    assert done.complete and (tmp_path / done.path / "manifest.json").is_file()
    assert bench.guard.state.snapshot() == before | {"torch's number of threads": 1}
    warned = capfd.readouterr().err.splitlines()
    assert len(warned) == 9 and all("the method 'animal' in generate, sample i2p-0001 (image 0), changed" in line for line in warned)


@pytest.mark.parametrize("place", ["__init__", "weights", "load", "cannot_act", "scheduled"])
@pytest.mark.parametrize("way", ["sys-exit", "recursion", "mute"])
def test_what_it_raises_elsewhere_is_one_line(
    place: str, way: str, animal: type[Method], zoo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(animal, place, lambda self, *_, **__: zoo.RAISES[way]())
        with pytest.raises(BenchError) as found:
            run(tmp_path)
        line = str(found.value)
        assert line.startswith(f"The method 'animal' is broken: {place} raised {SAYS[way]}") and line.isprintable()
    assert run(tmp_path).complete


def test_one_that_forgets_its_parameters_or_its_info_is_one_line(animal: type[Method], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(animal, "__init__", lambda self, **_: None)
        with pytest.raises(BenchError, match="'animal' is broken: its `__init__` does not call Method's"):
            run(tmp_path)
    monkeypatch.delattr(animal, "info")
    with pytest.raises(BenchError, match="'animal' says nothing of itself"):
        run(tmp_path)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0, -1])
def test_a_time_limit_is_a_time(value: float, animal: type[Method], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--unit-timeout must be a number of seconds above 0"):
        run(tmp_path, unit_timeout=value)
