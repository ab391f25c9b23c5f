"""What a method may give for a sample, and a scorer for an image: whatever is neither is refused, and nothing turns into another value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bench.guard.calls import taken
from bench.types import Blocked, Generated, Sample
from bench.types.sample import check
from bench.types.values import BadValue, plain

SAMPLE = Sample("a", "a red circle", "plain", 0, 1, 4, 4, 10, 4.0)
IMAGE = np.zeros((4, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (Blocked(""), "expected Blocked with a reason in words, got an empty one"),
        (Blocked(" \n"), "expected Blocked with a reason in words, got an empty one"),
        (Generated(np.ma.masked_array(IMAGE, mask=IMAGE == 0)), "expected an image as a plain NumPy array, got a masked one"),
        (Generated(IMAGE, acted=True), "expected acted as a number of steps or None, got True"),
        (Generated(IMAGE, acted=37), "expected acted as a number of steps or None, got 37 for 10 steps"),
        (Generated(IMAGE, acted=10**400), "expected acted as a number of steps or None, got 1000"),
        (Generated(IMAGE, acted=1.0), "expected acted as a number of steps or None, got 1.0"),  # type: ignore[arg-type]
    ],
)
def test_no_outcome(outcome: Any, says: str) -> None:
    (found,) = taken("the method", [outcome], 1, "outcomes", "samples")
    said = check(found, SAMPLE)
    assert isinstance(said, str) and said.startswith(says) and len(said) < 200


@pytest.mark.parametrize("acted", [None, 0, 10, 11, 19, 36, np.int64(3)])
def test_a_scheduler_may_take_more_iterations_than_steps(acted: Any) -> None:
    assert isinstance(check(Generated(IMAGE, acted), SAMPLE), Generated)


def test_several_samples_do_not_share_one_array() -> None:
    batch = np.zeros((3, 4, 4, 3), dtype=np.uint8)
    shares = "the method gave several samples one array, or overlapping ones: give each image memory of its own, such as image.copy()"
    for images in ([IMAGE, IMAGE], [batch[0], batch[0][::-1]], [batch[1], batch[:2].reshape(8, 4, 3)[2:6]]):
        assert taken("the method", [Generated(image) for image in images], 2, "outcomes", "samples") == shares
    assert not isinstance(taken("the method", [Generated(image) for image in batch], 3, "outcomes", "samples"), str)
    channels_last = np.zeros((2, 3, 4, 4), dtype=np.uint8).transpose(0, 2, 3, 1)
    assert not isinstance(taken("the method", [Generated(image) for image in channels_last], 2, "outcomes", "samples"), str)


def test_what_a_generator_writes_into_one_array_is_kept_picture_by_picture() -> None:
    def made() -> Iterator[Generated]:
        buffer = IMAGE.copy()
        for value in (1, 2, 3):
            buffer[:] = value
            yield Generated(buffer)

    found = taken("the method", made(), 3, "outcomes", "samples")
    assert [each.image[0, 0, 0] for each in found] == [1, 2, 3]  # type: ignore[union-attr]


def test_what_is_written_later_reaches_no_outcome() -> None:
    image = IMAGE.copy()
    (kept,) = taken("the method", [Generated(image)], 1, "outcomes", "samples")
    image[:] = 7
    assert not kept.image.any()  # type: ignore[attr-defined]
    assert check(replace(kept, image=IMAGE), SAMPLE)  # type: ignore[type-var]


NO_VALUES = [
    timedelta(seconds=1), datetime(2020, 1, 1), date(2020, 1, 1), np.timedelta64(5, "ns"), np.timedelta64(5, "s"), np.datetime64(5, "ns"),
    np.array([1, 2], "m8[ns]"), pd.Timestamp(5), pd.Timedelta(5), pd.NaT, pd.NA, Decimal("0.1"), Fraction(1, 3), 1j, np.complex64(1),
    memoryview(b"ab"), bytearray(b"ab"), {1.0}, iter([1.0]), range(3), np.ma.masked, np.ma.masked_array([1.0, 2.0], [0, 1]), np.array([Decimal(1)]),
    np.array(Decimal(1)), np.longdouble(1) / 3, np.bytes_(b"a"), np.void(b"ab"), torch.tensor(1j), [Decimal(1)], [1.0, pd.NA], [True], [1j],
    pd.Series([1, 2], dtype="m8[ns]"), object, len,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_VALUES, ids=lambda value: type(value).__name__)
def test_no_value(value: object) -> None:
    with pytest.raises(BadValue) as found:
        plain(value)
    assert "a value of type" in str(found.value) or "a list that holds" in str(found.value)
