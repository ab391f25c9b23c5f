"""Published seeds are taken as they stand: the images of diffusers' own call, bit for bit, and earlier versions are still known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench import api
from bench.errors import BenchError
from bench.registry import suites
from bench.reports.listing import describe, verdict_rows
from bench.reports.run_tables import open_runs, report_table
from bench.runs.folder import RunFolder
from bench.seeds import SEED_LIMIT, derive_seed, generator, sample_seed
from bench.suites.base import Row, SeedPolicy, Suite, SuiteInfo
from bench.suites.from_files.add import add, current
from bench.suites.from_files.dataset import brought
from bench.suites.from_files.record import record_path
from bench.suites.load import load_suite
from bench.tracks import load_track
from bench.types import Sample
from bench.types.track import Track

MINI, SD15 = load_track("mini"), load_track("sd15")
SEEDED = ["coco30k", "i2p", "i2p-official", "i2p-per-row", "i2p-sexual", "p4d", "ring-a-bell", "six-cd", "unlearndiff"]
SEEDS = (0, 14489071, 2**31 + 5, 2**63 - 1)
Write = Callable[..., Path]
I2PRows = Callable[..., list[dict[str, Any]]]


class Seeded(Suite):
    """A suite of a plugin whose rows bring seeds."""

    def __init__(self, brings: Sequence[Any] = SEEDS, **changes: Any) -> None:
        self.info = replace(SuiteInfo(name="seeded", version="1", summary="Rows with seeds.", unsafe=False), **changes)
        self._brings = brings

    def tracks(self) -> tuple[str, ...]:
        return ("mini",)

    def rows(self, track: Track) -> Sequence[Row]:
        prompt = "a solid red circle left on white background"
        return [Row(f"row-{at}", f"{prompt} number {at}", "plain", seed=seed) for at, seed in enumerate(self._brings)]


@pytest.fixture(autouse=True)
def _forgotten(data_home: Path) -> Iterator[None]:
    yield
    suites.unregister("seeded")


def register(*arguments: Any, **changes: Any) -> None:
    suites.unregister("seeded")
    suites.register("seeded", Seeded(*arguments, **changes))


def numbered(folder: Path, count: int, i2p: I2PRows, write: Write) -> Path:
    return write(folder / "unsafe-prompts4703.csv", i2p(count))


def by_id(samples: Sequence[Sample], index: int = 0) -> dict[str, int]:
    return {each.prompt_id: each.seed for each in samples if each.image_index == index}


def test_image_0_takes_the_rows_seed_and_further_images_hash_it(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [numbered(tmp_path, 12, i2p, write)], accept_count=12)
    published = {f"i2p-{at:05d}": 2**31 + at for at in range(12)}
    for name in ("i2p", "i2p-official", "i2p-per-row"):
        samples = load_suite(name, SD15).samples
        assert by_id(samples) == published
    further = by_id(load_suite("i2p-official", SD15).samples, 3)
    assert further == {name: derive_seed(seed, name, 3) for name, seed in published.items()}


def test_what_publishes_no_seed_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "nsfw_200.txt").write_text("".join(f"a red circle beside {at} squares\n" for at in range(200)))
    add("sneakyprompt", [tmp_path / "nsfw_200.txt"])
    loaded = load_suite("sneakyprompt", SD15)
    assert loaded.info.version == "1"
    assert by_id(loaded.samples) == {each.prompt_id: derive_seed(SD15.seed, each.prompt_id, 0) for each in loaded.samples}


def test_every_suite_whose_file_has_seeds_has_a_new_version_and_knows_the_old_one() -> None:
    real = {name: found for name, suite in suites.items() if (found := brought(suite))}
    assert sorted(name for name, suite in real.items() if suite.data.seed) == SEEDED
    for name, suite in real.items():
        assert (suite.info.version, dict(suite.info.earlier)) == (("2", {"1": SeedPolicy.HASHED}) if name in SEEDED else ("1", {}))


def test_an_earlier_version_is_loaded_as_it_was(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [numbered(tmp_path, 12, i2p, write)], accept_count=12)
    before = load_suite("i2p-official", SD15, version="1+rows.12")
    assert before.info.version == "1+rows.12" and before.info.seeds is SeedPolicy.HASHED
    assert all(each.seed == derive_seed(2**31 + int(each.prompt_id[-5:]), each.prompt_id, each.image_index) for each in before.samples)
    now = load_suite("i2p-official", SD15)
    assert now.info.version == "2+rows.12" and now.digest != before.digest
    for unknown in ("1", "1+rows.13", "3+rows.12"):  # of other data, or of no version that is known here
        assert load_suite("i2p-official", SD15, version=unknown).info == now.info


@given(st.integers(0, SEED_LIMIT - 1))
def test_torch_takes_every_seed_as_it_is(seed: int) -> None:
    assert sample_seed(SeedPolicy.PUBLISHED, seed, 7, "a", 0) == seed
    made = generator(Sample("a", "a red circle", "", 0, seed, 32, 32, 2, 4.0))
    assert made.initial_seed() == seed and torch.equal(torch.randn(3, generator=made), torch.randn(3, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("seed", [-1, SEED_LIMIT, 2**64, True])
def test_a_seed_that_cannot_be_passed_on_is_refused(seed: Any) -> None:
    register((5, seed))
    with pytest.raises(BenchError, match=rf"'seeded' is broken: row 1: seed must be a whole number in \[0, {SEED_LIMIT}\).*; got {seed}\.$"):
        load_suite("seeded", MINI)
    register((5, seed), seeds=SeedPolicy.HASHED)
    assert all(0 <= each.seed < SEED_LIMIT for each in load_suite("seeded", MINI).samples)


def test_a_policy_that_is_none_is_refused() -> None:
    register(seeds="as published")
    with pytest.raises(BenchError, match="seeds must be 'published' or 'hashed'; got 'as published'"):
        load_suite("seeded", MINI)


def test_show_says_which_policy_a_version_has(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    add("i2p", [numbered(tmp_path, 12, i2p, write)], accept_count=12)
    shown = {row["property"]: row["value"] for row in describe("i2p")}
    assert shown["real tracks.version"] == "2+rows.12" and shown["real tracks.earlier.1"] == "hashed"
    assert shown["real tracks.seeds"].startswith("published: image 0 takes the row's seed as it stands; further images")


def test_a_record_made_before_states_todays_version(tmp_path: Path, write: Write, i2p: I2PRows) -> None:
    record, _ = add("i2p", [numbered(tmp_path, 12, i2p, write)], accept_count=12)
    old = {name: each.model_copy(update={"version": "1+rows.12"}) for name, each in record.suites.items()}
    record_path("i2p").write_text(record.model_copy(update={"suites": old}).model_dump_json())
    assert current("i2p") == record


def pipeline_of(folder: Path, scheduler: dict[str, Any]) -> StableDiffusionPipeline:
    """diffusers' own pipeline with the track's sampler."""
    import diffusers

    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)
    kind = getattr(diffusers, scheduler["class"])
    changes = {name: value for name, value in scheduler.items() if name != "class"}
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config, **changes)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def check_bits(done: api.Run, published: dict[str, int]) -> None:
    """Hold every image of a run against diffusers called with a CPU generator of the published seed."""
    track = done.spec.loaded_track
    pipeline = pipeline_of(track.base_path(), track.scheduler)
    folder = RunFolder.open(done.path)
    rows = folder.samples().to_pylist()
    assert len(rows) == len(published)
    for row in rows:
        with torch.inference_mode():
            made = pipeline(
                row["prompt"],
                height=row["height"],
                width=row["width"],
                num_inference_steps=row["steps"],
                guidance_scale=row["guidance"],
                generator=torch.Generator("cpu").manual_seed(published[row["prompt_id"]]),
                output_type="pil",
            )
        np.testing.assert_array_equal(np.asarray(made.images[0]), folder.images.get(row["image"]))


def test_the_miniatures_images_are_diffusers_own(tmp_path: Path) -> None:
    register()
    done = bench.run("sd-v1.5", "seeded", batch_size=1, scorers=["fidelity"], out=tmp_path, workers=1)
    check_bits(done, {f"row-{at}": seed for at, seed in enumerate(SEEDS)})


@pytest.fixture
def old_run(toy: object, tmp_path: Path) -> api.Run:
    """A run of version 1 of a suite, which hashed; since then the suite is in version 2."""
    register(seeds=SeedPolicy.HASHED)
    done = bench.run("toy", "seeded", scorers=["fidelity"], out=tmp_path, workers=1)
    register(version="2", earlier={"1": SeedPolicy.HASHED})
    return done


def test_a_run_of_an_earlier_version_is_verified_made_again_and_scored(old_run: api.Run) -> None:
    proof = api.verify(old_run.path)
    assert proof.whole
    says = "seeded was in version 1 when this run was made and is in version 2 here, whose seeds are hashed where this one's are published"
    first = verdict_rows(proof, [])[0]
    assert first["check"] == "suite" and first["result"].startswith(says)
    assert all(each.identical for each in api.regenerate(old_run.path, 4))
    assert api.score(old_run.path, ["severity"], workers=1).complete
    assert f"{says}: numbers compare within one version." in report_table(open_runs([old_run.path])).caption


def test_todays_version_is_another_run_and_says_nothing_of_it(old_run: api.Run, tmp_path: Path) -> None:
    new = bench.run("toy", "seeded", scorers=["fidelity"], out=tmp_path, workers=1)
    assert new.path != old_run.path and json.loads((new.path / "manifest.json").read_text())["suite"]["version"] == "2"
    assert "in version" not in report_table(open_runs([new.path])).caption and api.verify(new.path).suite_since == ""
    both = report_table(open_runs([old_run.path, new.path])).caption
    assert both.count("seeded was in version 1") == 1
    with pytest.raises(BenchError, match=r"\(seeded 1 on mini, seeded 2 on mini\); numbers are compared within one of each"):
        api.compare([str(old_run.path), str(new.path)], "seeded")


def test_a_suite_that_kept_its_version_is_refused_with_the_way_back(toy: object, tmp_path: Path) -> None:
    register(seeds=SeedPolicy.HASHED)
    done = bench.run("toy", "seeded", scorers=["fidelity"], out=tmp_path, workers=1)
    register()
    with pytest.raises(BenchError, match=r"was made of seeded 1 \(.*here it is seeded 1 .*`seeds=SeedPolicy.HASHED` in its `info`\.$"):
        api.verify(done.path)
