"""The real tracks' suites: small benign files in every published layout, and the rules that hold for all of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError, NotAvailable
from bench.registry import suites
from bench.suites.base import Row, Suite
from bench.suites.from_files.add import add
from bench.suites.from_files.dataset import BroughtSuite, brought, shuffled
from bench.suites.load import load_suite
from bench.suites.screening import screen
from bench.tracks import load_track

MINI, SD15, SDXL = load_track("mini"), load_track("sd15"), load_track("sdxl")
EXTRAS = ["coprov2", "i2p-official", "i2p-per-row", "p4d", "ring-a-bell", "six-cd", "unlearndiff"]
COLOURS = ("red", "blue", "green", "grey")


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def prompts(count: int) -> list[str]:
    return [f"a {COLOURS[at % 4]} circle beside {at + 20} squares" for at in range(count)]


def table(path: Path, **columns: Any) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_the_tracks_name_every_brought_suite_and_no_other() -> None:
    real = {name for name, suite in suites.items() if brought(suite)}
    assert set(SD15.suites) == set(SDXL.suites) == real
    assert set(suites.names()) - real == {"dev-benign", "dev-unsafe"}
    assert real - set(MINI.suites) == set(EXTRAS)


@pytest.mark.parametrize("name", SD15.suites)
def test_a_brought_suite_says_what_it_is(name: str) -> None:
    suite = brought(suites.get(name))
    assert suite is not None
    info, data = suite.info, suite.data
    assert info.name == name and info.unsafe == suites.get(name).info.unsafe
    assert info.version == ("2" if data.seed else "1") and info.summary and info.source and info.licence
    assert data.origin and data.access in ("open", "gated", "by request")
    assert not data.parts or sum(data.parts.values()) in data.rows
    assert all(len(each) == 64 for each in data.known)
    with pytest.raises(NotAvailable, match=rf"bench data add {name} FILE$") as caught:
        load_suite(name, SD15)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_has_no_variant_on_the_miniature(name: str) -> None:
    with pytest.raises(NotAvailable, match="no suite"):
        load_suite(name, MINI)
    with pytest.raises(NotAvailable, match=r"no variant on track 'mini'; it has one on: sd15, sdxl"):
        load_suite(name, MINI.model_copy(update={"suites": ()}))


def test_a_tuning_suite_is_the_miniatures_alone() -> None:
    with pytest.raises(NotAvailable, match="'sd15' has no suite 'dev-unsafe'"):
        load_suite("dev-unsafe", SD15)


def test_hpd_is_a_folder_or_its_four_files(tmp_path: Path) -> None:
    for style in ("anime", "concept-art", "paintings", "photo"):
        (tmp_path / f"{style}.json").write_text(json.dumps(prompts(800)))
    record, _ = add("hpd", [tmp_path])
    assert Counter(sample.category for sample in load_suite("hpd", SD15).samples) == dict.fromkeys(
        ("anime", "concept-art", "paintings", "photo"), 800
    )
    files = [tmp_path / f"{style}.json" for style in ("photo", "anime", "paintings", "concept-art")]
    assert add("hpd", files)[0].content == record.content
    with pytest.raises(BenchError, match="photo is not given"):
        add("hpd", files[1:])
    with pytest.raises(BenchError, match="both the part 'photo'"):
        add("hpd", [*files, files[0]])
    (tmp_path / "photo.json").write_text(json.dumps(prompts(799)))
    with pytest.raises(BenchError, match="photo has 799 rows where 800 are published"):
        add("hpd", [tmp_path])
    with pytest.raises(BenchError, match="expected files called anime"):
        add("hpd", [tmp_path / "other.json"])


def test_both_layouts_of_coco_are_the_same_suite(tmp_path: Path) -> None:
    common = {"source": "coco-30k", "prompt": prompts(30), "evaluation_seed": [at * 7 for at in range(30)]}
    first = table(tmp_path / "esd.csv", image_id=[f"{at + 300:012d}" for at in range(30)], **common)
    second = table(tmp_path / "uce.csv", case_number=range(30), **common, coco_id=range(300, 330))
    digests = []
    for path in (first, second):
        add("coco30k", [path], accept_count=30)
        digests.append(load_suite("coco30k", SD15).digest)
    assert digests[0] == digests[1]
    assert {sample.prompt_id for sample in load_suite("coco30k", SD15).samples} == {f"coco30k-{at:05d}" for at in range(300, 330)}


@pytest.mark.parametrize("names", [("Prompts", "Category"), ("prompts", "category"), ("Prompt", "Category")])
def test_drawbench_is_read_whatever_its_capitals(names: tuple[str, str], tmp_path: Path) -> None:
    columns = {names[0]: prompts(200), names[1]: ["Colors", "Gary Marcus et al. "] * 100}
    pd.DataFrame(columns).to_parquet(tmp_path / "a.parquet")
    add("drawbench", [tmp_path / "a.parquet"])
    assert Counter(sample.category for sample in load_suite("drawbench", SDXL).samples) == {"Colors": 100, "Gary Marcus et al.": 100}
    assert {sample.width for sample in load_suite("drawbench", SDXL).samples} == {1024}


def test_pickapic_needs_its_captions_alone(tmp_path: Path) -> None:
    pd.DataFrame({"caption": prompts(500), "jpg_0": [b"\xff"] * 500, "label_0": 0.5}).to_parquet(tmp_path / "a.parquet")
    assert add("pickapic", [tmp_path / "a.parquet"])[0].rows == 500
    loaded = load_suite("pickapic", SD15)
    assert len(loaded.samples) == 500 and not loaded.info.unsafe


def test_sneakyprompt_is_a_line_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "nsfw_200.txt").write_text("\n".join(prompts(200)) + "\n\n")
    assert add("sneakyprompt", [tmp_path / "nsfw_200.txt"])[0].rows == 200
    assert {sample.category for sample in load_suite("sneakyprompt", SD15).samples} == {"sexual"}


def test_mma_generates_the_adversarial_prompt_and_screens_the_target_too(tmp_path: Path) -> None:
    targets = [f"plain sentence {at + 20}" for at in range(6)]
    targets[2] = "a child with a kite"
    columns = {"target_prompt": targets, "adv_prompt": [f"zqx {word}" for word in prompts(6)], "sanitized_adv_prompt": "a", "clean_prompt": "b"}
    add("mma", [table(tmp_path / "a.csv", **columns)], accept_count=6)
    loaded = load_suite("mma", SD15)
    assert loaded.prompts == 5 and "mma-00002" not in {sample.prompt_id for sample in loaded.samples}
    assert loaded.excluded == (hashlib.sha256(columns["adv_prompt"][2].encode()).hexdigest(),)
    assert all(sample.prompt.startswith("zqx") and not sample.metadata for sample in loaded.samples)
    with pytest.raises(BenchError, match="no column 'target_prompt'"):
        add("mma", [table(tmp_path / "b.csv", adv_prompt=prompts(6))], accept_count=6)


def test_nsfw56k_is_drawn_from_the_file_by_seed(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", text=prompts(2100), score=0.5)
    with pytest.raises(BenchError, match=r"not published. State it: --column NAME; it has: text, score"):
        add("nsfw56k-sexual", [path])
    record, _ = add("nsfw56k-sexual", [path], column="text")
    loaded = load_suite("nsfw56k-sexual", SD15)
    assert record.rows == 2100 and loaded.total == 2000 and loaded.info.version == "1"
    assert load_suite("nsfw56k-sexual", SD15).digest == loaded.digest
    rows = [Row(f"n-{at}", "a red circle", "") for at in range(3000)]
    ours = brought(suites.get("nsfw56k-sexual"))
    assert ours is not None
    other = BroughtSuite(ours.info, ours.data, draw=2000, draw_seed=1)
    assert {row.prompt_id for row in ours.choose(rows)} == {row.prompt_id for row in ours.choose(rows[::-1])}
    assert {row.prompt_id for row in ours.choose(rows)} != {row.prompt_id for row in other.choose(rows)}
    with pytest.raises(BenchError, match="would have 50 prompts instead of 2000"):
        add("nsfw56k-sexual", [table(tmp_path / "b.csv", text=prompts(50))], column="text")


def test_six_cd_joins_its_two_files(tmp_path: Path) -> None:
    for name, rows in (("Harm", 991), ("Nudity", 1539), ("Celebrity", 3)):
        table(tmp_path / f"{name}.csv", case_number=range(rows), evaluation_seed=range(rows), prompt=prompts(rows))
    add("six-cd", [tmp_path])
    loaded = load_suite("six-cd", SD15)
    assert Counter(sample.category for sample in loaded.samples) == {"harm": 991, "nudity": 1539}
    assert "six-cd-harm-00000" in {sample.prompt_id for sample in loaded.samples}


def test_ring_a_bell_takes_either_set_and_marks_the_reconstruction(tmp_path: Path) -> None:
    for rows in (95, 250):
        add("ring-a-bell", [table(tmp_path / "a.csv", prompt=prompts(rows), case_number=range(rows), evaluation_seed=3)])
        assert load_suite("ring-a-bell", SD15).info.version == "2"
    rebuilt = table(tmp_path / "b.csv", **{"sensitive prompt": prompts(79), "normal prompt": "a"})
    with pytest.raises(BenchError, match="79 rows where 95 or 250 are published"):
        add("ring-a-bell", [rebuilt], column="sensitive prompt")
    add("ring-a-bell", [rebuilt], column="sensitive prompt", accept_count=79)
    assert load_suite("ring-a-bell", SD15).info.version == "2+rows.79+column.sensitive-prompt"


def test_unlearndiff_coprov2_and_p4d(tmp_path: Path) -> None:
    i2p = {"prompt": prompts(142), "categories": "sexual", "evaluation_seed": 5, "evaluation_guidance": 12, "case_number": range(100, 242)}
    add("unlearndiff", [table(tmp_path / "a.csv", **i2p)])
    assert {sample.guidance for sample in load_suite("unlearndiff", SD15).samples} == {7.5}
    add("coprov2", [table(tmp_path / "b.csv", prompt=prompts(60), image="x.jpg", category="Hate")], accept_count=60)
    assert load_suite("coprov2", SD15).info.version == "1+rows.60"
    add("p4d", [table(tmp_path / "c.csv", prompt=prompts(30))])
    assert load_suite("p4d", SD15).info.version == "2"


def test_a_limit_is_a_prefix_and_no_block_of_the_file(tmp_path: Path) -> None:
    add("coprov2", [table(tmp_path / "b.csv", prompt=prompts(60), category=["a"] * 30 + ["b"] * 30)], accept_count=60)
    whole, few = load_suite("coprov2", SD15), load_suite("coprov2", SD15, 20)
    assert few.samples == whole.samples[:20] and few.digest == whole.digest
    assert {sample.category for sample in few.samples} == {"a", "b"}


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=50), st.randoms(use_true_random=False))
def test_the_frozen_order_depends_on_the_ids_alone(numbers: list[int], order: Any) -> None:
    rows = [Row(f"r-{number}", "a red circle", "") for number in numbers]
    mixed = list(rows)
    order.shuffle(mixed)
    assert shuffled(rows, "s") == shuffled(mixed, "s") and set(shuffled(rows, "s")) == set(rows)


def test_a_finding_beside_a_prompt_counts() -> None:
    texts = ["a red circle", "a blue circle"]
    assert screen(texts, unsafe=True, beside=[(), ("a boy and his dog",)]).kept == (0,)
    assert screen(texts, unsafe=False, beside=[(), ("a boy and his dog",)]).kept == (0, 1)
    assert screen(texts, unsafe=False, beside=[(), ("a boy", "a nude statue")]).kept == (0,)


def test_a_row_may_bring_its_size() -> None:
    class Sized(Suite):
        info = replace(suites.get("drawbench").info, name="sized")

        def tracks(self) -> tuple[str, ...]:
            return ("mini",)

        def rows(self, track: Any) -> list[Row]:
            return [Row("a", "a red circle", ""), Row("b", "a blue circle", "", width=64, height=40)]

    suites.register("sized", Sized())
    try:
        samples = load_suite("sized", MINI).samples
    finally:
        suites.unregister("sized")
    assert [(each.width, each.height) for each in samples] == [(32, 32), (64, 40)]
