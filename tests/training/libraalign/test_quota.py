"""So many pairs and no more: which ones stay depends on the units' order alone, and what is beyond is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.libraalign.dataset import BEYOND, HF, PICTURE, Part, counts, encode
from training.libraalign.quota import Quota

SIZES = (2, 3, 4, 1)


def unit(part: Part, number: int, size: int) -> None:
    """Commit a unit of ``size`` harmful-safe pairs, after one safe-safe pair."""
    import numpy as np

    rows: list[dict[str, Any]] = []
    for place in range(size + 1):
        kind = "harmful-safe" if place else "safe-safe"
        cell = encode(np.full((2, 2, 3), 10 * number + place, np.uint8))
        row: dict[str, Any] = {name: cell if each == PICTURE else None for name, each in HF.items()}
        rows.append(row | {"pair_id": f"hf-{number}-{place}", "kind": kind})
    part.commit(number, rows, {"kinds": {"safe-safe": 1, "harmful-safe": size}, "skips": {"a reason": 1}})


def build(folder: Path, most: int | None, order: list[int]) -> Quota:
    """Make the units in ``order`` as a shard would: each if it is wanted by what is known then. Cut once nothing is waiting."""
    quota = Quota(Part(folder, "hf"), range(len(SIZES)), "harmful-safe", most)
    for number in order:
        if quota.wants(number):
            unit(quota.part, number, SIZES[number])
    assert not quota.waiting()
    quota.cut()
    return quota


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("most", "units", "beyond"), [(None, 4, 0), (100, 4, 0), (5, 2, 0), (6, 3, 3), (1, 1, 1)])
def test_the_first_pairs_stay_and_the_rest_is_counted(tmp_path: Path, most: int | None, units: int, beyond: int) -> None:
    quota = build(tmp_path, most, [0, 1, 2, 3])
    found = counts(tmp_path)["hf"]
    assert quota.made() == found["kinds"]["harmful-safe"] == min(sum(SIZES), most or 100)
    assert (found["units"], found["left_out"].get(BEYOND, 0), found["kinds"]["safe-safe"]) == (units, beyond, units)
    ids = [row["pair_id"] for _, row in quota.part.rows(["pair_id", "kind"]) if row["kind"] == "harmful-safe"]
    assert ids == [f"hf-{number}-{place + 1}" for number, size in enumerate(SIZES) for place in range(size)][: most or 100]


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 1, 3]])
def test_any_order_of_units_ends_in_the_same_bytes(tmp_path: Path, order: list[int]) -> None:
    build(tmp_path / "one", 6, [0, 1, 2, 3])
    build(tmp_path / "other", 6, order)
    assert files(tmp_path / "one") == files(tmp_path / "other")


def test_cut_again_and_after_a_kill_between_table_and_marker_it_is_the_same(tmp_path: Path) -> None:
    quota = build(tmp_path, 6, [0, 1, 2, 3])
    whole = files(tmp_path)
    quota.cut()
    assert files(tmp_path) == whole
    unit(quota.part, 2, SIZES[2])
    uncut = quota.part.folder / "units" / "00002.json"
    (quota.part.folder / "hf-00002.parquet").write_bytes(whole["hf/hf-00002.parquet"])
    assert uncut.read_bytes() != whole["hf/units/00002.json"]
    quota.cut()
    assert files(tmp_path) == whole


def test_what_is_waiting_ends_where_there_are_enough(tmp_path: Path) -> None:
    quota = Quota(Part(tmp_path, "hf"), range(4), "harmful-safe", 5)
    unit(quota.part, 1, 5)
    assert quota.waiting() == [0] and quota.wants(1) and not quota.wants(2)
    assert Quota(quota.part, range(4)).waiting() == [0, 2, 3]
