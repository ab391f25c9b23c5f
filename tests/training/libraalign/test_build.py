"""The whole build on the miniature: the same bytes however it is cut up, nothing done twice, rows that mean what they say, the command line."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from bench.errors import BenchError, NotAvailable
from bench.registry import scorers, suites
from bench.tracks import load_track
from bench.types import Context
from training.libraalign.build import train
from training.libraalign.config import LibraAlignConfig
from training.libraalign.dataset import BEYOND, Part, decode
from training.libraalign.hf import Annotator
from training.libraalign.prompts import CATEGORIES, draw_mini
from training.recipes import RECIPES, config_path, load_config

PLAN: dict[str, Any] = {
    "unit": 2,
    "prompts.harmful_limit": 6,
    "prompts.benign_limit": 3,
    "sources": [{"name": "base", "method": "sd-v1.5", "steps": 8}, {"name": "base, guidance 2", "method": "sd-v1.5", "guidance": 2.0, "steps": 8}],
    "editor.steps": 8,
    "coarse.images_per_prompt": 1,
    "hf.tries": 2,
}
UNITS = 3


class Quiet:
    """Progress that nobody watches; remembers how much was to be done, and can stop after so many units as a kill would."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.totals: list[int] = []
        self.left = stop_after

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        self.totals.append(total)
        return self._advance

    def _advance(self, done: int) -> None:
        if self.left is not None:
            self.left -= done
            if self.left == 0:
                raise KeyboardInterrupt


def config(**changes: Any) -> LibraAlignConfig:
    made = load_config("libraalign", config_path("libraalign", "mini"), PLAN | {name.replace("__", "."): value for name, value in changes.items()})
    assert isinstance(made, LibraAlignConfig)
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path, part: str) -> list[dict[str, Any]]:
    return [row for _, row in Part(folder, part).rows()]


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set, built without a break; for reading only."""
    folder = tmp_path_factory.mktemp("libraalign") / "whole"
    train(config(), folder, Quiet())
    return folder


def test_an_interrupted_build_ends_in_the_same_bytes(built: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path, Quiet(stop_after=1))
    assert len(Part(tmp_path, "coarse").tables()) == 1 and not (tmp_path / "manifest.json").exists()
    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path, Quiet(stop_after=UNITS))
    assert (len(Part(tmp_path, "coarse").tables()), len(Part(tmp_path, "hf").tables())) == (UNITS, 1)
    rest = Quiet()
    train(config(), tmp_path, rest)
    assert rest.totals == [0, UNITS - 1]
    assert files(tmp_path) == files(built)


@pytest.mark.slow
def test_two_shards_make_what_one_process_makes(built: Path, tmp_path: Path) -> None:
    watched = [Quiet(), Quiet()]
    train(config(shard="1/2"), tmp_path, watched[0])
    assert [path.name for path in Part(tmp_path, "hf").tables()] == ["hf-00001.parquet"] and not (tmp_path / "manifest.json").exists()
    train(config(shard="0/2"), tmp_path, watched[1])
    assert [each.totals for each in watched] == [[1, 1], [2, 2]]
    assert files(tmp_path) == files(built)


def test_what_is_finished_is_not_done_again(built: Path) -> None:
    tables = [*built.glob("*/*.parquet"), *built.glob("*/units/*.json")]
    before, content = {path: path.stat().st_mtime_ns for path in tables}, files(built)
    again = Quiet()
    counted = train(config(), built, again)
    assert len(before) == 4 * UNITS and again.totals == [0, 0]
    assert {path: path.stat().st_mtime_ns for path in tables} == before and files(built) == content
    assert {(row["part"], row["what"]): row["count"] for row in counted if not row["what"].startswith("left out")} == {
        (part, kind): count for part in ("coarse", "hf") for kind, count in manifest(built)["counts"][part]["kinds"].items()
    }


@pytest.mark.parametrize(("name", "value"), [("unit", 3), ("error_rate", 0.1), ("hf__tries", 1), ("seed", 12)])
def test_other_settings_in_the_same_folder_are_refused(built: Path, name: str, value: float) -> None:
    before = files(built)
    setting = name.replace("__", r"\.")
    with pytest.raises(BenchError, match=f"holds another data set: its {setting} is .* Give another --out") as caught:
        train(config(**{name: value}), built, Quiet())
    assert "\n" not in str(caught.value) and files(built) == before


@pytest.mark.parametrize("shard", ["2/2", "-1/2", "0/0", "1", "a/b", "0/1/2", ""])
def test_a_shard_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, shard: str) -> None:
    with pytest.raises(BenchError, match="shard must be i/n with 0 <= i < n"):
        train(config(shard=shard), tmp_path / "out", Quiet())
    assert not (tmp_path / "out").exists()


def test_every_hf_row_has_both_annotations_and_its_kind_is_true(built: Path) -> None:
    found = rows(built, "hf")
    kinds = Counter(row["kind"] for row in found)
    assert kinds["harmful-safe"] >= 2 and kinds["safe-safe"] == 3
    for row in found:
        assert all(isfinite(row[f"{name}_{place}"]) for name in ("quality", "cost") for place in (0, 1))
        images = [decode(row[f"image_{place}"], row["pair_id"]) for place in (0, 1)]
        assert images[0].shape == images[1].shape == (32, 32, 3) and not np.array_equal(*images)
        assert row["seed_0"] != row["seed_1"]
        if row["kind"] == "harmful-safe":
            assert row["cost_0"] > 0 > row["cost_1"]
            assert row["safe_caption"] != row["caption"] and row["category"] in CATEGORIES and row["source"] == "base"
        else:
            assert row["safe_caption"] == row["caption"] and row["category"] == "benign" and row["source"] == "base | uce"
    assert len({row["pair_id"] for row in found}) == len(found)


def test_a_folder_of_before_a_setting_was_there_is_refused_by_its_name(built: Path, tmp_path: Path) -> None:
    before = json.loads((built / "config.json").read_text())
    del before["hf"]["quality_against"]
    (tmp_path / "config.json").write_text(json.dumps(before))
    with pytest.raises(BenchError, match=r"its hf\.quality_against is not there, asked for 'own'"):
        train(config(), tmp_path, Quiet())


def test_as_the_paper_has_it_quality_is_of_one_caption_and_no_pair_is_filtered(built: Path, tmp_path: Path) -> None:
    paper = config(stages=["hf"], hf__quality_against="caption", hf__filter=False, hf__pairs=5, plainer=None)
    train(paper, tmp_path, Quiet())
    found = rows(tmp_path, "hf")
    assert [row["kind"] for row in found] == ["harmful-safe"] * 5
    # Each prompt has its pair at the first try, whatever the costs; what is beyond five is taken away and counted.
    assert manifest(tmp_path)["counts"]["hf"]["left_out"] == {BEYOND: 1} and manifest(tmp_path)["wanted"] == {"harmful-safe pairs": 5}
    quality = scorers.get("pickscore")(weights="package:bench.miniature/weights/pickscore")
    quality.load(Context(load_track("mini")))
    annotator = Annotator(quality, quality)
    images = [decode(row[f"image_{place}"], "") for row in found for place in (0, 1)]
    given = [row[f"quality_{place}"] for row in found for place in (0, 1)]
    assert given == pytest.approx(annotator.quality(images, [row["caption"] for row in found for _ in (0, 1)]), abs=1e-4)
    own = annotator.quality(images[1::2], [row["safe_caption"] for row in found])
    assert max(abs(one - other) for one, other in zip(own, given[1::2], strict=True)) > 0.1
    for folder, says in ((tmp_path, "The quality of both is measured against `caption`."), (built, "against the prompt that it was made from.")):
        assert says in (folder / "README.md").read_text()


def test_every_coarse_row_agrees_with_itself(built: Path) -> None:
    found = rows(built, "coarse")
    assert {row["kind"] for row in found} == {"harmful-harmful", "harmful-safe"}
    for row in found:
        levels = row["level_0"], row["level_1"]
        assert levels[row["more_harmful"]] == max(levels) > 0 and min(levels) >= 0 and max(levels) <= 3
        assert (row["harmful_0"], row["harmful_1"]) == (levels[0] > 0, levels[1] > 0)
        assert row["kind"] == ("harmful-harmful" if all(levels) else "harmful-safe")
        assert {row["category_0"], row["category_1"]} <= {*CATEGORIES, "benign"} != {"benign"}
        assert decode(row["image_0"], "").shape == decode(row["image_1"], "").shape == (32, 32, 3)
    assert {row["more_harmful"] for row in found} == {0, 1}
    assert {row["judge"] for row in found} == {"oracle, error rate 0"}
    assert len({row["pair_id"] for row in found}) == len(found)


def test_nothing_is_lost_without_being_counted(built: Path) -> None:
    counted = manifest(built)["counts"]
    for part in ("coarse", "hf"):
        found = rows(built, part)
        assert counted[part]["kinds"] == dict(Counter(row["kind"] for row in found))
        assert counted[part]["pairs"] == len(found) == sum(counted[part]["kinds"].values()) and counted[part]["units"] == UNITS
    assert counted["pairs"] == counted["coarse"]["pairs"] + counted["hf"]["pairs"]
    # Six harmful and three benign prompts: a pair each or a reason each; six pictures begin two coarse pairs each.
    assert counted["hf"]["pairs"] + sum(counted["hf"]["left_out"].values()) == 9
    assert counted["coarse"]["pairs"] + sum(counted["coarse"]["left_out"].values()) == 12
    assert counted["prompts"] == {"harmful": 6, "benign": 3, "left_out": {}}


def test_each_prompt_is_in_one_unit_alone(built: Path) -> None:
    units: dict[str, set[int]] = {}
    for unit, row in Part(built, "hf").rows():
        units.setdefault(row["caption"], set()).add(unit)
    assert len(units) == len(rows(built, "hf")) and all(len(each) == 1 for each in units.values())


def test_no_prompt_of_a_suite_is_trained_on(built: Path) -> None:
    track = load_track("mini")
    measured = {row.prompt for name in track.suites for row in suites.get(name).rows(track)}
    used = {row["caption"] for row in rows(built, "hf")} | {row[f"prompt_{place}"] for row in rows(built, "coarse") for place in (0, 1)}
    assert len(measured) > 1000 and used and not measured & used


def test_the_manifest_tells_what_the_data_set_is(built: Path) -> None:
    found = manifest(built)
    assert found["digests"] == {part: Part(built, part).digest() for part in ("coarse", "hf")}
    assert found["config"]["unit"] == 2 and "shard" not in found["config"] and len(found["config_digest"]) >= 8
    assert (found["quality"], found["cost"]) == ("pickscore", "sc") and "error rate 0" in found["judge"]
    for part in ("coarse", "hf"):
        for marker, table in zip(Part(built, part).markers(), Part(built, part).tables(), strict=True):
            assert marker["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    with Pillow.open(built / "pairs.png") as sheet:
        assert sheet.format == "PNG" and sheet.width * sheet.height >= len(rows(built, "hf")) * 96 * 192


def test_datasets_reads_what_was_built(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import load_dataset

    for part in ("coarse", "hf"):
        loaded = load_dataset(str(built), part, cache_dir=str(tmp_path))["train"]
        mine = rows(built, part)
        assert loaded["pair_id"][:] == [row["pair_id"] for row in mine]
        assert np.array_equal(np.asarray(loaded[1]["image_1"]), decode(mine[1]["image_1"], ""))


SCHOOL = "a school yard in the rain"
"""Harmless, but taken by the over-inclusive screen from what is declared unsafe."""


def write_csv(path: Path, header: list[str], lines: list[list[str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])
    return str(path)


def test_prompts_of_ones_own_are_screened_and_the_manifest_counts_them(tmp_path: Path) -> None:
    (text, _), (other, category), *_ = draw_mini(8, unsafe=True, seed=3)
    harmful = write_csv(
        tmp_path / "harmful.csv", ["prompt", "categories"], [[SCHOOL, "hate"], [other, f"{category}, hate"], [other, ""], ["a hill", ""]]
    )
    concepts = write_csv(tmp_path / "concepts.csv", ["category", "concept"], [["hate", "old mill"]])
    benign = write_csv(tmp_path / "benign.csv", ["prompt"], [[SCHOOL]])
    own = {"prompts.harmful": harmful, "prompts.benign": benign, "prompts.concepts": concepts, "stages": ["coarse"]}
    made = load_config("libraalign", config_path("libraalign", "mini"), PLAN | own)
    assert isinstance(made, LibraAlignConfig)
    train(made, tmp_path / "out", Quiet())
    found = manifest(tmp_path / "out")
    assert found["screened_out_sha256"] == [hashlib.sha256(SCHOOL.encode()).hexdigest()]
    assert found["counts"]["prompts"] == {
        "harmful": 1,
        "benign": 1,
        "left_out": {"harmful: taken by the child-safety screen": 1, "harmful: twice": 1, "harmful: no known category or concept": 1},
    }
    assert set(found["digests"]) == {"coarse"} and not (tmp_path / "out" / "hf").exists()
    kept = {row[f"category_{place}"] for row in rows(tmp_path / "out", "coarse") for place in (0, 1)}
    assert kept <= {category, "benign"} and text != other
    assert SCHOOL not in (tmp_path / "out" / "manifest.json").read_text()


def test_a_pool_without_a_usable_prompt_is_one_clear_line(tmp_path: Path) -> None:
    harmful = write_csv(tmp_path / "harmful.csv", ["prompt", "category"], [[SCHOOL, "hate"], ["a hill", ""]])
    with pytest.raises(BenchError, match=r"The harmful pool .* holds no usable prompt") as caught:
        train(config(prompts__harmful=harmful), tmp_path / "out", Quiet())
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def bench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=cwd, capture_output=True, text=True, env={**os.environ, **offline})


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    plan = PLAN | {"prompts.harmful_limit": 2, "prompts.benign_limit": 1, "hf.tries": 1}
    given = [part for name, value in plan.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    done = bench("train", "libraalign", *given, "--format", "json", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    folder = tmp_path / "runs" / "training" / "mini" / "libraalign"
    assert sum(row["count"] for row in counted if not row["what"].startswith("left out")) == manifest(folder)["counts"]["pairs"] > 0
    assert done.stderr.splitlines() == ["written: runs/training/mini/libraalign"]


MISTAKES = [
    (["libraaling"], ["Did you mean 'libraalign'?"]),
    (["libraalign", "--track", "minni"], ["Did you mean 'mini'?"]),
    (["libraalign", "--set", "frobnicate=1"], ["frobnicate", "LibraAlignConfig"]),
    (["libraalign", "--set", "unit.x=1"], ["--set unit.x", "'unit' is no group of settings"]),
    (["libraalign", "--set", "unit"], ["NAME=VALUE"]),
    (["libraalign", "--config", "nowhere.yaml"], ["nowhere.yaml"]),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=lambda value: " ".join(value))
def test_a_mistake_is_one_clear_line(arguments: list[str], says: list[str], tmp_path: Path) -> None:
    done = bench("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and all(each in line for each in says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hf.frobnicate", 1, "hf.frobnicate: Extra inputs"),
        ("hf.strength", 0, "hf.strength: Input should be greater than 0"),
        ("prompts.harmful_limit", 0, "prompts.harmful_limit: Input should be greater than or equal to 1"),
        ("sources", [], "sources: Tuple should have at least 1 item"),
        ("plainer", {"name": "x"}, "a source has either a method or a pipeline"),
        ("stages", ["fine"], "stages.0: Input should be 'coarse' or 'hf'"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(name: str, value: Any, says: str) -> None:
    with pytest.raises(BenchError, match=says) as caught:
        load_config("libraalign", config_path("libraalign", "mini"), {name: value})
    assert "\n" not in str(caught.value)


def test_without_a_recipe_they_are_listed(tmp_path: Path) -> None:
    done = bench("train", "--format", "json", cwd=tmp_path)
    listed = json.loads(done.stdout)
    assert done.returncode == 0 and [row["recipe"] for row in listed] == list(RECIPES)
    assert "mini" in next(row["tracks"] for row in listed if row["recipe"] == "libraalign")


def test_without_a_cost_model_the_coarse_part_is_kept_and_the_message_says_how_to_go_on(tmp_path: Path) -> None:
    lacking = config(
        cost={"scorer": "sc", "weights": str(tmp_path / "nowhere"), "clip": "package:bench.miniature/weights/clip"}, prompts__harmful_limit=2
    )
    with pytest.raises(NotAvailable, match="Train it on the coarse part: `bench train scm`"):
        train(lacking, tmp_path / "data", Quiet())
    assert Part(tmp_path / "data", "coarse").done(0)
