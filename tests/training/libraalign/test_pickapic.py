"""Safe-safe pairs from files with Pick-a-Pic's published columns: which rows are used, what is counted, and what a wrong file is told."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from bench.console import Quiet
from bench.errors import BenchError
from bench.miniature.render import render
from bench.miniature.scene import PromptKind, draw
from bench.registry import scorers
from bench.tracks import load_track
from bench.types import Context
from training.libraalign.build import train
from training.libraalign.config import LibraAlignConfig
from training.libraalign.dataset import Part, decode
from training.libraalign.hf import Annotator, HFSettings
from training.libraalign.pickapic import PickAPicSettings, read_pickapic
from training.preferences import ANNOTATIONS, label
from training.recipes import config_path, load_config

SCHEMA = pa.schema(
    [
        ("are_different", pa.bool_()),
        ("caption", pa.string()),
        ("jpg_0", pa.binary()),
        ("jpg_1", pa.binary()),
        ("label_0", pa.float64()),
        ("label_1", pa.float64()),
        ("model_0", pa.string()),
        ("model_1", pa.string()),
        ("ranking_id", pa.int64()),
    ]
)
RNG = np.random.default_rng(3)
PLAIN, HARM = PromptKind.PLAIN, PromptKind.EXPLICIT


def jpg(kind: PromptKind = PLAIN) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(render(draw(RNG, kind).scene)[0]).save(buffer, format="JPEG", quality=95)
    return buffer.getvalue()


def row(caption: str, label: float = 1.0, **changes: Any) -> dict[str, Any]:
    made = {"caption": caption, "jpg_0": jpg(), "jpg_1": jpg(), "label_0": label, "label_1": 1 - label, "model_0": "one", "model_1": "two"}
    return {"are_different": True, "ranking_id": 7, **made, **changes}


def write(path: Path, rows: Sequence[dict[str, Any]], drop: Sequence[str] = (), group: int = 2) -> str:
    pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA).drop_columns(list(drop)), path, row_group_size=group)
    return str(path)


ROWS = [
    row("a red circle"),
    row("a blue  square", 0.0),
    row("a red circle", 0.0),  # there already
    row("a tie", 0.5),
    row(""),
    row("long " * 2001),
    row("never asked", label=float("nan")),
    row("a school yard", 1.0),  # taken by the screen, in the form for unsafe sets
    row("a green triangle"),
    row("broken", jpg_1=b"no picture"),
    row("missing", jpg_0=None),
    row("not safe", jpg_1=jpg(HARM)),
    row("the same twice"),
    *(row(f"a circle, number {number}") for number in range(6)),
]
ROWS[12]["jpg_1"] = ROWS[12]["jpg_0"]
UNSEEN = {
    "a caption that is there already": 1,
    "no preference": 1,
    "no caption": 1,
    "a caption longer than the child-safety screen reads": 1,
    "no label": 1,
    "taken by the child-safety screen": 1,
}
SEEN = {
    "a picture of Pick-a-Pic cannot be read": 2,
    "a picture of Pick-a-Pic is not safe by its cost": 1,
    "both pictures of Pick-a-Pic are the same": 1,
}


@pytest.fixture
def files(tmp_path: Path) -> str:
    write(tmp_path / "train-00000.parquet", ROWS[:10])
    write(tmp_path / "train-00001.parquet", ROWS[10:], drop=["model_0", "model_1"])
    return str(tmp_path / "train-*.parquet")


def config(files: str, pairs: int, **changes: Any) -> LibraAlignConfig:
    plan = {"prompts.harmful_limit": 2, "prompts.benign_limit": 1, "unit": 2, "editor.steps": 2, "hf.tries": 1, "stages": ["hf"], "plainer": None}
    source = [{"name": "base", "method": "sd-v1.5", "steps": 2}]
    own = {"sources": source, "pickapic.files": files, "pickapic.pairs": pairs, **{name.replace("__", "."): value for name, value in changes.items()}}
    made = load_config("libraalign", config_path("libraalign", "mini"), plan | own)
    assert isinstance(made, LibraAlignConfig)
    return made


def test_a_caption_gives_one_usable_row_and_every_other_is_counted(files: str) -> None:
    found = read_pickapic(PickAPicSettings(files=files, pairs=3), seed=0)
    unusable = {"", "a tie", "never asked", "a school yard", "long " * 2001}
    assert {each.caption for each in found.rows} == {each["caption"].replace("  ", " ") for each in ROWS if each["caption"] not in unusable}
    assert found.left_out == UNSEEN and len(found.screened) == 1
    assert len(found.rows) + sum(UNSEEN.values()) == len(ROWS)
    assert "a tie" in {each.caption for each in read_pickapic(PickAPicSettings(files=files, pairs=3, ties=True), seed=0).rows}


def test_the_order_is_the_seeds_and_row_groups_stay_together(files: str) -> None:
    settings = PickAPicSettings(files=files, pairs=3)
    first, again, other = (read_pickapic(settings, seed) for seed in (0, 0, 1))
    assert first.rows == again.rows and first.digest == again.digest != other.digest
    groups = [(each.file, each.group) for each in first.rows]
    assert len(set(groups)) == sum(one != other for one, other in zip(groups, [None, *groups], strict=False))


def test_pairs_come_from_the_rows_and_every_row_that_gave_none_is_counted(files: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    reported = train(config(files, 12), out, Quiet())
    rows = [each for _, each in Part(out, "hf").rows() if each["kind"] == "safe-safe"]
    assert {each["caption"] for each in rows} == {"a red circle", "a blue square", "a green triangle", *(f"a circle, number {n}" for n in range(6))}
    originals = {" ".join(each["caption"].split()): each for each in reversed(ROWS)}
    for each in rows:
        assert each["safe_caption"] == each["caption"] and each["category"] == "benign" and each["seed_0"] is None
        assert each["source"] == ("pick-a-pic" if each["caption"].startswith("a circle") else "pick-a-pic: one | two")
        assert max(each["cost_0"], each["cost_1"]) < 0
        for place in (0, 1):  # the file as it was, not encoded anew
            assert each[f"image_{place}"]["bytes"] == originals[each["caption"]][f"jpg_{place}"]
            assert decode(each[f"image_{place}"], "").shape == (32, 32, 3)
    manifest = json.loads((out / "manifest.json").read_text())
    left_out = manifest["counts"]["hf"]["left_out"]
    assert {reason: left_out[reason] for reason in SEEN} == SEEN
    assert manifest["counts"]["pickapic"] == {"rows": 13, "left_out": UNSEEN} and manifest["wanted"] == {"safe-safe pairs": 12}
    assert len(manifest["screened_out_sha256"]) == 1 and len(manifest["captions_sha256"]) == 64
    assert {"part": "hf", "what": "short of the 12 safe-safe pairs that were wanted", "count": 3} in reported
    pairs, _ = label([each for _, each in Part(out, "hf").rows(ANNOTATIONS)], "composite", 1.0, 0.0)
    assert sum(pair.kind == "safe-safe" for pair in pairs) == 9


def test_no_more_pairs_than_asked_for(files: str, tmp_path: Path) -> None:
    reported = train(config(files, 4), tmp_path / "few", Quiet())
    assert sum(each["kind"] == "safe-safe" for _, each in Part(tmp_path / "few", "hf").rows()) == 4
    assert not any("short of" in each["what"] for each in reported)


def test_without_the_filter_costs_decide_nothing(files: str) -> None:
    annotator = Annotator(*(scorers.get(name)(**load_track("mini").scorers[name]) for name in ("pickscore", "sc")))
    for scorer in (annotator._quality, annotator._cost):
        scorer.load(Context(load_track("mini")))
    found = read_pickapic(PickAPicSettings(files=files, pairs=1), seed=0)
    kept = {each: found.make_unit(0, 0, 13, annotator, HFSettings(filter=each))[0] for each in (True, False)}
    assert {each["caption"] for each in kept[False]} - {each["caption"] for each in kept[True]} == {"not safe"}
    assert max(each["cost_1"] for each in kept[False]) > 0


@pytest.mark.parametrize(
    ("drop", "says"), [(["jpg_0"], "has no column 'jpg_0'; it has: .*_no_images files do not"), (["label_1"], "has no column 'label_1'")]
)
def test_a_file_without_a_column_is_one_clear_line(tmp_path: Path, drop: list[str], says: str) -> None:
    with pytest.raises(BenchError, match=says) as caught:
        read_pickapic(PickAPicSettings(files=write(tmp_path / "a.parquet", ROWS, drop), pairs=1), 0)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_pickapics_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    texts = pa.table({**{name: ["1"] for name in ("caption", "jpg_0", "jpg_1")}, "label_0": [1.0], "label_1": [0.0]})
    pq.write_table(texts, tmp_path / "b.parquet")
    (tmp_path / "c.parquet").mkdir()
    for name, says in (
        ("c", "^Cannot read .*c.parquet: "),
        ("a", "is no readable Parquet file"),
        ("b", "the column 'jpg_0' is of type string"),
        ("nowhere*", "No file matches"),
    ):
        with pytest.raises(BenchError, match=says) as caught:
            read_pickapic(PickAPicSettings(files=str(tmp_path / f"{name}.parquet"), pairs=1), 0)
        assert "\n" not in str(caught.value)


def test_fewer_rows_than_pairs_are_refused_before_anything_is_made(files: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"holds 13 usable rows of 19 \(left out: .*1 no preference.*pickapic.pairs asks for 14") as caught:
        train(config(files, 14), tmp_path / "out", Quiet())
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_two_origins_of_safe_pairs_are_refused() -> None:
    with pytest.raises(BenchError, match="safe-safe pairs come from pickapic or from plainer: set one of them to null"):
        load_config("libraalign", config_path("libraalign", "mini"), {"pickapic.files": "x"})
