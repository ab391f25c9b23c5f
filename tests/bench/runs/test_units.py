"""The plan: every sample exactly once, batches of one kind, nothing that depends on workers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.units import LARGEST_UNIT, cut
from bench.types import Sample

BASE = Sample("p", "a circle", "plain", 0, 1, 32, 32, 20, 4.0)


@given(st.lists(st.sampled_from([4.0, 7.5]), max_size=300), st.integers(1, 64))
def test_every_sample_stands_once_and_batches_are_alike(guidances: list[float], batch_size: int) -> None:
    samples = [replace(BASE, prompt_id=str(index), guidance=guidance) for index, guidance in enumerate(guidances)]
    units = cut(samples, batch_size)
    planned = [sample.prompt_id for unit in units for sample in unit.samples]
    assert sorted(planned, key=int) == [sample.prompt_id for sample in samples]
    assert [unit.index for unit in units] == list(range(len(units)))
    for unit in units:
        for batch in unit.batches:
            assert 1 <= len(batch) <= batch_size
            assert len({sample.guidance for sample in batch}) == 1


@pytest.mark.parametrize(("count", "largest"), [(64, 1), (64 * 64 * 4, 4), (64 * 64 * 1000, LARGEST_UNIT)])
def test_units_grow_with_the_run(count: int, largest: int) -> None:
    units = cut([BASE] * count, 64)
    assert max(len(unit.batches) for unit in units) == largest
