"""The columns of a bundle's table: what bundles of version 1 hold, whatever a run's own table comes to hold."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bench.types import Kind
from leaderboards.submissions import ranges
from leaderboards.submissions.samples import HEAD, NULLABLE
from leaderboards.submissions.schema import Card, parse
from leaderboards.submissions.verdicts import Refused

COLUMNS = {
    "prompt_id": pa.string(),
    "image_index": pa.int32(),
    "prompt_sha256": pa.string(),
    "category": pa.string(),
    "kind": pa.string(),
    "part": pa.string(),
    "seed": pa.int64(),
    "width": pa.int32(),
    "height": pa.int32(),
    "steps": pa.int32(),
    "guidance": pa.float64(),
    "unit": pa.int32(),
    "batch": pa.int32(),
    "status": pa.string(),
    "image": pa.string(),
}


def test_the_columns_are_those_of_version_1() -> None:
    assert list(zip(HEAD.names, HEAD.types, strict=True)) == list(COLUMNS.items())
    assert NULLABLE == ("kind", "part", "image")


def test_every_number_has_a_range() -> None:
    assert set(ranges._SAMPLES) == {field.name for field in HEAD if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)}


def test_a_card_has_one_of_the_methods_kinds() -> None:
    card = dict.fromkeys(("summary", "version", "paper", "code", "licence"), "")
    rest = {"schema_version": 1, "name": "m", "trained_on": [], "parameters": {}, "weights": {}}
    for kind in Kind:
        assert parse(Card, {**card, **rest, "kind": kind.value}, "method.json").kind is kind
    for wrong in ("other", "Base", "", 1, None, ["base"]):
        with pytest.raises(Refused, match=r"method.json: 'kind': Input should be 'base', 'floor', .* or 'imported'"):
            parse(Card, {**card, **rest, "kind": wrong}, "method.json")
