"""Every rule is broken by an adapter that breaks it alone, and kept by a good one."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from bench import registry
from bench.checking import RULES, RuleResult, RuleVerdict, check_method
from bench.checking.state import snapshot
from bench.errors import BenchError, NotAvailable
from bench.seeds import generator
from bench.tracks import load_track
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Outcome, Sample

Checked = Callable[..., dict[str, RuleResult]]
MENDS = {rule.name: rule.mend for rule in RULES}


def failed(results: Mapping[str, RuleResult]) -> list[str]:
    return [name for name, each in results.items() if each.result is RuleVerdict.FAILED]


def breaks(results: Mapping[str, RuleResult], rule: str, found: str) -> None:
    """Assert that ``rule`` alone is broken, with what was found and how to mend it."""
    assert failed(results) == [rule], results
    assert found in results[rule].found
    assert results[rule].mend == MENDS[rule] != ""


def test_a_good_adapter_keeps_every_rule(checked: Checked, noise: type[Method]) -> None:
    before = snapshot()
    results = checked(noise)
    assert snapshot() == before
    assert list(results) == [rule.name for rule in RULES]
    skipped = {name for name, each in results.items() if each.result is RuleVerdict.SKIPPED}
    assert skipped == {"light-import", "memory"}  # both look at an entry point, in another process
    assert {name for name, each in results.items() if each.result is RuleVerdict.MEASURED} == {"load-time", "speed"}
    assert not failed(results) and not any(each.mend for each in results.values())
    assert "times a-base's time an image" in results["speed"].found


def test_a_floor_that_blocks_everything_keeps_them(checked: Checked, noise: type[Method]) -> None:
    class Floor(noise):
        info = MethodInfo("noise", Kind.FLOOR, "Blocks everything.")

        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            return [Blocked("always")] * len(samples)

    results = checked(Floor, measure=False)
    assert not failed(results) and results["own-seed"].result is RuleVerdict.SKIPPED


def test_another_name(checked: Checked, noise: type[Method]) -> None:
    class Renamed(noise):
        info = replace(noise.info, name="noize")

    results = checked(Renamed)
    breaks(results, "registered", "'noize'")
    assert results["outcomes"].result is RuleVerdict.SKIPPED


def test_no_info_and_abstract(checked: Checked, noise: type[Method]) -> None:
    class Nameless(Method):
        def load(self, context: Context) -> None: ...

    class Abstract(Nameless):
        info = noise.info

    breaks(checked(Nameless), "registered", "no MethodInfo")
    breaks(checked(Abstract), "registered", "lacks generate")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"summary": ""}, "summary is not one line"),
        ({"summary": "Two\nlines."}, "summary is not one line"),
        ({"summary": "TODO: say what it does."}, "summary still says TODO"),
        ({"version": ""}, "version is empty"),
        ({"licence": " "}, "licence is empty"),
        ({"kind": "guide"}, "kind is 'guide'"),
        ({"code": ""}, "neither paper nor code"),
        ({"kind": Kind.FINE_TUNE}, "trained_on is empty"),
        ({"tracks": ("mini", "minni")}, "unknown track 'minni'"),
        ({"defaults": {"shift": 0, "odd": {1, 2}}}, "not JSON-able"),
    ],
    ids=str,
)
def test_metadata(change: dict[str, object], found: str, checked: Checked, noise: type[Method]) -> None:
    class Incomplete(noise):
        info = replace(noise.info, **change)

        def weights(self, context: Context) -> Mapping[str, str]:
            return {"file": "0" * 64}

    breaks(checked(Incomplete, measure=False), "metadata", found)


def test_a_heavy_import(base: type[Method], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy.py").write_text(
        "import torch\nfrom bench.types import *\n\n\nclass Heavy(Method):\n"
        "    info = MethodInfo('heavy', Kind.FLOOR, 'Heavy.')\n"
        "    def load(self, context): ...\n"
        "    def generate(self, samples): return [Blocked('always') for _ in samples]\n"
    )
    about = tmp_path / "heavy-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: heavy\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[bench.methods]\nheavy = heavy:Heavy\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry.methods, "_points", None)
    breaks({each.rule: each for each in check_method("heavy", measure=False)}, "light-import", "torch")
    registry.methods.unregister("heavy")


def test_constructors(checked: Checked, noise: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy(noise):
        def __init__(self, **parameters: object) -> None:
            self.parameters = {**self.info.defaults, **parameters}

    class Picky(noise):
        def __init__(self, shift: int = 0) -> None:
            super().__init__(shift=shift)

    class Forgetful(noise):
        def __init__(self, **parameters: object) -> None:
            super().__init__()

    breaks(checked(Greedy, measure=False), "constructor", "takes a parameter")
    breaks(checked(Picky, measure=False), "constructor", "raises TypeError")
    breaks(checked(Forgetful, measure=False, parameters={"shift": 1}), "constructor", "self.parameters")
    monkeypatch.setattr("bench.checking.declared.CHEAP", -1.0)
    breaks(checked(noise, measure=False), "constructor", "it took")


def test_weights(checked: Checked, noise: type[Method]) -> None:
    class Short(noise):
        def weights(self, context: Context) -> Mapping[str, str]:
            return {"file": "abc"}

    class Changing(noise):
        def weights(self, context: Context) -> Mapping[str, str]:
            return {"file": f"{time.perf_counter_ns():064x}"}

    class Trained(noise):
        info = replace(noise.info, kind=Kind.PREFERENCE, trained_on=("pairs",))

    class Late(noise):
        def load(self, context: Context) -> None:
            self.hashes: dict[str, str] = {}

        def weights(self, context: Context) -> Mapping[str, str]:
            return self.hashes

    breaks(checked(Short, measure=False), "weights", "'abc'")
    breaks(checked(Changing, measure=False), "weights", "different hashes")
    breaks(checked(Trained, measure=False), "weights", "names no weights")
    breaks(checked(Late, measure=False), "weights", "AttributeError")


def test_a_load_that_raises_skips_what_needs_it(checked: Checked, noise: type[Method]) -> None:
    class Stuck(noise):
        def load(self, context: Context) -> None:
            raise RuntimeError("no such layer")

    results = checked(Stuck)
    breaks(results, "loads", "RuntimeError at test_rules.py:")
    assert results["loads"].found.endswith(": no such layer")
    assert results["weights"].result is RuleVerdict.OK
    assert results["base-untouched"].result is RuleVerdict.SKIPPED and "outcomes" in results["base-untouched"].found


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda given: given[:-1], "2 outcomes for 3 samples"),
        (lambda given: [Generated(each.image.astype(np.float32)) for each in given], "expected uint8"),
        (lambda given: [Generated(each.image[:-1]) for each in given], "expected an image of shape"),
        (lambda given: [Blocked("") for _ in given], "expected Blocked with a reason in words, got an empty one"),
        (lambda given: [each.image for each in given], "expected Generated or Blocked"),
    ],
    ids=["count", "float", "size", "reason", "type"],
)
def test_outcomes(spoil: Callable[[Sequence[Outcome]], Sequence[Outcome]], found: str, checked: Checked, noise: type[Method]) -> None:
    class Wrong(noise):
        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            return spoil(super().generate(samples))

    breaks(checked(Wrong, measure=False), "outcomes", found)


def test_own_memory(checked: Checked, noise: type[Method]) -> None:
    class Reusing(noise):
        def load(self, context: Context) -> None:
            self.buffers = np.zeros((8, 32, 32, 3), np.uint8)

        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            for buffer, sample in zip(self.buffers, samples, strict=False):
                buffer[:] = self.pixels(sample)
            return [Generated(buffer) for buffer in self.buffers[: len(samples)]]

    class Sharing(noise):
        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            tall = np.concatenate([self.pixels(sample) for sample in samples])
            return [Generated(tall[16 * index : 16 * index + 32]) for index in range(len(samples))]

    breaks(checked(Reusing, measure=False), "own-memory", "a later call wrote over")
    assert "share memory" in checked(Sharing, measure=False)["own-memory"].found


def test_deterministic(checked: Checked, noise: type[Method]) -> None:
    class Random(noise):
        def pixels(self, sample: Sample) -> np.ndarray:
            return super().pixels(sample) + np.uint8(os.urandom(1)[0] | 1)

    class Counting(noise):
        loaded = 0

        def load(self, context: Context) -> None:
            Counting.loaded += 1
            self.number = Counting.loaded

        def pixels(self, sample: Sample) -> np.ndarray:
            return super().pixels(sample) + np.uint8(self.number)

    results = checked(Counting, measure=False)
    breaks(results, "deterministic", "another instance")
    assert results["batch-invariant"].result is RuleVerdict.SKIPPED
    breaks(checked(Random, measure=False), "deterministic", "the same batch again")


@pytest.mark.parametrize(
    "draw", [torch.initial_seed, lambda: np.random.get_state()[1][0], lambda: random.getstate()[1][5]], ids=["torch", "numpy", "random"]
)
def test_global_seeds(draw: Callable[[], int], checked: Checked, noise: type[Method]) -> None:
    class Global(noise):
        def pixels(self, sample: Sample) -> np.ndarray:
            return super().pixels(sample) + np.uint8(int(draw()) % 256)

    breaks(checked(Global, measure=False), "global-seeds", "under other global seeds")


def test_own_seed(checked: Checked, noise: type[Method]) -> None:
    class Fixed(noise):
        def pixels(self, sample: Sample) -> np.ndarray:
            return super().pixels(replace(sample, seed=len(sample.prompt)))

    breaks(checked(Fixed, measure=False), "own-seed", "3 of 3 prompts gave the same image")


def test_batch_invariant(checked: Checked, noise: type[Method]) -> None:
    class OneGenerator(noise):
        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            draws = generator(samples[0])
            return [Generated(torch.randint(256, (each.height, each.width, 3), generator=draws).numpy().astype(np.uint8)) for each in samples]

    class Normalising(noise):
        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            return [Generated(self.pixels(each) // 2 + np.uint8(10 * len(samples))) for each in samples]

    class Rounding(noise):
        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            return [Generated(self.pixels(each) // 2 + np.uint8(len(samples) == 1)) for each in samples]

    breaks(checked(OneGenerator, measure=False), "batch-invariant", "in reverse order")
    breaks(checked(Normalising, measure=False), "batch-invariant", "alone")
    assert checked(Rounding, measure=False)["batch-invariant"].found.startswith("largest difference 1 ")
    assert checked(OneGenerator, measure=False, dtype="bfloat16")["batch-invariant"].result is RuleVerdict.SKIPPED


@pytest.mark.parametrize("trouble", ["steps", "guidance"])
def test_other_settings(trouble: str, checked: Checked, noise: type[Method]) -> None:
    class Rigid(noise):
        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            if getattr(samples[0], trouble) != getattr(load_track("mini"), trouble):
                raise IndexError("list index out of range")
            return super().generate(samples)

    results = checked(Rigid, measure=False)
    assert "other-settings" in failed(results) and trouble in results["other-settings"].found
    if trouble == "guidance":  # other steps are tried by `stateless` too
        breaks(results, "other-settings", "at guidance 1: list index out of range")


def test_stateless(checked: Checked, noise: type[Method]) -> None:
    class Remembering(noise):
        steps = load_track("mini").steps

        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            self.steps = min(self.steps, samples[0].steps)
            return [Generated(self.pixels(each) + np.uint8(self.steps)) for each in samples]

    breaks(checked(Remembering, measure=False), "stateless", "after a smaller batch")


HARM: dict[str, Callable[[], object]] = {
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "torch's number of threads": lambda: torch.set_num_threads(2),
    "torch's deterministic flag": lambda: torch.use_deterministic_algorithms(True),
    "torch's global random state": lambda: torch.manual_seed(7),
    "NumPy's global random state": lambda: np.random.seed(7),
    "Python's global random state": lambda: random.seed(7),
    "the working folder": lambda: os.chdir("/"),
    "os.environ": lambda: os.environ.update(TOKENIZERS_PARALLELISM="odd"),
}


@pytest.mark.parametrize("what", HARM)
@pytest.mark.parametrize("where", ["load", "generate"])
def test_global_state(what: str, where: str, checked: Checked, noise: type[Method]) -> None:
    class Leaky(noise):
        def load(self, context: Context) -> None:
            if where == "load":
                HARM[what]()

        def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
            if where == "generate":
                HARM[what]()
            return super().generate(samples)

    before = snapshot()
    breaks(checked(Leaky, measure=False), "global-state", what)
    assert snapshot() == before


def test_base_untouched(checked: Checked, noise: type[Method], base: type[Method], tmp_path: Path) -> None:
    class Patching(noise):
        def load(self, context: Context) -> None:
            base.pixels = lambda self, sample: np.zeros((sample.height, sample.width, 3), np.uint8)

    class Writing(noise):
        def load(self, context: Context) -> None:
            (context.track.base_path() / "note.json").write_text("{}")

    class Training(noise):
        def weights(self, context: Context) -> Mapping[str, str]:
            return {"own": f"{len((tmp_path / 'own').read_bytes()):064x}"}

        def load(self, context: Context) -> None:
            with open(tmp_path / "own", "ab") as file:
                file.write(b"x")

    (tmp_path / "base").mkdir()
    (tmp_path / "own").write_bytes(b"")
    track = load_track("mini").model_dump(mode="json") | {"base": str(tmp_path / "base")}
    (tmp_path / "track.yaml").write_text(yaml.safe_dump(track))
    breaks(checked(Writing, measure=False, track=str(tmp_path / "track.yaml")), "base-untouched", "the track's base model changed")
    breaks(checked(Training, measure=False), "base-untouched", "of the method's own changed")
    breaks(checked(Patching, measure=False), "base-untouched", "a-base, loaded before")


def test_what_the_user_can_mend_stops_the_check(checked: Checked, noise: type[Method]) -> None:
    class Lacking(noise):
        def weights(self, context: Context) -> Mapping[str, str]:
            raise NotAvailable("No weights here.")

    class Elsewhere(noise):
        info = replace(noise.info, tracks=("sd15",))

    with pytest.raises(NotAvailable, match="No weights here"):
        checked(Lacking)
    with pytest.raises(BenchError, match="runs on: sd15"):
        checked(Elsewhere)
    with pytest.raises(BenchError, match="no parameter 'shfit'"):
        checked(noise, parameters={"shfit": 1})
    with pytest.raises(BenchError, match="Unknown dtype"):
        checked(noise, dtype="float8")
    with pytest.raises(BenchError, match="Did you mean 'uce'"):
        check_method("uec")
