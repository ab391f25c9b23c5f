"""The data set on disk: Hugging Face ``datasets`` reads it as it is, an unfinished unit does not count, damage is one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import BenchError
from training.libraalign import dataset
from training.libraalign.dataset import COARSE, HF, SCHEMAS, Part, counts, decode, encode, write_card

NOTES = {"kinds": {"safe-safe": 2}, "skips": {}}


def pixels(seed: int, height: int = 6, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def row(part: str, number: int, unit: int = 0) -> dict[str, Any]:
    """A row of the part's schema, every value told by its number."""
    made: dict[str, Any] = {}
    for name, kind in SCHEMAS[part].items():
        if kind == dataset.PICTURE:
            made[name] = encode(pixels(100 * unit + 2 * number + int(name[-1])))
        elif kind == pa.string():
            made[name] = f"{name} of {number}"
        elif kind == pa.bool_():
            made[name] = number % 2 == 0
        elif kind == pa.float32():
            made[name] = number + 0.25
        else:
            made[name] = number % 2
    return made | {"pair_id": f"{part}-{unit:05d}-{number:05d}"}


def commit(folder: Path, part: str = "hf", unit: int = 0, rows: int = 2, **notes: Any) -> Part:
    made = Part(folder, part)
    made.commit(unit, [row(part, number, unit) for number in range(rows)], NOTES | notes)
    return made


def card(folder: Path) -> None:
    found = counts(folder) | {"categories": 7, "concepts": 9, "prompts": {"harmful": 2, "benign": 1, "left_out": {"harmful: twice": 3}}}
    said = {"title": "A title", "summary": "A summary.", "judge": "a judge", "cost": "sc", "quality": "pickscore", "quality_against": "caption"}
    write_card(folder, {**said, "counts": found, "wanted": {"safe-safe pairs": 2}})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No network; returns a cache folder."""
    import datasets
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.mark.parametrize("part", SCHEMAS)
def test_datasets_reads_a_unit_as_it_is(tmp_path: Path, offline: Path, part: str) -> None:
    from datasets import load_dataset

    unit = commit(tmp_path / "set", part, rows=3)
    loaded = load_dataset("parquet", data_files=[str(path) for path in unit.tables()], cache_dir=str(offline))["train"]
    assert loaded.column_names == list(SCHEMAS[part])
    for number, each in enumerate(loaded):
        wanted = row(part, number)
        for name, value in wanted.items():
            if name.startswith("image"):
                assert each[name].mode == "RGB" and each[name].format == "PNG"
                assert np.array_equal(np.asarray(each[name]), decode(value, "here"))
            else:
                assert each[name] == value


def test_datasets_reads_the_folder_by_the_parts_names(tmp_path: Path, offline: Path) -> None:
    from datasets import get_dataset_config_names, load_dataset

    folder = tmp_path / "set"
    commit(folder, "coarse", rows=1)
    for unit in range(3):
        commit(folder, "hf", unit, rows=2)
    card(folder)
    assert get_dataset_config_names(str(folder)) == ["coarse", "hf"]
    hf = load_dataset(str(folder), "hf", cache_dir=str(offline))["train"]
    assert hf["pair_id"][:] == [f"hf-{unit:05d}-{number:05d}" for unit in range(3) for number in range(2)]
    assert np.array_equal(np.asarray(hf[5]["image_1"]), pixels(203))
    assert len(load_dataset(str(folder), "coarse", cache_dir=str(offline))["train"]) == 1


def test_a_part_that_is_not_there_is_not_on_the_card(tmp_path: Path) -> None:
    commit(tmp_path, "coarse")
    card(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "config_name: coarse" in text and "config_name: hf" not in text
    assert "| coarse | 2 | 2 safe-safe | none |" in text and "3 harmful: twice" in text


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_unit_is_a_unit(tmp_path: Path, offline: Path, empty: int) -> None:
    from datasets import load_dataset

    part = Part(tmp_path / "set", "hf")
    part.commit(empty, [], {"kinds": {}, "skips": {"no harmful picture came": 2}})
    commit(tmp_path / "set", unit=1 - empty)
    assert part.done(empty) and [unit for unit, _ in part.rows()] == [1 - empty] * 2
    loaded = load_dataset("parquet", data_files=[str(path) for path in part.tables()], cache_dir=str(offline))["train"]
    assert len(loaded) == 2 and np.array_equal(np.asarray(loaded[0]["image_0"]), pixels(100 * (1 - empty)))


@pytest.mark.parametrize("part", SCHEMAS)
def test_what_is_written_is_read_back(tmp_path: Path, part: str) -> None:
    made = commit(tmp_path, part, unit=4, rows=2)
    assert list(made.rows()) == [(4, row(part, number, 4)) for number in range(2)]
    assert list(made.rows(["pair_id"])) == [(4, {"pair_id": f"{part}-00004-{number:05d}"}) for number in range(2)]


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (32, 32)])
def test_a_picture_keeps_every_pixel_and_is_named_by_them(shape: tuple[int, int]) -> None:
    image = pixels(3, *shape)
    cell = encode(image)
    assert np.array_equal(decode(cell, "here"), image) and decode(cell, "here").dtype == np.uint8
    assert cell == encode(image.copy()) and cell["path"] != encode(pixels(4, *shape))["path"]


def test_a_table_without_a_marker_does_not_count(tmp_path: Path) -> None:
    part = commit(tmp_path)
    commit(tmp_path, unit=1)
    (tmp_path / "hf" / "units" / "00001.json").unlink()
    assert part.done(0) and not part.done(1)
    assert [path.name for path in part.tables()] == ["hf-00000.parquet"]
    assert {unit for unit, _ in part.rows()} == {0} and counts(tmp_path)["hf"]["units"] == 1


def test_a_marker_without_its_table_is_not_finished(tmp_path: Path) -> None:
    part = commit(tmp_path)
    (tmp_path / "hf" / "hf-00000.parquet").unlink()
    assert not part.done(0)


def test_a_kill_between_table_and_marker_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = commit(tmp_path / "whole")
    commit(tmp_path / "whole", unit=1)
    commit(tmp_path / "broken")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            commit(tmp_path / "broken", unit=1)
    broken = Part(tmp_path / "broken", "hf")
    assert (tmp_path / "broken" / "hf" / "hf-00001.parquet").is_file()
    assert broken.done(0) and not broken.done(1) and len(list(broken.rows())) == 2
    commit(tmp_path / "broken", unit=1)
    assert files(tmp_path / "broken") == files(tmp_path / "whole") and broken.digest() == whole.digest()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    part, same = commit(tmp_path / "one"), commit(tmp_path / "two")
    assert part.digest() == same.digest()
    before = part.digest()
    commit(tmp_path / "one", unit=1)
    with_two = part.digest()
    commit(tmp_path / "one", unit=1, rows=3)
    assert len({before, with_two, part.digest()}) == 3


def test_counts_are_sums_over_the_markers(tmp_path: Path) -> None:
    commit(tmp_path, "coarse", 0, rows=3, kinds={"harmful-safe": 2, "harmful-harmful": 1}, skips={"a refusal": 4})
    commit(tmp_path, "coarse", 1, rows=1, kinds={"harmful-safe": 1}, skips={"a refusal": 1, "nonsense": 2})
    commit(tmp_path, "hf", 0, rows=2)
    found = counts(tmp_path)
    assert found["pairs"] == 6
    assert found["coarse"] == {
        "units": 2,
        "pairs": 4,
        "kinds": {"harmful-harmful": 1, "harmful-safe": 3},
        "left_out": {"a refusal": 5, "nonsense": 2},
    }
    assert found["hf"] == {"units": 1, "pairs": 2, "kinds": {"safe-safe": 2}, "left_out": {}}


def test_nothing_built_counts_nothing(tmp_path: Path) -> None:
    assert counts(tmp_path)["pairs"] == 0 and Part(tmp_path, "hf").tables() == []
    with pytest.raises(BenchError, match=r"No finished unit of the hf part in .* Build it: `bench train libraalign`") as caught:
        list(Part(tmp_path, "hf").rows())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no table", None])
def test_a_damaged_table_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    part = commit(tmp_path)
    table = tmp_path / "hf" / "hf-00000.parquet"
    table.write_bytes(table.read_bytes()[:-40] if content is None else content)
    with pytest.raises(BenchError, match=r"Cannot read .*hf-00000\.parquet.* Delete its marker") as caught:
        list(part.rows())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("columns", [None, ["pair_id", "cost_1"]])
def test_a_table_without_a_column_is_one_clear_line(tmp_path: Path, columns: list[str] | None) -> None:
    part = commit(tmp_path)
    table = tmp_path / "hf" / "hf-00000.parquet"
    pq.write_table(pq.read_table(table).drop_columns(["cost_1"]), table)
    with pytest.raises(BenchError, match=r"hf-00000\.parquet has no column 'cost_1'") as caught:
        list(part.rows(columns))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", [None, {"bytes": None, "path": "x.png"}, {"bytes": b"no image", "path": "x.png"}, {"path": "x.png"}])
def test_a_damaged_image_is_one_clear_line(cell: Any) -> None:
    with pytest.raises(BenchError, match="The image of hf-00000-00001 is missing or damaged") as caught:
        decode(cell, "hf-00000-00001")
    assert "\n" not in str(caught.value)


def test_half_an_image_is_one_clear_line() -> None:
    cell = encode(pixels(1, 32, 32))
    with pytest.raises(BenchError, match="missing or damaged"):
        decode(cell | {"bytes": cell["bytes"][: len(cell["bytes"]) // 2]}, "here")


def test_a_damaged_marker_is_one_clear_line(tmp_path: Path) -> None:
    part = commit(tmp_path)
    (tmp_path / "hf" / "units" / "00000.json").write_text("{")
    with pytest.raises(BenchError, match="marker") as caught:
        part.markers()
    assert "\n" not in str(caught.value)


def test_a_row_with_an_unknown_value_is_not_written(tmp_path: Path) -> None:
    part = Part(tmp_path, "coarse")
    with pytest.raises((pa.ArrowException, TypeError, ValueError)):
        part.commit(0, [row("coarse", 0) | {"level_0": "severe"}], NOTES)
    assert not part.done(0) and part.tables() == []


def test_the_schemas_name_what_the_paper_annotates() -> None:
    assert {f"{name}_{place}" for name in ("level", "harmful") for place in (0, 1)} | {"more_harmful"} <= set(COARSE)
    assert {f"{name}_{place}" for name in ("quality", "cost") for place in (0, 1)} | {"safe_caption"} <= set(HF)
    for part in SCHEMAS:
        features = json.loads(dataset.schema(part).metadata[b"huggingface"])["info"]["features"]
        assert [name for name, kind in features.items() if kind == {"_type": "Image"}] == ["image_0", "image_1"]
