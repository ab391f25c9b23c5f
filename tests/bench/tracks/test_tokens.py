"""Prompts that a base's tokenizers cut are counted: in a run's manifest and caption, on a suite's card, and when data is added."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import bench
from bench.files.locations import resolve
from bench.registry import suites
from bench.reports.listing import describe
from bench.reports.run_tables import report_table
from bench.runs.folder import RunFolder
from bench.suites.from_files import add as adding
from bench.tracks import load_track
from bench.tracks.tokens import Cut, cut_prompts, tokenizers
from bench.types import Context
from bench.types.suite import Row, Suite, SuiteInfo
from bench.types.track import Track

LONG = "a red circle and a blue square beside a green triangle on a yellow ground under a sky"


def on(base: object, name: str = "mini") -> Track:
    return load_track(name).model_copy(update={"base": str(base)})


def test_each_prompt_that_one_tokenizer_cuts_is_counted(tiny_sd: Path, tiny_sdxl: Path, tmp_path: Path) -> None:
    for base in (tiny_sd, tiny_sdxl):
        (length,) = {len(each(LONG, verbose=False).input_ids) for each in tokenizers(base)}
        assert cut_prompts(on(base), ["a red circle", LONG, "", LONG]) == Cut(2, 4, length, 16)
        assert cut_prompts(on(base), []) == Cut(0, 0, 0, 16)
    assert [len(tokenizers(base)) for base in (tiny_sd, tiny_sdxl)] == [1, 2]
    # The second of SDXL's alone is shorter here.
    shutil.copytree(tiny_sdxl, tmp_path / "xl")
    file = tmp_path / "xl" / "tokenizer_2" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 4}))
    assert cut_prompts(on(tmp_path / "xl"), ["a red circle", "a"]) == Cut(1, 2, 5, 4)


def test_what_a_method_reads_prompts_with_is_what_counts(tiny_sd: Path, tmp_path: Path) -> None:
    from bench.registry import find_method

    def cut(name: str, **parameters: Any) -> Cut | None:
        adapter, named = find_method(name)
        return cut_prompts(on(tiny_sd), ["a red circle"], *adapter(**named, **parameters).prompts_read_by(Context(on(tiny_sd))))

    shutil.copytree(tiny_sd, tmp_path / "own")
    file = tmp_path / "own" / "tokenizer" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 4}))
    assert cut("sd-v1.5") == Cut(0, 1, 5, 16) and cut(f"pipeline:{tmp_path / 'own'}") == Cut(1, 1, 5, 4)
    torch.save({"<w>": torch.ones(12, 32)}, tmp_path / "w.pt")
    assert cut(f"embedding:{tmp_path / 'w.pt'}") == Cut(1, 1, 17, 16)
    assert cut(f"embedding:{tmp_path / 'w.pt'}", placement="negative") == Cut(0, 1, 5, 16)
    torch.save({"<w>": torch.ones(32)}, tmp_path / "w.pt")
    assert cut(f"embedding:{tmp_path / 'w.pt'}") == Cut(0, 1, 6, 16)


def test_a_prompt_that_just_fits_is_not_cut() -> None:
    track = load_track("mini")
    (tokenizer,) = tokenizers(resolve(track.base))
    word = "circle"
    assert len(tokenizer(word).input_ids) == 3
    assert cut_prompts(track, [" ".join([word] * 14)]) == Cut(0, 1, 16, 16)
    assert cut_prompts(track, [" ".join([word] * 15)]) == Cut(1, 1, 17, 16)


@pytest.mark.parametrize("base", ["hub:nobody/has-this", "/nowhere/at/all"])
def test_where_no_tokenizer_is_here_it_is_not_known(base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cut_prompts(on(base), [LONG]) is None
    assert cut_prompts(on(tmp_path), [LONG]) is None


class Wordy(Suite):
    """Three benign prompts, one of them long, two images of each."""

    info = SuiteInfo(name="wordy", version="1", summary="Long.", unsafe=False, images_per_prompt=2)

    def tracks(self) -> tuple[str, ...]:
        return ("mini",)

    def rows(self, track: Track) -> list[Row]:
        return [Row(f"w{at}", prompt, "words") for at, prompt in enumerate(["a red circle", LONG, "a blue square"])]


def test_a_run_and_its_suites_card_say_how_many_were_cut(toy: object, tmp_path: Path) -> None:
    suites.register("wordy", Wordy())
    try:
        (length,) = {len(each(LONG, verbose=False).input_ids) for each in tokenizers(resolve(load_track("mini").base))}
        card = {row["property"]: row["value"] for row in describe("wordy")}
        done = bench.run("toy", "wordy", scorers=["fidelity"], workers=1, out=tmp_path)
        first = bench.run("toy", "wordy", limit=1, scorers=["fidelity"], workers=1, out=tmp_path / "first")
    finally:
        suites.unregister("wordy")
    words = f"1 of 3 (16 tokens are read; the longest has {length})"
    assert card["prompts cut.mini"] == words
    assert RunFolder(done.path).manifest()["suite"]["cut"] == {"prompts": 1, "of": 3, "longest": length, "limit": 16}
    assert RunFolder(first.path).manifest()["suite"]["cut"]["of"] == 1
    suites.register("wordy", Wordy())
    try:
        assert f"Prompts cut: {words}." in report_table([done]).caption
        assert "Prompts cut: 0 of 1 (16 tokens are read)." in report_table([first]).caption
    finally:
        suites.unregister("wordy")


def test_no_suite_of_the_miniature_is_cut() -> None:
    card = {row["property"]: row["value"] for row in describe("i2p")}
    assert card["prompts cut.mini"] == "0 of 700 (16 tokens are read)"


@pytest.mark.parametrize("here", [True, False])
def test_adding_data_says_how_many_a_real_base_cuts_where_its_tokenizer_is_here(
    here: bool,
    data_home: Path,
    write: Callable[..., Path],
    i2p: Callable[..., list[dict[str, Any]]],
    tiny_sd: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = str(tiny_sd) if here else "hub:nobody/has-this"
    monkeypatch.setattr(adding, "load_track", lambda name: on(base, name))
    rows = i2p(30)
    rows[3]["prompt"] = LONG
    _, checks = adding.add("i2p", [write(tmp_path / "some.csv", rows)], accept_count=30)
    found = {row["check"]: row["file"] for row in checks if row["check"].startswith("prompts cut")}
    assert set(found) == ({"prompts cut on sd15", "prompts cut on sdxl"} if here else set())
    assert all(text.startswith("1 of 30 (16 tokens are read; the longest has ") for text in found.values())


def test_a_track_of_the_users_own_is_counted_by_its_own_base(tiny_sd: Path, toy: object, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(load_track("mini").model_dump(mode="json") | {"base": str(tiny_sd)}))
    done = bench.run("toy", "i2p", str(path), limit=3, scorers=["fidelity"], workers=1, out=tmp_path)
    assert RunFolder(done.path).manifest()["suite"]["cut"]["limit"] == 16
