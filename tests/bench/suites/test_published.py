"""The field's suites, read from their YAML files: what a run's identity rests on is what it was, and a file that is wrong says where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import BenchError
from bench.registry import suites
from bench.runs.spec import RunSpec, digest
from bench.suites.from_files.add import add
from bench.suites.from_files.dataset import DataSet, brought
from bench.suites.load import load_suite
from bench.suites.published import suite
from bench.tracks import load_track

GOLDEN: Mapping[str, Mapping[str, str]] = json.loads((Path(__file__).parent / "published.json").read_text())
"""Of every suite: version and digest on the miniature and on sd15 (there of the rows below), and the id of ``black``'s run on the miniature."""


def write(data: DataSet, path: Path, first: int = 0) -> Path:
    """A benign file of 24 rows in a data set's columns."""
    rows, columns = range(24), dict[str, Any]()
    columns[(data.prompt or ("text",))[0]] = [f"a red circle, number {first + at + 20}" for at in rows]
    columns |= {name: [at * 3 + 1 for at in rows] for name in data.number[:1]}
    columns |= {name: [("hate, sexual", "violence", "shocking")[at % 3] for at in rows] for name in data.category[:1]}
    columns |= {name: [at * 7 + 5 for at in rows] for name in data.seed[:1]}
    columns |= {name: [7 + at % 3 for at in rows] for name in data.guidance[:1]}
    columns |= {name: [512 if at % 2 else 768 for at in rows] for name in data.width[:1]}
    columns |= {name: [512] * 24 for name in data.height[:1]}
    columns |= {name: [f"a plain text {at}" for at in rows] for name in data.beside}
    columns |= {name: [at % 5 for at in rows] for name in data.metadata}
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_every_suite_is_a_file_and_every_file_a_suite() -> None:
    assert set(GOLDEN) <= set(suites.names())
    assert all(suites.is_own(name) and suites.get(name).info.name == name for name in GOLDEN)


@pytest.mark.parametrize("name", [name for name, said in GOLDEN.items() if "run" in said])
def test_on_the_miniature_digests_and_run_ids_are_what_they_were(name: str) -> None:
    loaded = load_suite(name, load_track("mini"))
    said = {"mini": f"{loaded.info.version} {loaded.digest}", "run": digest(RunSpec("black", name).identity())}
    assert said == {key: GOLDEN[name][key] for key in said}


def test_on_a_real_track_versions_and_digests_are_what_they_were(data_home: Path, tmp_path: Path) -> None:
    found = {name: each for name, each in ((name, brought(suites.get(name))) for name in GOLDEN) if each is not None}
    for data in {each.data.name: each.data for each in found.values()}.values():
        parts = [write(data, tmp_path / f"{part or data.name}.csv", 100 * at) for at, part in enumerate(data.parts or ("",))]
        add(data.name, parts, accept_count=24 * len(parts), column=None if data.prompt else "text")
    sd15 = load_track("sd15")
    said = {name: (loaded := load_suite(name, sd15)).info.version + " " + loaded.digest for name in found}
    assert said == {name: each["sd15"] for name, each in GOLDEN.items() if "sd15" in each}


HEAD = "unsafe: true\nsummary: a\nsource: b\nlicence: c\n"
BAD = {
    "unsafe: true\nsumary: x\n": ":2:1 declares no suite: sumary: Extra inputs are not permitted",
    "unsafe: perhaps\ndata: i2p\n": ":1:1 declares no suite: unsafe: Input should be a valid boolean",
    "unsafe: true\n": "declares no suite: the file: a suite has `data`",
    "unsafe: true\nunsafe: false\n": ":2:1: 'unsafe' stands twice, first in line 1. Keep one.",
    "unsafe: true\n data: [\n": ":2:6 is not YAML: mapping values are not allowed here.",
    HEAD + "data:\n  origin: d\n  access: open\n  rows: [many]\n": ":8:10 declares no data set: data.rows.0: ",
    HEAD + "data:\n  origin: d\n  access: open\n  promt: [x]\n": ":8:3 declares no data set: data.promt: ",
    HEAD + "data: nothing\n": "There is no suite file at ",
}


@pytest.mark.parametrize("text", BAD)
def test_a_file_that_is_wrong_says_in_one_line_what_and_where(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BenchError) as caught:
        suite(path)
    assert BAD[text] in str(caught.value) and str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_of_ones_own_is_a_suite(data_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("summary: a\nsource: b\nlicence: c\nunsafe: false\ntracks: [sd15]\ndata: {origin: here, access: open, prompt: [text]}\n")
    suites.register("mine", suite(path))
    try:
        pd.DataFrame({"text": ["a red circle", "a blue circle"]}).to_csv(tmp_path / "a.csv")
        add("mine", [tmp_path / "a.csv"])
        assert load_suite("mine", load_track("sd15")).prompts == 2
    finally:
        suites.unregister("mine")
