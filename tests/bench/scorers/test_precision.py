"""TF32 is off while scores are made, whatever the process had it at, and back afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bench
from bench.registry import scorers
from bench.scorers.precision import full_float32
from bench.types import Context, Sample, Scorer, ScorerInfo

MATMUL, CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = MATMUL.allow_tf32, CUDNN.allow_tf32
    yield
    MATMUL.allow_tf32, CUDNN.allow_tf32 = before


@pytest.mark.parametrize("before", [(True, True), (False, True), (True, False), (False, False)])
def test_it_is_off_inside_and_as_it_was_outside(before: tuple[bool, bool]) -> None:
    MATMUL.allow_tf32, CUDNN.allow_tf32 = before
    seen = []

    @full_float32()
    def breaks() -> None:
        seen.append((MATMUL.allow_tf32, CUDNN.allow_tf32, torch.get_float32_matmul_precision(), CUDNN.conv.fp32_precision))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert seen[0][:3] == (False, False, "highest") and seen[0][3] != "tf32"
    assert (MATMUL.allow_tf32, CUDNN.allow_tf32) == before


def test_torchs_newer_switch_is_restored_too() -> None:
    CUDNN.conv.fp32_precision, CUDNN.rnn.fp32_precision = "ieee", "tf32"
    with full_float32():
        assert CUDNN.allow_tf32 is False and CUDNN.rnn.fp32_precision != "tf32"
    assert (CUDNN.conv.fp32_precision, CUDNN.rnn.fp32_precision) == ("ieee", "tf32")


class Asks(Scorer):
    """Stores what the switches are at when it is asked."""

    info = ScorerInfo("asks", "What TF32 is at.", {"asks": "0 or 1"}, "neither")

    def load(self, context: Context) -> None: ...

    def score(self, images: Sequence[Any], samples: Sequence[Sample]) -> list[dict[str, Any]]:
        return [{"asks": float(MATMUL.allow_tf32 or CUDNN.allow_tf32)} for _ in images]


def test_a_run_is_scored_without_it(toy: object, tmp_path: Path) -> None:
    scorers.register("asks", Asks)
    try:
        MATMUL.allow_tf32 = CUDNN.allow_tf32 = True
        done = bench.run("toy", "i2p", limit=3, out=tmp_path, scorers=["asks"], workers=1)
        assert done.records()["asks"].tolist() == [0.0, 0.0, 0.0]
    finally:
        scorers.unregister("asks")


def test_what_trainings_and_parity_measure_is_without_it() -> None:
    from bench.parity.located import one
    from training.libraalign.hf import Annotator

    MATMUL.allow_tf32 = CUDNN.allow_tf32 = True
    picture = np.zeros((8, 8, 3), np.uint8)
    assert Annotator(Asks(), Asks()).cost([picture]) == [0.0] and one(Asks(), picture, "") == {"asks": 0.0}
