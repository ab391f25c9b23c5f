"""A run's table: what another seed for every prompt would move a number by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.metrics.columns import Column
from bench.metrics.rows import between_seeds


def records(images: int, prompts: int = 4) -> pd.DataFrame:
    """Return samples of so many prompts and images."""
    return pd.DataFrame([(f"p{prompt}", image) for prompt in range(prompts) for image in range(images)], columns=["prompt_id", "image_index"])


def test_it_is_the_standard_deviation_of_the_values_of_the_image_indices() -> None:
    samples = records(3)
    values = pd.Series(np.random.default_rng(1).normal(size=12))
    by_index = [values[samples["image_index"] == index].mean() for index in range(3)]
    assert between_seeds(Column("x", "units", False, values), samples) == pytest.approx(np.std(by_index, ddof=1), rel=1e-12)
    flags = (values > 0).astype("boolean")
    shares = [flags[samples["image_index"] == index].mean() for index in range(3)]
    assert between_seeds(Column("x", "of images", True, flags), samples) == pytest.approx(np.std(shares, ddof=1), rel=1e-12)


def test_prompts_are_the_same_for_every_index_and_prompts_alone_make_no_spread() -> None:
    samples = records(2)
    values = samples["prompt_id"].str[1:].astype(float)
    assert between_seeds(Column("x", "units", False, values), samples) == 0
    missing = values.mask((samples["prompt_id"] == "p3") & (samples["image_index"] == 1))
    assert between_seeds(Column("x", "units", False, missing), samples) == 0  # 1.5 against 1 with p3 in one of them
    inside = (samples["prompt_id"] == "p3").to_numpy()
    assert between_seeds(Column("x", "units", False, missing).at(inside), samples[inside]) is None


def test_a_function_of_means_is_taken_of_each_indexs_means() -> None:
    samples, generator = records(2), np.random.default_rng(2)
    first, second = (pd.Series(generator.normal(size=8)) for _ in range(2))
    column = Column("x", "of the means", False, first, further=(second,), function=lambda a, b: a * b)
    values = [first[samples["image_index"] == at].mean() * second[samples["image_index"] == at].mean() for at in range(2)]
    assert between_seeds(column, samples) == pytest.approx(np.std(values, ddof=1), rel=1e-12)


def test_one_image_a_prompt_has_none() -> None:
    assert between_seeds(Column("x", "units", False, pd.Series(np.arange(4.0))), records(1)) is None
