"""On how many samples a method acted: from its outcomes to the units' markers, the manifest and the caption, and never into the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import bench
from bench import registry
from bench.reports.run_tables import report_table
from bench.runs.acting import Acted, count, together, total
from bench.runs.find import Run, describe
from bench.runs.folder import RunFolder
from bench.runs.spec import RunSpec
from bench.tracks import load_track
from bench.types import Blocked, Context, Generated, Kind, MethodInfo, Outcome, Sample
from tests.conftest import Toy

IMAGE: Any = None


class Sometimes(Toy):
    """The toy as a method that guides: it acted on every n-th image, at 3 steps; it does not say where ``every`` is 0."""

    info = MethodInfo("sometimes", Kind.GUIDANCE, "Counts.", code="here", defaults={"trouble": "", "shift": 0, "every": 2, "idle": ""})

    def cannot_act(self, context: Context, sample: Sample) -> str:
        return str(self.parameters["idle"])

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        every = self.parameters["every"]
        given = super().generate(samples)
        if not every:
            return given
        return [
            Generated(each.image, 3 * (sample.seed % every == 0)) if isinstance(each, Generated) else each
            for each, sample in zip(given, samples, strict=True)
        ]


@pytest.fixture
def sometimes() -> Iterator[None]:
    registry.methods.register("sometimes", Sometimes)
    yield
    registry.methods.unregister("sometimes")


def run(out: Path, method: str = "sometimes", **parameters: object) -> Run:
    return bench.run(method, "i2p", parameters=parameters, limit=20, batch_size=4, scorers=["fidelity"], workers=1, out=out)


def caption(done: Run) -> str:
    return report_table([done]).caption


def test_outcomes_are_counted() -> None:
    said = [Generated(IMAGE, 5), Generated(IMAGE, 0), Blocked("no"), "RuntimeError: it broke"]
    assert count(said) == Acted(2, 3, 5)
    assert count([*said, Generated(IMAGE)]) is None
    assert count(["failed"]) == Acted(0, 0, 0)
    assert together([Acted(1, 2, 3), Acted(0, 4, 0)]) == Acted(1, 6, 3)
    assert together([Acted(1, 2, 3), None]) is None and together([]) is None
    assert total([{"acted": {"samples": 1, "of": 2, "steps": 3}}, {"samples": 5}]) is None
    assert total([{"acted": {"samples": 1, "of": 2, "steps": 3}}]) == Acted(1, 2, 3)


def test_a_sentence_is_said_where_it_acted_on_none_or_not_on_all() -> None:
    assert Acted(0, 64, 0).sentence("sld-weak") == "sld-weak acted on 0 of 64 samples: these are the base's images."
    assert Acted(3, 64, 9).sentence("sld-weak") == "sld-weak acted on 3 of 64 samples: the other images are the base's."
    assert Acted(64, 64, 9).sentence("sld-weak") == ""


def test_the_counts_stand_in_the_manifest_and_the_caption_and_the_rows_know_nothing_of_them(sometimes: None, toy: object, tmp_path: Path) -> None:
    done, plain = run(tmp_path), run(tmp_path, "toy")
    samples = RunSpec("toy", "i2p", limit=20).loaded_suite.samples
    acted = sum(sample.seed % 2 == 0 for sample in samples)
    assert 0 < acted < 20 and done.acted == Acted(acted, 20, 3 * acted)
    assert RunFolder(done.path).manifest()["acted"] == {"samples": acted, "of": 20, "steps": 3 * acted}
    assert f"sometimes acted on {acted} of 20 samples: the other images are the base's." in caption(done)
    tables = [[file.read_bytes() for file in sorted((each.path / "samples").iterdir())] for each in (done, plain)]
    assert tables[0] == tables[1]
    assert [row | {"run": "", "method": "", "label": ""} for row in report_table([done]).rows] == [
        row | {"run": "", "method": "", "label": ""} for row in report_table([plain]).rows
    ]


def test_none_is_said_all_is_not_and_both_survive_another_look(sometimes: None, tmp_path: Path) -> None:
    none, every = run(tmp_path, every=2**62), run(tmp_path, every=1)
    assert f"sometimes every={2**62} acted on 0 of 20 samples: these are the base's images." in caption(none)
    assert "acted" not in caption(every)
    again = report_table([describe(RunFolder.open(each.path)) for each in (none, every)])
    assert again.caption.count("acted on") == 1


def test_a_method_that_guides_and_does_not_say_is_not_known(sometimes: None, toy: object, tmp_path: Path) -> None:
    silent = run(tmp_path, every=0)
    assert silent.acted is None and "acted" not in RunFolder(silent.path).manifest()
    assert "On how many samples sometimes every=0 acted is not known." in caption(silent)
    assert "acted" not in caption(run(tmp_path, "toy"))  # a floor


def test_an_old_run_without_counts_is_read(sometimes: None, tmp_path: Path) -> None:
    done = run(tmp_path)
    later = {"acted", "run_id", "versions", "schema_version", "sha256"}
    for file in (done.path / "units").iterdir():
        file.write_text(json.dumps({name: value for name, value in json.loads(file.read_text()).items() if name not in later}))
    manifest = RunFolder(done.path).manifest()
    del manifest["acted"], manifest["suite"]["cut"]
    (done.path / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 1}))
    old = describe(RunFolder.open(done.path))
    assert old.complete and old.acted is None
    assert "On how many samples sometimes acted is not known." in caption(old) and "Prompts cut: not known." in caption(old)
    assert run(tmp_path).path == done.path


def test_a_run_that_was_begun_is_finished_whatever_the_settings(sometimes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(tmp_path)
    monkeypatch.setattr(Sometimes, "cannot_act", lambda *given: "it cannot act")
    assert run(tmp_path).path == done.path
    with pytest.raises(bench.errors.BenchError, match=r"^it cannot act$"):
        run(tmp_path, shift=1)


@pytest.mark.parametrize("acted", [-1, 0.5, "all"])
def test_a_count_that_is_none_is_a_failed_sample(acted: object, sometimes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Toy.generate
    monkeypatch.setattr(Sometimes, "generate", lambda self, samples: [Generated(each.image, acted) for each in original(self, samples)])
    assert run(tmp_path).failures().endswith(f": expected acted as a number of steps or None, got {acted!r}")


@pytest.mark.parametrize(("device", "said"), [("cpu", set()), ("cuda", {"tf32_matmul", "tf32_convolutions"})])
def test_the_manifest_says_what_tf32_was(device: str, said: set[str], toy: object, tmp_path: Path) -> None:
    from bench.runs.manifest import begin

    spec = RunSpec("toy", "i2p", limit=2, device=device)
    begin(RunFolder(tmp_path), spec, "0" * 64)
    numerics = RunFolder(tmp_path).manifest()["numerics"]
    assert set(numerics) == {"attention", "channels_last", "compile", "offload"} | said
    assert all(isinstance(numerics[name], bool) for name in said)


def test_half_precision_made_otherwise_is_another_run() -> None:
    settings = {dtype: RunSpec("black", "i2p", limit=1, dtype=dtype).identity()["settings"] for dtype in ("float32", "bfloat16", "float16")}
    assert [each.get("precision") for each in settings.values()] == [None, 2, 2]


def test_a_scheduler_stepped_otherwise_is_another_run(tmp_path: Path) -> None:
    def settings(scheduler: str) -> dict[str, Any]:
        path = tmp_path / f"{scheduler}.yaml"
        path.write_text(yaml.safe_dump(load_track("mini").model_dump(mode="json") | {"scheduler": {"class": scheduler}}))
        return RunSpec("black", "i2p", str(path), limit=1).identity()["settings"]

    assert [settings(name).get("stepping") for name in ("DDIMScheduler", "TCDScheduler")] == [None, 2]


def test_a_comparison_says_it_too(
    sometimes: None, toy: object, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.cli.results import compare

    monkeypatch.setenv("COLUMNS", "250")
    runs = [str(run(tmp_path, "toy").path), str(run(tmp_path, every=2**62).path)]
    compare(runs, "i2p", "mini", 20, tmp_path)
    assert f"sometimes every={2**62} acted on 0 of 20 samples" in " ".join(capsys.readouterr().out.split())


def test_a_run_of_the_base_under_another_name_is_idle_and_a_filter_that_refused_nothing_is_not(sometimes: None, tmp_path: Path) -> None:
    assert run(tmp_path, every=2**62).idle and not run(tmp_path).idle and not run(tmp_path, every=0).idle
    done = run(tmp_path, every=2**62)
    manifest = RunFolder(done.path).manifest()
    manifest["method"]["kind"] = "filter"
    RunFolder(done.path).write_manifest(manifest)
    assert not done.idle
